//! Makes the parts of the broker, and starts both tasks.

use std::{sync::Arc, time::Duration};

use fanfare_core::{
    Backend, History, Outbox, Partition, Presence, Registry, Revocations, broker::BrokerEvents,
    registry::RegistryError,
};
use parking_lot::Mutex;
use tokio::{
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    broker::{MAX_WAITING, RedisBroker},
    clock::{clock_sync::ClockSync, offset::Clock},
    cluster::topology::Slot,
    connection::{address::RedisConfig, commands::PooledCommands, finder::Finder, links::Links, pool::pool},
    history::reader::{self, RedisHistory},
    metrics::{Kind, RedisMetrics},
    names::Names,
    outbox::{Channels, Ends, RedisOutbox},
    presence::{Local, PresenceWriter, RedisPresence},
    publisher::{
        outgoing::{Outgoing, ServerBudget},
        pipeline::Pipeline,
        script::Script,
        task::Publisher,
        writer::Writer,
    },
    registry::{
        agreed_version::AgreedVersion,
        nodes::{self, RedisRegistry},
    },
    revocations::RedisRevocations,
    subscriber::{
        incoming::Incoming,
        origin_check::{ListedNodes, OriginCheck},
        request::Request,
        table::subscriptions::Table,
        task::Subscriber,
    },
    switches::Switches,
};
use crate::{
    control_order::ControlOrder,
    envelope,
    fair_queue::Turns,
    liveness::{progress::Progress, sequence::LastTaken},
    node::{Node, Parts},
    tasks::Tasks,
};

/// The partition that a Redis is, and what it shares with the others of its node. By default it is the only one.
pub(crate) struct PartitionContext {
    pub(crate) partition: Partition,
    /// Shared by all partitions.
    pub(crate) turns: Turns,
    /// Shared by all partitions.
    pub(crate) control_order: Arc<ControlOrder>,
    /// Names the partition in the log, where there are several.
    pub(crate) span: Span,
    /// The names of all partitions; empty where there is one.
    pub(crate) servers: Arc<str>,
    /// The slot of a Cluster that it is.
    pub(crate) slot: Option<Slot>,
}

impl Default for PartitionContext {
    fn default() -> Self {
        let (turns, control_order) = (Turns::default(), Arc::default());
        Self {
            partition: Partition(0),
            turns,
            control_order,
            span: Span::none(),
            servers: "".into(),
            slot: None,
        }
    }
}

impl PartitionContext {
    fn spawn(&self, tasks: &Tasks, task: impl Future<Output = ()> + Send + 'static) {
        if self.span.is_none() {
            tasks.spawn(task);
        } else {
            tasks.spawn(task.instrument(self.span.clone()));
        }
    }
}

/// The parts of one Redis.
pub(crate) struct RedisParts {
    pub(crate) broker: Arc<RedisBroker>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) revocations: Arc<dyn Revocations>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) registry: Arc<dyn Registry>,
}

impl From<RedisParts> for Parts {
    fn from(parts: RedisParts) -> Self {
        let RedisParts { broker, history, presence, revocations, outbox, registry } = parts;
        (Backend { broker, history, presence, revocations, outbox }, registry)
    }
}

/// The things that both tasks and the registry share.
struct Shared {
    context: PartitionContext,
    node: Node,
    config: Arc<RedisConfig>,
    names: Arc<Names>,
    links: Arc<Links>,
    metrics: Arc<RedisMetrics>,
    clock: Arc<Clock>,
    listed: Arc<ListedNodes>,
    agreed: Arc<AgreedVersion>,
    /// To the subscriber.
    requests: UnboundedSender<Request>,
    stop: CancellationToken,
}

