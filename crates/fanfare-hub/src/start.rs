//! Builds the parts of a hub, and spawns its tasks. Only this file and [`Hub`] know all rooms.

use std::sync::{Arc, OnceLock, atomic::AtomicU64};

use arc_swap::ArcSwap;
use fanfare_core::{Backend, Broker, CriticalTasks, History, Limits, Presence, Revocations, Tracer};
use parking_lot::RwLock;
use tokio_util::task::TaskTracker;

use crate::{
    calls::{gather::Calls, local::Local},
    delivery::{
        dispatcher::Dispatcher,
        tails::{forgetting::Forgetting, healer::Healer, reader::Reader},
        tick::Delivery,
    },
    ending::{drain::Drain, goodbye::Goodbyes, interruption::Interruptions},
    hub::Hub,
    metrics::HubMetrics,
    session::{
        attempts::Attempts, attendance::Attendance, commands::Commands, connecting::Connecting,
        events::ClientEvents, flusher::Flusher, hooking::Hooking, identities::Identities,
        incomplete::BufferBound, intake::Intake, interest::Interest, news::News,
        publish_budget::PublishBudget, publisher::Publisher, reading::Reading, renewing::Renewals,
        revoked::RevokedTokens, sessions::Sessions, subscriptions::Subscriptions, writer::Writer,
    },
    upkeep::{
        budget::Budget,
        ghosts::Ghosts,
        heartbeat::Heartbeats,
        message_bounds::MessageBounds,
        settings::Settings,
        slow::SlowClients,
        stall::{self, StallReport},
    },
};

/// The parts that others share.
struct Shared {
    dispatcher: Arc<Dispatcher>,
    metrics: Arc<HubMetrics>,
    limits: Arc<ArcSwap<Limits>>,
    budget: Arc<Budget>,
    publish_budget: Arc<PublishBudget>,
    buffer_bound: Arc<BufferBound>,
    interest: Arc<Interest>,
    attendance: Arc<Attendance>,
    hooking: Arc<Hooking>,
    /// Reads histories.
    reader: Arc<Reader>,
    /// The tasks of transports and flushes.
    tasks: TaskTracker,
}

/// The parts that send to sessions, and end them.
struct Outgoing {
    writer: Arc<Writer>,
    goodbyes: Arc<Goodbyes>,
    drain: Arc<Drain>,
}

impl Hub {
    /// A hub whose shards run on the current runtime.
    #[must_use]
    pub fn start(
        dispatcher: Arc<Dispatcher>,
        backend: Backend,
        limits: Limits,
        metrics: Arc<HubMetrics>,
        tracer: Option<Arc<dyn Tracer>>,
    ) -> Arc<Self> {
        let message_bytes = limits.message_bytes;
        let shared = Shared::new(dispatcher, &backend, limits, metrics);
        let Backend { broker, history, presence, revocations, .. } = backend;
        let outgoing = shared.outgoing();
        let subscriptions = shared.subscriptions(&outgoing);
        let stall_report = Arc::new(StallReport::default());
        let revoked = shared.revoked(&outgoing, revocations);
        let identities =
            Arc::new(Identities::new(revoked.clone(), shared.limits.clone(), shared.attendance.clone()));
        let renewals = shared.renewals(&outgoing, &subscriptions, &identities);
        let critical_tasks = shared.spawn_tasks(&outgoing, &subscriptions, renewals, tracer.as_ref());
        tokio::spawn(critical_tasks.watch(stall::watch(shared.dispatcher.clone(), stall_report.clone())));
        let healer = Healer::new(shared.dispatcher.clone(), broker.clone(), shared.reader.clone());
        tokio::spawn(critical_tasks.watch(healer.run()));
        let ghosts = Arc::new(Ghosts::new(shared.dispatcher.clone(), presence.clone()));
        tokio::spawn(critical_tasks.watch(ghosts.clone().run()));
        let publisher = shared.publisher(&outgoing, broker.clone(), tracer.clone());
        tokio::spawn(critical_tasks.watch(revoked.clone().keep_loaded()));
        let local = Local {
            revoked: revoked.clone(),
            dispatcher: shared.dispatcher.clone(),
            subscriptions: subscriptions.clone(),
            goodbyes: outgoing.goodbyes.clone(),
            identities: identities.clone(),
        };
        let calls = Arc::new(Calls::new(shared.dispatcher.incarnation(), broker.clone(), local));
        let history = Arc::new(Forgetting { history, dispatcher: shared.dispatcher.clone() });
        let reading = shared.reading(history.clone(), presence.clone());
        let commands = Arc::new(Commands {
            publisher: publisher.clone(),
            subscriptions: subscriptions.clone(),
            attempts: shared.attempts(&subscriptions, &identities, reading),
            writer: outgoing.writer.clone(),
            tasks: shared.tasks.clone(),
        });
        Arc::new(Self {
            sessions: shared.sessions(outgoing.writer.clone(), identities.clone()),
            intake: Arc::new(shared.intake(&outgoing, commands, message_bytes)),
            interruptions: Arc::new(Interruptions {
                dispatcher: shared.dispatcher.clone(),
                broker: broker.clone(),
                subscriptions: subscriptions.clone(),
                drain: outgoing.drain.clone(),
            }),
            settings: shared.settings(message_bytes),
            publisher,
            subscriptions,
            writer: outgoing.writer,
            goodbyes: outgoing.goodbyes,
            drain: outgoing.drain,
            broker,
            calls,
            revoked,
            identities,
            hooking: shared.hooking,
            events: shared.attendance.events.clone(),
            history,
            presence,
            ghosts,
            tracer,
            budget: shared.budget,
            metrics: shared.metrics,
            stall_report,
            critical_tasks,
        })
    }
}

