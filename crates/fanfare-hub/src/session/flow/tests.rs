use fanfare_core::Limits;

use super::*;

struct World {
    publish_budget: PublishBudget,
    metrics: HubMetrics,
}

impl World {
    fn new(limits: &Limits) -> Self {
        let metrics = HubMetrics::register(&prometheus::Registry::new()).unwrap();
        Self { publish_budget: PublishBudget::new(limits), metrics }
    }

    fn flow(&self) -> Arc<Flow> {
        Arc::new(Flow::new(false))
    }

    fn begin(&self, flow: &Flow, bytes: usize) -> u64 {
        flow.begin(bytes, &self.publish_budget).unwrap()
    }

    fn taken(&self, flow: &Flow, place: u64, bytes: usize) {
        assert_eq!(flow.end(place, bytes, Outcome::Taken, &self.publish_budget), None);
    }

    /// Whether the reader of a flow may take one more message; its task is not noted.
    fn may_publish(&self, flow: &Arc<Flow>) -> bool {
        flow.poll_may_publish(&self.publish_budget, &self.metrics, &Context::from_waker(Waker::noop()))
            .is_ready()
    }

    fn waited(&self) -> u64 {
        self.metrics.limits_hit.count(Limit::UnansweredPublishes)
    }
}

fn answered(flow: &Flow) -> bool {
    flow.poll_answered(&Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn the_reader_waits_past_either_bound() {
    let world = World::new(&Limits { unanswered_publishes: 2, unanswered_bytes: 10, ..Limits::default() });
    let flow = world.flow();
    assert_eq!(world.begin(&flow, 4), 0);
    assert!(world.may_publish(&flow));
    assert_eq!(world.begin(&flow, 4), 1);
    assert!(!world.may_publish(&flow), "two publishes");
    assert!(!world.may_publish(&flow), "polled once more");
    assert_eq!(world.waited(), 1);
    world.taken(&flow, 0, 4);
    assert!(flow.state.lock().reader.is_none(), "its waker was used");
    assert!(world.may_publish(&flow));
    world.taken(&flow, 1, 4);
    assert_eq!(world.begin(&flow, 10), 2);
    assert!(!world.may_publish(&flow), "ten bytes");
    assert_eq!(world.waited(), 2);
}

#[test]
fn a_closing_flow_waits_for_the_end() {
    let world = World::new(&Limits::default());
    let flow = world.flow();
    world.begin(&flow, 1);
    assert!(!flow.close(), "one is unanswered");
    assert_eq!(world.begin(&flow, 1), 1);
    world.taken(&flow, 0, 1);
    assert!(!answered(&flow) && !world.may_publish(&flow));
    world.taken(&flow, 1, 1);
    assert!(answered(&flow) && !world.may_publish(&flow));
    flow.ended();
    assert!(world.may_publish(&flow));
}

#[test]
fn a_flow_that_is_over_waits_for_nothing() {
    let world = World::new(&Limits { unanswered_publishes: 1, ..Limits::default() });
    let flow = world.flow();
    world.begin(&flow, 1);
    flow.close();
    flow.ended();
    assert!(!world.may_publish(&flow), "it is bounded behind the goodbye too");
    flow.over();
    assert!(world.may_publish(&flow), "to discard what still comes");
    assert_eq!(flow.begin(1, &world.publish_budget), None);
}

#[test]
fn a_verdict_waits_for_all_answers() {
    let world = World::new(&Limits::default());
    let refused = || Outcome::Ends(Disconnect::PublishRefused);
    let unknown = || Outcome::Ends(Disconnect::PublishUnknown);
    let verdict = |outcomes: &[(u64, Outcome)]| {
        let flow = world.flow();
        for _ in outcomes {
            world.begin(&flow, 1);
        }
        let mut verdict = None;
        for (place, outcome) in outcomes {
            assert_eq!(verdict, None, "all is answered by then");
            let outcome = match outcome {
                Outcome::Ends(disconnect) => Outcome::Ends(disconnect.clone()),
                _ => Outcome::Taken,
            };
            verdict = flow.end(*place, 1, outcome, &world.publish_budget);
        }
        assert!(!answered(&flow), "it is not said yet");
        flow.said();
        assert!(answered(&flow) && !world.may_publish(&flow));
        verdict.unwrap()
    };
    let is = |outcomes: &[(u64, Outcome)], disconnect: Disconnect, failed| {
        assert_eq!(verdict(outcomes), Verdict { disconnect, failed }, "{outcomes:?}");
    };
    is(&[(0, Outcome::Taken), (1, refused()), (2, refused())], Disconnect::PublishRefused, 2);
    // The one behind it was written already.
    is(&[(0, refused()), (1, Outcome::Taken), (2, refused())], Disconnect::PublishUnknown, 2);
    is(&[(0, refused()), (1, unknown())], Disconnect::PublishUnknown, 2);
    // It waited too long behind a written one.
    is(&[(1, refused()), (0, Outcome::Taken)], Disconnect::PublishRefused, 1);
    is(&[(1, refused()), (0, unknown())], Disconnect::PublishUnknown, 2);
}

#[test]
fn past_many_bytes_a_session_has_one() {
    let world = World::new(&Limits { unanswered_bytes: 64 << 20, ..Limits::default() });
    let [flooder, other] = [world.flow(), world.flow()];
    world.begin(&flooder, 5 << 20);
    assert!(!world.may_publish(&flooder));
    assert!(world.may_publish(&other));
    world.begin(&other, 0);
    assert!(!world.may_publish(&other));
    world.taken(&flooder, 0, 5 << 20);
    world.taken(&other, 0, 0);
    assert!(world.may_publish(&flooder) && world.may_publish(&other));
}

#[test]
fn an_answer_lets_one_queued_reader_go_on() {
    let world = World::new(&Limits::default());
    let flooders: Vec<_> = (0..4).map(|_| world.flow()).collect();
    for flow in &flooders {
        world.begin(flow, 8 << 20);
    }
    let line: Vec<_> = (0..3).map(|_| world.flow()).collect();
    for flow in &line {
        assert!(!world.may_publish(flow) && !world.may_publish(flow), "asked twice");
    }
    let waits = || line.iter().map(|flow| flow.state.lock().reader.is_some()).collect::<Vec<_>>();
    world.taken(&flooders[0], 0, 8 << 20);
    assert_eq!(waits(), [false, true, true]);
    assert!(world.may_publish(&line[0]));
    world.begin(&line[0], 8 << 20);
    assert!(!world.may_publish(&line[0]), "it has one unanswered, and its answer wakes it");
    world.taken(&flooders[1], 0, 8 << 20);
    world.taken(&line[0], 0, 8 << 20);
    assert_eq!(waits(), [false; 3]);
}

#[test]
fn no_reader_is_queued_below_half() {
    let world = World::new(&Limits::default());
    let flooder = world.flow();
    world.begin(&flooder, 33 << 20);
    let line: Vec<_> = (0..100).map(|_| world.flow()).collect();
    assert!(line.iter().all(|flow| !world.may_publish(flow)));
    world.taken(&flooder, 0, 33 << 20);
    assert!(line.iter().all(|flow| flow.state.lock().reader.is_none() && world.may_publish(flow)));
}

#[test]
fn a_failure_that_is_told_refuses_nothing() {
    let [told, ends] = [true, false].map(|is_told| Flow::new(is_told).order);
    told.fail();
    ends.fail();
    assert_eq!([told.has_failed(), ends.has_failed()], [false, true]);
}
