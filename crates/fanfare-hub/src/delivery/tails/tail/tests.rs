use std::collections::VecDeque;

use fanfare_core::{
    Channel, ClientId, Incarnation, Payload, Publish, SessionId, attributes::PresenceChange,
    presence::PresenceEntry,
};
use proptest::prelude::*;

use super::*;

mod failover;

/// A channel with its broker and its history, whose publications are lost, late and doubled as a test says.
struct Model {
    tail: Tail,
    epoch: u64,
    top: u64,
    kept: Vec<Arc<Publication>>,
    continues: Vec<Position>,
    on_their_way: VecDeque<Arc<Publication>>,
    /// The answers to a read and to a question for the top, which are of the moment of the question.
    read: Option<Page>,
    asked: Option<Position>,
    must_read: bool,
    /// The publications that subscribers got, and how many gaps they were told of until then.
    got: Vec<(Arc<Publication>, usize)>,
    told: usize,
    healed: usize,
    duplicates: u64,
    unpositioned: u64,
}

fn publication(position: Option<Position>, text: String) -> Arc<Publication> {
    let channel = Channel::new("a").unwrap();
    Arc::new(Publication::new(channel, Payload::text(text), None).at(position))
}

impl Model {
    fn new() -> Self {
        Self {
            tail: Tail::new(8),
            epoch: 1,
            top: 0,
            kept: Vec::new(),
            continues: Vec::new(),
            on_their_way: VecDeque::new(),
            read: None,
            asked: None,
            must_read: false,
            got: Vec::new(),
            told: 0,
            healed: 0,
            duplicates: 0,
            unpositioned: 0,
        }
    }

    /// The channel is open, and publications were accepted before.
    fn open(accepted: u64) -> Self {
        let mut model = Self::new();
        (0..accepted).for_each(|_| drop(model.accept()));
        let position = model.position();
        model.act(|tail, effects| tail.open(position, effects));
        model
    }

    fn position(&self) -> Position {
        Position { epoch: Epoch(self.epoch), offset: self.top }
    }

    fn accept(&mut self) -> Arc<Publication> {
        self.top += 1;
        let accepted = publication(Some(self.position()), String::new());
        self.kept.push(accepted.clone());
        accepted
    }

    fn accept_unpositioned(&mut self) -> Arc<Publication> {
        self.unpositioned += 1;
        publication(None, self.unpositioned.to_string())
    }

    fn act(&mut self, act: impl FnOnce(&mut Tail, &mut Effects)) {
        let mut effects = Effects::default();
        act(&mut self.tail, &mut effects);
        self.told += usize::from(effects.told);
        self.healed += usize::from(effects.healed);
        self.duplicates += effects.duplicates;
        self.must_read |= effects.must_read;
        self.got.extend(effects.deliver.into_iter().map(|publication| (publication, self.told)));
    }

    fn arrive(&mut self, publication: Arc<Publication>) {
        self.act(|tail, effects| tail.arrive(publication, effects));
    }

    /// Accepts publications. The node gets those that `comes` names.
    fn publish(&mut self, count: u64, comes: impl Fn(u64) -> bool) {
        for _ in 0..count {
            let accepted = self.accept();
            if comes(self.top) {
                self.arrive(accepted);
            }
        }
    }

    /// Asks what the reader would ask, if anything.
    fn ask(&mut self) {
        if self.must_read && self.read.is_none() {
            match self.tail.next_read() {
                None => self.must_read = false,
                Some(after) => {
                    let publications = self.kept.iter().filter(|kept| offset(kept) > after);
                    let publications = publications.take(3).cloned().collect();
                    let continues = self.continues.clone();
                    self.read = Some(Page { top: self.position(), publications, continues });
                }
            }
        }
    }

    fn answer(&mut self) {
        if let Some(page) = self.read.take() {
            self.act(|tail, effects| tail.read(page, effects));
        }
    }

    fn fail(&mut self) {
        if self.read.take().is_some() {
            self.tail.read_failed();
        }
    }

    fn check(&mut self) {
        let position = self.position();
        self.act(|tail, effects| tail.checked(position, effects));
    }

    /// Reads until nothing is to be read.
    fn heal(&mut self) {
        for _ in 0..1000 {
            self.ask();
            if !self.must_read {
                return;
            }
            self.answer();
        }
        panic!("it never heals");
    }

    /// Another server goes on with the history, which lacks the newest publications.
    fn fail_over(&mut self, lost: usize) {
        self.kept.truncate(self.kept.len() - lost);
        self.top -= lost as u64;
        self.continues.insert(0, self.position());
        self.epoch += 1;
    }

    fn offsets(&self) -> Vec<u64> {
        self.got.iter().map(|(publication, _)| offset(publication)).collect()
    }
}

#[test]
fn consecutive_publications_go_through() {
    let mut model = Model::open(5);
    model.publish(3, |_| true);
    assert_eq!(model.offsets(), [6, 7, 8]);
    assert!(!model.must_read);
}