/// Starts both tasks.
///
/// # Errors
/// Where the pool of the registry cannot be made. Redis need not be there.
pub(crate) fn start(
    node: &Node,
    config: RedisConfig,
    context: PartitionContext,
    events: Arc<dyn BrokerEvents>,
    metrics: Arc<RedisMetrics>,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> Result<RedisParts, RegistryError> {
    let (queue, queued) = unbounded_channel();
    let (requests, requested) = unbounded_channel();
    let shared = Shared {
        context,
        node: node.clone(),
        names: Arc::new(Names::new(config.prefix.clone(), node.incarnation).with(config.place.pubsub())),
        links: Arc::new(Links::new(config.place.pubsub(), metrics.clone())),
        config: Arc::new(config),
        metrics,
        clock: Arc::new(Clock::new(node.incarnation)),
        listed: Arc::default(),
        agreed: Arc::new(AgreedVersion::new(envelope::VERSION)),
        requests,
        stop: stop.clone(),
    };
    let (registry, history) = (shared.registry()?, shared.history()?);
    let presence = shared.presence()?;
    let outbox = shared.outbox(&presence);
    shared.context.spawn(tasks, shared.publisher(queued)?.run());
    shared.context.spawn(tasks, shared.subscriber(events, requested)?.run());
    shared.context.spawn(tasks, shared.presence_writer(&outbox).run());
    if let Some(switches) = shared.switches() {
        shared.context.spawn(tasks, switches.run());
    }
    if let Some(slot) = &shared.context.slot {
        slot.follow(shared.links.clone(), shared.context.span.clone());
    }
    let Shared { links, metrics, requests, .. } = shared;
    let broker = RedisBroker {
        queue,
        budget: ServerBudget::default(),
        requests,
        subscribing: Arc::new(Semaphore::new(MAX_WAITING)),
        links,
        metrics,
        message_bytes: node.limits.message_bytes,
    };
    let revocations = RedisRevocations {
        commands: PooledCommands { kind: Kind::Revocation, ..presence.commands.clone() },
        names: presence.names.clone(),
    };
    Ok(RedisParts {
        broker: Arc::new(broker),
        history: Arc::new(history),
        presence: Arc::new(presence),
        revocations: Arc::new(revocations),
        outbox: Arc::new(outbox),
        registry: Arc::new(registry),
    })
}

impl Shared {
    /// Finds the server. Connections to Sentinels have this name.
    fn finder(&self, name: &str) -> Result<Finder, RegistryError> {
        match &self.context.slot {
            Some(slot) => Ok(Finder::Owner(slot.clone())),
            None => Finder::of(&self.config, name, &self.metrics)
                .ok_or_else(|| RegistryError("a Cluster is used by its partitions".to_owned())),
        }
    }

    /// The name of a connection in Redis.
    fn client_name(&self, link: &str) -> String {
        format!("{}:{}:{link}", self.config.prefix, self.node.incarnation)
    }

    /// Commands on connections that are used for that long.
    fn commands(
        &self,
        kind: Kind,
        connections: usize,
        used_for: Duration,
    ) -> Result<PooledCommands, RegistryError> {
        let finder = self.finder(&self.client_name("commands"))?;
        let pool = pool(&self.config, finder, self.links.clone(), connections, used_for);
        let pool = pool.map_err(RegistryError)?;
        Ok(PooledCommands { pool, metrics: self.metrics.clone(), kind })
    }

    fn history(&self) -> Result<RedisHistory, RegistryError> {
        Ok(RedisHistory {
            commands: self.commands(Kind::History, reader::CONNECTIONS, reader::USED_FOR)?,
            names: self.names.clone(),
            links: self.links.clone(),
            clock: self.clock.clone(),
        })
    }

    fn registry(&self) -> Result<RedisRegistry, RegistryError> {
        Ok(RedisRegistry {
            commands: self.commands(Kind::Registry, nodes::CONNECTIONS, nodes::USED_FOR)?,
            names: self.names.clone(),
            node: self.node.incarnation,
            agreed: self.agreed.clone(),
            links: self.links.clone(),
            requests: self.requests.clone(),
            listed: self.listed.clone(),
            others: Mutex::default(),
            said: Mutex::default(),
            servers: self.context.servers.clone(),
        })
    }

    fn presence(&self) -> Result<RedisPresence, RegistryError> {
        Ok(RedisPresence {
            local: Arc::new(Local::new(self.metrics.broker.presence_entries.clone())),
            commands: self.commands(Kind::Presence, reader::CONNECTIONS, reader::USED_FOR)?,
            names: self.names.clone(),
            links: self.links.clone(),
            removed: Arc::default(),
            scripts: Arc::new(Channels::default()),
            metrics: self.metrics.broker.clone(),
        })
    }

    fn outbox(&self, presence: &RedisPresence) -> RedisOutbox {
        RedisOutbox {
            node: self.node.incarnation,
            commands: PooledCommands { kind: Kind::Events, ..presence.commands.clone() },
            presence: presence.clone(),
            ends: Arc::new(Ends::new(self.metrics.broker.events_dropped.clone())),
        }
    }

    fn presence_writer(&self, outbox: &RedisOutbox) -> PresenceWriter {
        let presence = &outbox.presence;
        PresenceWriter {
            local: presence.local.clone(),
            commands: presence.commands.clone(),
            node: outbox.node,
            scripts: presence.scripts.clone(),
            ends: outbox.ends.clone(),
            goodbye: self.node.limits.goodbye,
            names: self.names.clone(),
            links: self.links.clone(),
            metrics: self.metrics.clone(),
            stop: self.stop.clone(),
        }
    }

    /// The task that listens to Sentinels, where there are some.
    fn switches(&self) -> Option<Switches> {
        let Ok(Finder::By(sentinels)) = self.finder(&self.client_name("sentinel")) else { return None };
        Some(Switches { sentinels, links: self.links.clone(), stop: self.stop.clone() })
    }

    fn publisher(&self, queue: UnboundedReceiver<Outgoing>) -> Result<Publisher, RegistryError> {
        let writer = Writer {
            names: self.names.clone(),
            node: self.node.incarnation,
            sequence: 0,
            last_taken: LastTaken::default(),
            clock: self.clock.clone(),
            script: Script::new(self.node.incarnation, self.names.pubsub()),
        };
        let client_name = self.client_name(self.links.publisher.name);
        Ok(Publisher {
            finder: self.finder(&client_name)?,
            client_name,
            config: self.config.clone(),
            names: self.names.clone(),
            links: self.links.clone(),
            metrics: self.metrics.clone(),
            agreed: self.agreed.clone(),
            pipeline: Pipeline::new(
                writer,
                self.metrics.clone(),
                self.node.limits.publish_wait,
                self.context.turns.clone(),
            ),
            run: None,
            queue,
            requests: self.requests.clone(),
            next_unheard: Instant::now(),
            clock_sync: ClockSync::new(self.clock.clone(), self.metrics.clone()),
            heartbeat_refused: None,
            stop: self.stop.clone(),
            goodbye: self.node.limits.goodbye,
            closing: None,
        })
    }

    fn subscriber(
        &self,
        events: Arc<dyn BrokerEvents>,
        requests: UnboundedReceiver<Request>,
    ) -> Result<Subscriber, RegistryError> {
        let client_name = self.client_name(self.links.subscriber.name);
        Ok(Subscriber {
            finder: self.finder(&client_name)?,
            client_name,
            config: self.config.clone(),
            names: self.names.clone(),
            links: self.links.clone(),
            metrics: self.metrics.clone(),
            incoming: Incoming {
                events,
                partition: self.context.partition,
                control_order: self.context.control_order.clone(),
                metrics: self.metrics.clone(),
                message_bytes: self.node.limits.message_bytes,
                clock: self.clock.clone(),
                listed: self.listed.clone(),
                origin_check: OriginCheck::new(self.node.incarnation),
            },
            table: Table::new(),
            requests,
            stop: self.stop.clone(),
            progress: Progress::new(self.config.watch),
        })
    }
}
