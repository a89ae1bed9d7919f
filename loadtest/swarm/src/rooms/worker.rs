//! The members of one process: they connect, publish messages when they are due, and note the messages that come.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fanfare_websocket::MessageKind;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::{faults::Faults, payload::Head, plan::Share, schedule::Due};
use crate::{
    client::{self, Ended, Sender},
    clock::{Alarm, Moment},
    connect,
    connection_pool::parent::Parent,
    floor,
    latency::Latencies,
    sequence::{Receipt, Seen},
};

/// The time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// The time for second copies to come, after all messages have come.
const FOR_DOUBLES: Duration = Duration::from_millis(200);

/// Overdue messages that are sent before the next read.
const BATCH: usize = 32;

/// Ends of connections that are named. All are counted.
const EXAMPLES: usize = 5;

/// The result of one process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    /// From the moment that a message was due until a member read it, in the measured part.
    pub latencies: Latencies,
    /// From the moment that a message was due until this program sent it, for all messages.
    pub lateness: Latencies,
    /// Messages of the measured part that came, without copies.
    pub received: u64,
    /// Faults.
    pub faults: Faults,
    /// The moment of the last message.
    pub last: Moment,
}

/// The messages that the members of this process saw.
struct Observed {
    share: Share,
    /// The numbers that each member saw of each publisher of its room, member by member.
    seen: Vec<Seen>,
    /// The number of warm-up messages of each sender.
    warming: Vec<u32>,
    /// Messages with the warm-up and with copies.
    received: u64,
    part: Part,
}

pub(crate) async fn work(share: Share, parent: &mut Parent) -> anyhow::Result<()> {
    let (layout, members) = (share.layout, &share.members);
    let nodes = members.targets.len();
    let places: Vec<_> = members.connections.clone().map(|number| layout.place(number, nodes)).collect();
    let targets: Vec<_> = places
        .iter()
        .filter_map(|place| members.targets.get(place.node).map(|target| (target, place.room)))
        .map(|(target, room)| if layout.rooms == 1 { target.clone() } else { target.numbered(room) })
        .collect();
    let source = |place: usize| members.source(members.connections.start + place);
    let connections = connect::all_from(targets.iter(), source).await?;

    let observed = Arc::new(Mutex::new(Observed::new(share.clone())));
    let (mut reading, mut senders) = (JoinSet::new(), Vec::new());
    for (member, (connection, place)) in connections.into_iter().zip(&places).enumerate() {
        senders.extend(place.sender.map(|sender| (sender, connection.sender())));
        let (observed, room) = (observed.clone(), place.room);
        reading.spawn(connection.run(move |_, payload| observed.lock().saw(member, room, payload)));
    }
    let Some(begin) = parent.ready().await? else { return Ok(()) };
    let publishing = tokio::spawn(publish(share.clone(), senders, begin, observed.clone()));
    until_complete_or_quiet(&share, begin, &observed, parent).await?;
    publishing.await??;
    let part = observed.lock().judge(&mut reading);
    parent.done(&part).await
}

/// Sends each message when it is due.
async fn publish(
    share: Share,
    senders: Vec<(usize, Sender)>,
    begin: Moment,
    observed: Arc<Mutex<Observed>>,
) -> anyhow::Result<()> {
    let alarm = Alarm::new()?;
    let mut payload = floor::payload(share.bytes);
    let numbers = senders.iter().map(|(sender, _)| *sender).collect();
    for (count, Due { after, sender, number }) in share.schedule.of(share.layout, numbers).enumerate() {
        let due = begin.after(after);
        alarm.until(due).await?;
        if count % BATCH == 0 {
            tokio::task::yield_now().await;
        }
        let Ok(place) = senders.binary_search_by_key(&sender, |(sender, _)| *sender) else { continue };
        let Some((_, connection)) = senders.get(place) else { continue };
        observed.lock().part.lateness.record(Moment::now().since(due));
        let sender = u32::try_from(sender)?;
        Head { run: share.run, sender, number, due }.write(&mut payload);
        connection.message(MessageKind::Binary, &payload);
    }
    Ok(())
}