#[test]
fn a_gap_is_healed_in_order() {
    let mut model = Model::open(0);
    model.publish(9, |offset| ![2, 3, 7].contains(&offset));
    assert_eq!(model.offsets(), [1], "later publications wait");
    model.heal();
    assert_eq!(model.offsets(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!((model.told, model.healed), (0, 1));
    model.publish(1, |_| true);
    assert_eq!(model.offsets().last(), Some(&10));
}

#[test]
fn publications_before_the_top_are_dropped() {
    let mut model = Model::open(2);
    let old = model.kept[1].clone();
    model.arrive(old);
    assert!(model.got.is_empty());
    assert_eq!(model.duplicates, 1);
}

#[test]
fn what_comes_before_the_opening_waits() {
    let mut model = Model::new();
    model.publish(2, |_| true);
    assert!(model.got.is_empty());
    let position = model.position();
    model.publish(2, |_| true);
    model.act(|tail, effects| tail.open(position, effects));
    assert_eq!(model.offsets(), [3, 4], "the first two were accepted before the opening");
}

#[test]
fn a_history_without_the_gap_is_told() {
    let mut model = Model::open(0);
    model.publish(6, |offset| offset == 1 || offset == 6);
    model.kept.drain(..3);
    model.heal();
    assert_eq!(model.offsets(), [1, 4, 5, 6]);
    assert_eq!((model.told, model.healed), (1, 0));
    model.publish(2, |offset| offset == 8);
    model.heal();
    assert_eq!((model.told, model.healed), (1, 1));
}

#[test]
fn an_empty_history_is_told() {
    let mut model = Model::open(0);
    model.publish(5, |offset| offset == 1 || offset == 5);
    model.kept.clear();
    model.heal();
    assert_eq!(model.offsets(), [1, 5], "what came is delivered");
    assert_eq!(model.told, 1);
}

#[test]
fn another_epoch_is_told_and_read_whole() {
    let mut model = Model::open(0);
    model.publish(3, |_| true);
    let late = model.accept();
    (model.epoch, model.top) = (2, 0);
    model.kept.clear();
    model.publish(2, |offset| offset == 2);
    model.arrive(late);
    model.heal();
    assert_eq!(model.offsets(), [1, 2, 3, 1, 2]);
    assert_eq!(model.told, 1);
}

#[test]
fn a_publication_without_a_position_keeps_its_place() {
    let mut model = Model::open(0);
    let first = model.accept_unpositioned();
    model.arrive(first);
    assert_eq!(model.offsets(), [0], "nothing is missing");
    model.publish(3, |offset| offset != 2);
    let second = model.accept_unpositioned();
    model.arrive(second);
    model.publish(1, |_| true);
    model.heal();
    assert_eq!(model.offsets(), [0, 1, 2, 3, 0, 4]);
}

#[test]
fn a_failed_read_is_asked_again() {
    let mut model = Model::open(0);
    model.act(|tail, effects| tail.suspect(effects));
    model.publish(1, |_| false);
    model.ask();
    model.fail();
    assert!(model.must_read);
    model.heal();
    assert_eq!(model.offsets(), [1]);
}

#[test]
fn a_flood_past_the_bound_is_read_instead() {
    let mut model = Model::open(0);
    model.publish(1, |_| false);
    for _ in 0..40 {
        model.top += 1;
        let accepted = publication(Some(model.position()), "x".repeat(64 << 10));
        model.kept.push(accepted.clone());
        model.arrive(accepted);
    }
    assert!(model.tail.bytes() <= WAITING_BYTES);
    model.heal();
    assert_eq!(model.offsets(), (1..=41).collect::<Vec<_>>());
    assert_eq!(model.told, 0);
}

#[test]
fn news_that_is_dropped_is_not_a_gap() {
    let mut model = Model::open(0);
    model.publish(1, |_| false);
    model.act(|tail, effects| tail.suspect(effects));
    for _ in 0..200 {
        let client = ClientId { node: Incarnation(1), session: SessionId(1) };
        let info = Some("x".repeat(15 << 10).into());
        let client = PresenceEntry { client, user: None, client_info: info, channel_info: None };
        let news = Publish::news(Channel::new("a").unwrap(), PresenceChange::Left, client);
        let news = Publication::new(news.channel, news.payload, None).with_attributes(news.attributes);
        model.arrive(Arc::new(news));
    }
    assert!(model.tail.bytes() <= WAITING_BYTES);
    model.heal();
    assert_eq!(model.told, 0);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Publish,
    PublishUnpositioned,
    /// The one at this place of those on their way arrives; the first most often.
    Arrive(usize),
    Lose(usize),
    Double(usize),
    Suspect,
    AskTop,
    AnswerTop,
    Ask,
    Answer,
    Fail,
    Trim(usize),
    ChangeEpoch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => Just(Step::Publish),
        3 => Just(Step::PublishUnpositioned),
        30 => Just(Step::Arrive(0)),
        3 => (0..4_usize).prop_map(Step::Arrive),
        5 => (0..4_usize).prop_map(Step::Lose),
        3 => (0..4_usize).prop_map(Step::Double),
        1 => Just(Step::Suspect),
        3 => Just(Step::AskTop),
        3 => Just(Step::AnswerTop),
        20 => Just(Step::Ask),
        20 => Just(Step::Answer),
        3 => Just(Step::Fail),
        1 => (0..6_usize).prop_map(Step::Trim),
        1 => Just(Step::ChangeEpoch),
    ];
    prop::collection::vec(step, 0..100)
}

impl Model {
    fn step(&mut self, step: Step) {
        match step {
            Step::Publish => {
                let accepted = self.accept();
                self.on_their_way.push_back(accepted);
            }
            Step::PublishUnpositioned => {
                let accepted = self.accept_unpositioned();
                self.on_their_way.push_back(accepted);
            }
            Step::Arrive(at) => {
                if let Some(publication) = self.on_their_way.remove(at) {
                    self.arrive(publication);
                }
            }
            // A publication without a position is in no history: nobody can heal its loss.
            Step::Lose(at) if self.on_their_way.get(at).is_some_and(|lost| lost.position.is_some()) => {
                drop(self.on_their_way.remove(at));
            }
            Step::Double(at) if self.on_their_way.get(at).is_some_and(|twice| twice.position.is_some()) => {
                let twice = self.on_their_way[at].clone();
                self.on_their_way.push_back(twice);
            }
            Step::Lose(_) | Step::Double(_) => {}
            Step::Suspect => self.act(|tail, effects| tail.suspect(effects)),
            Step::AskTop => self.asked = Some(self.position()),
            Step::AnswerTop => {
                if let Some(position) = self.asked.take() {
                    self.act(|tail, effects| tail.checked(position, effects));
                }
            }
            Step::Ask => self.ask(),
            Step::Answer => self.answer(),
            Step::Fail => self.fail(),
            Step::Trim(newest) => drop(self.kept.drain(..self.kept.len().saturating_sub(newest))),
            Step::ChangeEpoch => {
                (self.epoch, self.top) = (self.epoch + 1, 0);
                self.kept.clear();
            }
        }
    }

    /// All that is on its way arrives, and the node compares its position with the history's.
    fn end(&mut self) {
        while let Some(publication) = self.on_their_way.pop_front() {
            self.arrive(publication);
        }
        self.answer();
        self.heal();
        self.check();
        self.heal();
    }
}

proptest! {
    #[test]
    fn whole_in_order_once(before in 0..4_u64, steps in steps()) {
        let mut model = Model::open(before);
        let keeps = |step: &Step| !matches!(step, Step::Trim(_) | Step::ChangeEpoch);
        steps.into_iter().filter(keeps).for_each(|step| model.step(step));
        model.end();
        let mut offsets = model.offsets();
        let unpositioned = offsets.iter().filter(|offset| **offset == 0).count() as u64;
        prop_assert_eq!(unpositioned, model.unpositioned);
        offsets.retain(|offset| *offset > 0);
        prop_assert_eq!(offsets, (before + 1..=model.top).collect::<Vec<_>>());
        prop_assert_eq!(model.told, 0);
        prop_assert!(model.tail.is_live());
    }

    #[test]
    fn or_the_gap_is_told(before in 0..4_u64, steps in steps()) {
        let mut model = Model::open(before);
        steps.into_iter().for_each(|step| model.step(step));
        model.end();
        prop_assert!(model.tail.is_live());
        prop_assert_eq!(model.tail.position(), Some(model.position()));
        let (mut last, mut told) = (Position { epoch: Epoch(1), offset: before }, 0);
        for (publication, now) in &model.got {
            let Some(position) = publication.position else { continue };
            if position.epoch == last.epoch {
                prop_assert!(position.offset > last.offset, "{last} then {position}");
            } else {
                prop_assert!(position.epoch.0 > last.epoch.0);
            }
            if position.epoch != last.epoch || position.offset != last.offset + 1 {
                prop_assert!(*now > told || model.told > 0, "{last} then {position} without a word");
            }
            (last, told) = (position, *now);
        }
    }

    #[test]
    fn what_is_kept_ends_at_the_top(before in 0..4_u64, steps in steps()) {
        let mut model = Model::open(before);
        for step in steps {
            model.step(step);
            let top = model.tail.position().unwrap().offset;
            let kept = model.tail.kept.after(0, top).unwrap_or_else(|kept| kept);
            prop_assert!(kept.len() <= 8);
            let offsets: Vec<_> = kept.iter().map(offset).collect();
            let first = top + 1 - offsets.len() as u64;
            prop_assert_eq!(offsets, (first..=top).collect::<Vec<_>>());
        }
    }
}