impl Shared {
    fn new(dispatcher: Arc<Dispatcher>, backend: &Backend, limits: Limits, metrics: Arc<HubMetrics>) -> Self {
        let Backend { broker, history, presence, outbox, .. } = backend;
        let events = Arc::new(ClientEvents::new(outbox.clone(), dispatcher.clone()));
        let (history, news) = (history.clone(), News::new(broker.clone(), metrics.clone()));
        let attendance = Attendance::new(dispatcher.clone(), presence.clone(), news, events);
        Self {
            budget: Budget::new(&limits, metrics.clone()),
            reader: Arc::new(Reader { dispatcher: dispatcher.clone(), history, metrics: metrics.clone() }),
            publish_budget: Arc::new(PublishBudget::new(&limits)),
            buffer_bound: Arc::new(BufferBound::new(&limits)),
            interest: Arc::new(Interest::new(broker.clone(), dispatcher.clone())),
            hooking: Arc::new(Hooking::new(attendance.clone())),
            attendance,
            limits: Arc::new(ArcSwap::from_pointee(limits)),
            tasks: TaskTracker::new(),
            dispatcher,
            metrics,
        }
    }

    fn outgoing(&self) -> Outgoing {
        let flusher = Arc::new(Flusher {
            dispatcher: self.dispatcher.clone(),
            budget: self.budget.clone(),
            tasks: self.tasks.clone(),
        });
        let goodbyes = Arc::new(Goodbyes {
            dispatcher: self.dispatcher.clone(),
            interest: self.interest.clone(),
            flusher: flusher.clone(),
            budget: self.budget.clone(),
            limits: self.limits.clone(),
            metrics: self.metrics.clone(),
            attendance: self.attendance.clone(),
        });
        let drain = Arc::new(Drain {
            dispatcher: self.dispatcher.clone(),
            goodbyes: goodbyes.clone(),
            metrics: self.metrics.clone(),
            tasks: self.tasks.clone(),
            goodbye: OnceLock::new(),
        });
        let writer = Writer { goodbyes: goodbyes.clone(), flusher, budget: self.budget.clone() };
        Outgoing { writer: Arc::new(writer), goodbyes, drain }
    }

    /// Spawns the tasks of the shards, and those that keep the bounds of memory.
    fn spawn_tasks(
        &self,
        outgoing: &Outgoing,
        subscriptions: &Arc<Subscriptions>,
        renewals: Arc<Renewals>,
        tracer: Option<&Arc<dyn Tracer>>,
    ) -> CriticalTasks {
        let delivery = Arc::new(Delivery {
            dispatcher: self.dispatcher.clone(),
            writer: outgoing.writer.clone(),
            goodbyes: outgoing.goodbyes.clone(),
            budget: self.budget.clone(),
            metrics: self.metrics.clone(),
            tracer: tracer.cloned(),
        });
        let message_bounds = Arc::new(MessageBounds {
            dispatcher: self.dispatcher.clone(),
            goodbyes: outgoing.goodbyes.clone(),
            limits: self.limits.clone(),
            bound: self.buffer_bound.clone(),
            metrics: self.metrics.clone(),
        });
        let slow_clients = Arc::new(SlowClients {
            dispatcher: self.dispatcher.clone(),
            goodbyes: outgoing.goodbyes.clone(),
            budget: self.budget.clone(),
        });
        let heartbeats = Arc::new(Heartbeats {
            writer: outgoing.writer.clone(),
            goodbyes: outgoing.goodbyes.clone(),
            subscriptions: subscriptions.clone(),
            renewals,
            drain: outgoing.drain.clone(),
            message_bounds: message_bounds.clone(),
            slow_clients: slow_clients.clone(),
        });
        let tasks = CriticalTasks::default();
        for (index, shard) in self.dispatcher.shards().iter().enumerate() {
            let busy = self.metrics.fan_out.busy(index);
            tokio::spawn(tasks.watch(delivery.clone().run(shard.clone(), busy)));
            tokio::spawn(tasks.watch(heartbeats.clone().run(shard.clone())));
        }
        tokio::spawn(tasks.watch(slow_clients.keep_budget()));
        tokio::spawn(tasks.watch(message_bounds.keep_bound()));
        tasks
    }