async fn until_complete_or_quiet(
    share: &Share,
    begin: Moment,
    observed: &Mutex<Observed>,
    parent: &Parent,
) -> anyhow::Result<()> {
    let expected = share.expected();
    let mut told = (0, 0);
    let mut changed = Instant::now();
    loop {
        let now = observed.lock().so_far();
        if now != told {
            parent.progress(now.0 - told.0, now.1 - told.1)?;
            (told, changed) = (now, Instant::now());
        }
        let is_over = Moment::now() > begin.after(share.schedule.ends_after());
        if now.1 >= expected {
            tokio::time::sleep(FOR_DOUBLES).await;
            return Ok(());
        }
        if is_over && changed.elapsed() > share.patience {
            return Ok(());
        }
        tokio::time::sleep(REPORT_EVERY).await;
    }
}

impl Share {
    /// The messages that the members of this process are to see.
    fn expected(&self) -> u64 {
        self.members
            .connections
            .clone()
            .flat_map(|member| self.senders_of(member))
            .map(|sender| self.total(sender))
            .sum()
    }

    fn senders_of(&self, member: usize) -> std::ops::Range<usize> {
        let room = member / self.layout.members.max(1);
        room * self.layout.publishers..(room + 1) * self.layout.publishers
    }

    fn total(&self, sender: usize) -> u64 {
        u64::from(self.schedule.total(self.layout, sender))
    }
}

impl Observed {
    fn new(share: Share) -> Self {
        let seen = vec![Seen::default(); share.members.connections.len() * share.layout.publishers];
        let warming =
            (0..share.layout.senders()).map(|sender| share.schedule.warming(share.layout, sender)).collect();
        Self { share, seen, warming, received: 0, part: Part::default() }
    }

    fn saw(&mut self, member: usize, room: usize, payload: &[u8]) {
        let publishers = self.share.layout.publishers;
        let head = Head::read(payload).filter(|head| head.run == self.share.run);
        let Some(head) = head.filter(|_| payload.len() == self.share.bytes) else {
            self.part.faults.foreign += 1;
            return;
        };
        let sender = head.sender as usize;
        let of_room = sender.checked_sub(room * publishers).filter(|publisher| *publisher < publishers);
        let seen = of_room.and_then(|publisher| self.seen.get_mut(member * publishers + publisher));
        let (Some(seen), Some(warming)) = (seen, self.warming.get(sender)) else {
            self.part.faults.foreign += 1;
            return;
        };
        self.received += 1;
        let receipt = seen.note(head.number);
        match receipt {
            Receipt::InOrder => {}
            Receipt::OutOfOrder => self.part.faults.out_of_order += 1,
            Receipt::Doubled => self.part.faults.doubled += 1,
        }
        if head.number >= *warming && receipt != Receipt::Doubled {
            let now = client::read_at();
            self.part.received += 1;
            self.part.latencies.record(now.since(head.due));
            self.part.last = now;
        }
    }

    /// The messages sent and received so far.
    fn so_far(&self) -> (u64, u64) {
        (self.part.lateness.count(), self.received)
    }

    fn judge(&mut self, reading: &mut JoinSet<Ended>) -> Part {
        let mut part = std::mem::take(&mut self.part);
        while let Some(ended) = reading.try_join_next() {
            part.faults.ended += 1;
            if part.faults.why.len() < EXAMPLES {
                part.faults.why.push(ended.map_or_else(|error| error.to_string(), |ended| ended.to_string()));
            }
        }
        let senders = self.share.members.connections.clone().flat_map(|member| self.share.senders_of(member));
        let totals = senders.map(|sender| self.share.schedule.total(self.share.layout, sender));
        part.faults.lost = self.seen.iter().zip(totals).map(|(seen, total)| seen.lost(total)).sum();
        part
    }
}
