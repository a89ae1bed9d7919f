//! One process's members: they connect, publish what is due, and note what comes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fanfare_websocket::MessageKind;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::{
    Share,
    payload::Head,
    schedule::Due,
    seen::{Coming, Seen},
};
use crate::{
    client::{self, Ended, Sender},
    clock::{Alarm, Moment},
    crowd,
    flock::worker::Parent,
    floor,
    latency::Latencies,
};

/// How often it is looked whether all has come, and the parent told how far it is.
const GLANCE: Duration = Duration::from_millis(100);

/// After all has come: the time that a second copy is given to show up.
const FOR_DOUBLES: Duration = Duration::from_millis(200);

/// Messages that are overdue and sent in one go, before what came is read.
const IN_ONE_GO: usize = 32;

/// Ends of connections that are told one by one; all are counted.
const EXAMPLES: usize = 5;

/// What one process found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Part {
    /// Of the measured part, from when a message was due until a member read it.
    pub latencies: Latencies,
    /// Of all messages, from when one was due until this program handed it to its connection.
    pub lateness: Latencies,
    /// Messages of the measured part that came, copies not counted.
    pub received: u64,
    /// Sent, and never seen by a member.
    pub lost: u64,
    /// Seen again by a member.
    pub doubled: u64,
    /// Seen by a member after a later one of the same sender.
    pub out_of_order: u64,
    /// Seen, and not of this run or of another channel.
    pub foreign: u64,
    /// Connections that ended.
    pub ended: u64,
    /// Why, the first of them.
    pub why: Vec<String>,
    /// When the last message came.
    pub last: Moment,
}

/// What the members of this process see.
struct Tally {
    share: Share,
    /// Member by member, of each publisher of its room.
    seen: Vec<Seen>,
    /// Messages until the measured part, of each sender of all.
    warming: Vec<u32>,
    /// With those of the warm-up and with copies.
    received: u64,
    part: Part,
}

pub(crate) async fn work(share: Share, parent: &mut Parent) -> anyhow::Result<()> {
    let (layout, nodes) = (share.layout, share.targets.len());
    let places: Vec<_> = share.members.clone().map(|number| layout.place(number, nodes)).collect();
    let targets: Vec<_> = places
        .iter()
        .filter_map(|place| share.targets.get(place.node).map(|target| (target, place.room)))
        .map(|(target, room)| if layout.rooms == 1 { target.clone() } else { target.numbered(room) })
        .collect();
    let from = |number: usize| share.sources.of(share.members.start + number);
    let connections = crowd::open_from(targets.iter(), from).await?;

    let tally = Arc::new(Mutex::new(Tally::new(share.clone())));
    let (mut reading, mut senders) = (JoinSet::new(), Vec::new());
    for (member, (connection, place)) in connections.into_iter().zip(&places).enumerate() {
        senders.extend(place.sender.map(|sender| (sender, connection.sender())));
        let (tally, room) = (tally.clone(), place.room);
        reading.spawn(connection.run(move |_, payload| tally.lock().saw(member, room, payload)));
    }
    let Some(begin) = parent.ready().await? else { return Ok(()) };
    let publishing = tokio::spawn(publish(share.clone(), senders, begin, tally.clone()));
    until_complete_or_quiet(&share, begin, &tally, parent).await?;
    publishing.await??;
    let part = tally.lock().judge(&mut reading);
    parent.done(&part).await
}

/// Hands over what is due, when it is due.
async fn publish(
    share: Share,
    senders: Vec<(usize, Sender)>,
    begin: Moment,
    tally: Arc<Mutex<Tally>>,
) -> anyhow::Result<()> {
    let alarm = Alarm::new()?;
    let mut payload = floor::payload(share.bytes);
    let numbers = senders.iter().map(|(sender, _)| *sender).collect();
    for (count, Due { after, sender, number }) in share.schedule.of(share.layout, numbers).enumerate() {
        let due = begin.after(after);
        alarm.until(due).await?;
        if count % IN_ONE_GO == 0 {
            tokio::task::yield_now().await;
        }
        let Ok(place) = senders.binary_search_by_key(&sender, |(sender, _)| *sender) else { continue };
        let Some((_, connection)) = senders.get(place) else { continue };
        tally.lock().part.lateness.record(Moment::now().since(due));
        let sender = u32::try_from(sender)?;
        Head { run: share.run, sender, number, due }.write(&mut payload);
        connection.message(MessageKind::Binary, &payload);
    }
    Ok(())
}

async fn until_complete_or_quiet(
    share: &Share,
    begin: Moment,
    tally: &Mutex<Tally>,
    parent: &Parent,
) -> anyhow::Result<()> {
    let expected = share.expected();
    let mut told = (0, 0);
    let mut changed = Instant::now();
    loop {
        let now = tally.lock().so_far();
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
        tokio::time::sleep(GLANCE).await;
    }
}

impl Share {
    /// Messages that the members of this process are to see.
    fn expected(&self) -> u64 {
        self.members.clone().flat_map(|member| self.senders_of(member)).map(|sender| self.total(sender)).sum()
    }

    fn senders_of(&self, member: usize) -> std::ops::Range<usize> {
        let room = member / self.layout.members.max(1);
        room * self.layout.publishers..(room + 1) * self.layout.publishers
    }

    fn total(&self, sender: usize) -> u64 {
        u64::from(self.schedule.total(self.layout, sender))
    }
}

impl Tally {
    fn new(share: Share) -> Self {
        let seen = vec![Seen::default(); share.members.len() * share.layout.publishers];
        let warming =
            (0..share.layout.senders()).map(|sender| share.schedule.warming(share.layout, sender)).collect();
        Self { share, seen, warming, received: 0, part: Part::default() }
    }

    fn saw(&mut self, member: usize, room: usize, payload: &[u8]) {
        let publishers = self.share.layout.publishers;
        let head = Head::read(payload).filter(|head| head.run == self.share.run);
        let Some(head) = head.filter(|_| payload.len() == self.share.bytes) else {
            self.part.foreign += 1;
            return;
        };
        let sender = head.sender as usize;
        let of_room = sender.checked_sub(room * publishers).filter(|publisher| *publisher < publishers);
        let seen = of_room.and_then(|publisher| self.seen.get_mut(member * publishers + publisher));
        let (Some(seen), Some(warming)) = (seen, self.warming.get(sender)) else {
            self.part.foreign += 1;
            return;
        };
        self.received += 1;
        let coming = seen.note(head.number);
        match coming {
            Coming::InOrder => {}
            Coming::OutOfOrder => self.part.out_of_order += 1,
            Coming::Doubled => self.part.doubled += 1,
        }
        if head.number >= *warming && coming != Coming::Doubled {
            let now = client::read_at();
            self.part.received += 1;
            self.part.latencies.record(now.since(head.due));
            self.part.last = now;
        }
    }

    /// Messages sent and received.
    fn so_far(&self) -> (u64, u64) {
        (self.part.lateness.count(), self.received)
    }

    fn judge(&mut self, reading: &mut JoinSet<Ended>) -> Part {
        let mut part = std::mem::take(&mut self.part);
        while let Some(ended) = reading.try_join_next() {
            part.ended += 1;
            if part.why.len() < EXAMPLES {
                part.why.push(ended.map_or_else(|error| error.to_string(), |ended| ended.to_string()));
            }
        }
        let senders = self.share.members.clone().flat_map(|member| self.share.senders_of(member));
        let totals = senders.map(|sender| self.share.schedule.total(self.share.layout, sender));
        part.lost = self.seen.iter().zip(totals).map(|(seen, total)| seen.lost(total)).sum();
        part
    }
}