    fn publisher(
        &self,
        outgoing: &Outgoing,
        broker: Arc<dyn Broker>,
        tracer: Option<Arc<dyn Tracer>>,
    ) -> Arc<Publisher> {
        Arc::new(Publisher {
            dispatcher: self.dispatcher.clone(),
            broker,
            tracer,
            budget: self.publish_budget.clone(),
            writer: outgoing.writer.clone(),
            goodbyes: outgoing.goodbyes.clone(),
            attendance: self.attendance.clone(),
            hooking: self.hooking.clone(),
            metrics: self.metrics.clone(),
        })
    }

    fn subscriptions(&self, outgoing: &Outgoing) -> Arc<Subscriptions> {
        Arc::new(Subscriptions {
            dispatcher: self.dispatcher.clone(),
            interest: self.interest.clone(),
            limits: self.limits.clone(),
            writer: outgoing.writer.clone(),
            attendance: self.attendance.clone(),
            reader: self.reader.clone(),
            metrics: self.metrics.clone(),
        })
    }

    fn revoked(&self, outgoing: &Outgoing, store: Arc<dyn Revocations>) -> Arc<RevokedTokens> {
        Arc::new(RevokedTokens {
            store,
            dispatcher: self.dispatcher.clone(),
            goodbyes: outgoing.goodbyes.clone(),
            index: RwLock::default(),
            metrics: self.metrics.clone(),
        })
    }

    fn renewals(
        &self,
        outgoing: &Outgoing,
        subscriptions: &Arc<Subscriptions>,
        identities: &Arc<Identities>,
    ) -> Arc<Renewals> {
        Arc::new(Renewals {
            hooking: self.hooking.clone(),
            identities: identities.clone(),
            subscriptions: subscriptions.clone(),
            goodbyes: outgoing.goodbyes.clone(),
            tasks: self.tasks.clone(),
        })
    }

    fn attempts(
        &self,
        subscriptions: &Arc<Subscriptions>,
        identities: &Arc<Identities>,
        reading: Reading,
    ) -> Attempts {
        Attempts {
            subscriptions: subscriptions.clone(),
            connecting: Arc::new(Connecting {
                identities: identities.clone(),
                hooking: self.hooking.clone(),
                subscriptions: subscriptions.clone(),
                attendance: self.attendance.clone(),
                metrics: self.metrics.clone(),
            }),
            reading: Arc::new(reading),
            hooking: self.hooking.clone(),
            metrics: self.metrics.clone(),
        }
    }

    fn reading(&self, history: Arc<dyn History>, presence: Arc<dyn Presence>) -> Reading {
        Reading { dispatcher: self.dispatcher.clone(), history, presence, limits: self.limits.clone() }
    }

    fn sessions(&self, writer: Arc<Writer>, identities: Arc<Identities>) -> Sessions {
        Sessions {
            dispatcher: self.dispatcher.clone(),
            writer,
            identities,
            budget: self.budget.clone(),
            limits: self.limits.clone(),
            metrics: self.metrics.clone(),
            tasks: self.tasks.clone(),
            next: AtomicU64::new(1),
        }
    }

    fn intake(&self, outgoing: &Outgoing, commands: Arc<Commands>, message_bytes: usize) -> Intake {
        Intake {
            dispatcher: self.dispatcher.clone(),
            publish_budget: self.publish_budget.clone(),
            buffer_bound: self.buffer_bound.clone(),
            metrics: self.metrics.clone(),
            limits: self.limits.clone(),
            message_bytes,
            commands,
            writer: outgoing.writer.clone(),
            goodbyes: outgoing.goodbyes.clone(),
        }
    }

    fn settings(&self, message_bytes: usize) -> Settings {
        Settings {
            dispatcher: self.dispatcher.clone(),
            budget: self.budget.clone(),
            publish_budget: self.publish_budget.clone(),
            buffer_bound: self.buffer_bound.clone(),
            limits: self.limits.clone(),
            message_bytes,
        }
    }
}
