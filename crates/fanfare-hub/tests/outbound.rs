//! The frames that were taken arrive in order, for any part that the sink takes of each write.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use fanfare_core::{CloseFrame, Limits, Message, Transport};
use fanfare_hub::{
    Budget, HubMetrics,
    session::outbound::{Finish, Outbound, Sent},
};
use proptest::{collection::vec, prelude::*};

use crate::support::{Framing, Pipe};

#[derive(Debug, Clone)]
enum Step {
    /// A message is sent, and flushed at once or later.
    Send {
        size: usize,
        defer: bool,
    },
    Pong(usize),
    Flush,
    PollFlush,
    /// The client reads these bytes, and from now on one write takes `per_write`.
    Read {
        bytes: usize,
        per_write: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..200_usize, any::<bool>()).prop_map(|(size, defer)| Step::Send { size, defer }),
        1 => (0..20_usize).prop_map(Step::Pong),
        1 => Just(Step::Flush),
        1 => Just(Step::PollFlush),
        4 => (0..150_usize, 1..60_usize).prop_map(|(bytes, per_write)| Step::Read { bytes, per_write }),
    ]
}

/// A message that differs from all others.
fn message(number: usize, size: usize) -> Message {
    Message::Text(Bytes::from(format!("{number} {}", "x".repeat(size))))
}

struct Run {
    outbound: Outbound,
    pipe: Pipe,
    budget: Arc<Budget>,
    expected: Vec<u8>,
}

impl Run {
    fn new(capacity: usize, bound: usize) -> Self {
        let pipe = Pipe::bounded(Framing::Prefixed, capacity);
        let outbound = Outbound::default();
        let limits = Limits { outbound_bytes: bound, ..Limits::default() };
        let metrics = HubMetrics::register(&prometheus::Registry::new()).unwrap();
        let budget = Budget::new(&limits, Arc::new(metrics));
        assert_eq!(outbound.attach(pipe.framing(), pipe.sink(), &budget), Sent::Done);
        Self { outbound, pipe, budget, expected: Vec::new() }
    }

    fn step(&mut self, number: usize, step: &Step) {
        let mut frame = Vec::new();
        let was_empty = self.outbound.queued() == 0;
        let sent = match step {
            Step::Send { size, defer } => {
                let mut message = message(number, *size);
                Framing::Prefixed.frame(&message, &mut frame);
                self.outbound.send(&mut message, &self.budget, *defer)
            }
            Step::Pong(size) => {
                let payload = vec![b'p'; *size];
                Framing::Prefixed.pong(&payload, &mut frame);
                self.outbound.pong(&[payload.into()], &self.budget)
            }
            Step::Flush => self.outbound.flush(&self.budget),
            Step::PollFlush => self.poll_flush().map_or(Sent::NeedsFlush, |sent| sent),
            Step::Read { bytes, per_write } => {
                self.pipe.take_per_write(*per_write);
                self.pipe.read(*bytes);
                Sent::Done
            }
        };
        match sent {
            Sent::Written | Sent::Done | Sent::NeedsFlush => self.expected.extend(frame),
            Sent::Overflow => assert!(!was_empty, "an empty queue takes whatever comes"),
            Sent::Buffered | Sent::Broken => panic!("nothing broke, and there is a transport"),
        }
    }

    fn poll_flush(&self) -> Option<Sent> {
        match self.outbound.poll_flush(&mut Context::from_waker(Waker::noop()), &self.budget) {
            Poll::Ready(sent) => Some(sent),
            Poll::Pending => None,
        }
    }

    /// Closes, and reads until the end.
    fn finish(&mut self) {
        let frame = CloseFrame::new(9, "bye");
        let _ = self.outbound.close(&frame.clone().into(), Finish::AtOnce, &self.budget);
        Framing::Prefixed.close(&frame, &mut self.expected);
        // Each turn takes at least one byte.
        for _ in 0..=self.expected.len() {
            self.pipe.read(usize::MAX);
            let _ = self.poll_flush();
        }
    }
}

proptest! {
    #[test]
    fn taken_frames_arrive_in_order(
        steps in vec(step(), 0..60),
        capacity in 1..300_usize,
        bound in 1..500_usize,
    ) {
        let mut run = Run::new(capacity, bound);
        for (number, step) in steps.iter().enumerate() {
            run.step(number, step);
            prop_assert_eq!(run.outbound.sent(), run.pipe.traffic());
        }
        run.finish();
        prop_assert_eq!(run.pipe.bytes(), run.expected);
        prop_assert_eq!(run.outbound.queued(), 0);
        prop_assert_eq!(run.outbound.sent(), run.pipe.traffic());
        prop_assert_eq!(run.budget.used(), 0);
        prop_assert_eq!(run.pipe.finished(), 1);
    }
}
