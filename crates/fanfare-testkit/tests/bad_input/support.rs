//! A node with two clients that talk all the time, and that an offence of another client must not disturb.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fanfare_testkit::{Client, Endpoint, Frame, RawClient, Setup, TestNode, assert_eventually};
use fanfare_websocket::{FrameHead, encode};
use tokio::task::JoinHandle;

/// Two clients of a channel that get each other's messages in order, and no others, during an offence too.
pub(crate) struct Bystanders {
    rounds: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Bystanders {
    /// Their channel.
    pub(crate) const CHANNEL: &str = "bystanders";

    pub(crate) async fn meet(node: Endpoint) -> Self {
        let path = format!("/ws/{}", Self::CHANNEL);
        let mut both = [node.connect(&path).await, node.connect(&path).await];
        let rounds = Arc::new(AtomicU64::new(0));
        let count = rounds.clone();
        let task = tokio::spawn(async move {
            loop {
                chat(&mut both, count.load(Ordering::Relaxed)).await;
                count.fetch_add(1, Ordering::Relaxed);
                // Slower than the rates that some tests allow.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let bystanders = Self { rounds, task };
        bystanders.notice_nothing().await;
        bystanders
    }

    /// Checks that nothing was wrong up to now, and that a whole round from now on goes well.
    pub(crate) async fn notice_nothing(&self) {
        let before = self.rounds.load(Ordering::Relaxed);
        assert_eventually!(
            self.task.is_finished() || self.rounds.load(Ordering::Relaxed) >= before + 2,
            "the bystanders go on"
        );
        assert!(!self.task.is_finished(), "the bystanders noticed something: see above");
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn chat(both: &mut [Client; 2], round: u64) {
    for speaker in 0..both.len() {
        let words = format!("{speaker} says {round}");
        both[speaker].text(&words).await;
        for client in both.iter_mut() {
            client.expect(&words).await;
        }
    }
}

/// A node with the bystanders.
pub(crate) struct Scene {
    node: TestNode,
    bystanders: Bystanders,
}

impl Scene {
    pub(crate) async fn with(toml: &str) -> Self {
        Self::on(&Setup::memory().toml(toml)).await
    }

    pub(crate) async fn on(setup: &Setup) -> Self {
        let node = setup.start().await;
        let bystanders = Bystanders::meet(*node).await;
        Self { node, bystanders }
    }

    /// A client with its 101, in the bystanders' channel or another.
    pub(crate) async fn offender(&self, channel: &str) -> RawClient {
        let mut client = self.node.raw().await;
        client.upgrade(&format!("/ws/{channel}"), &[]).await.is(101, "");
        client
    }

    /// Checks that the offence has these counts, and that the bystanders notice nothing.
    #[track_caller]
    pub(crate) fn costs_the_offender_only<'a>(
        &'a self,
        counters: &'a [(&'a str, u64)],
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            for (sample, times) in counters {
                let mut found;
                assert_eventually!(
                    {
                        found = self.node.metric(sample).await;
                        found >= *times as f64
                    },
                    "{sample} is {times}, not {found} ({caller})"
                );
                assert_eq!(found, *times as f64, "{sample} ({caller})");
            }
            self.bystanders.notice_nothing().await;
        }
    }
}

impl Deref for Scene {
    type Target = TestNode;

    fn deref(&self) -> &TestNode {
        &self.node
    }
}

/// The code and the sentence of the server's close frame.
pub(crate) fn goodbye(frame: &Frame) -> (u16, String) {
    assert_eq!(frame.bytes[0], 0x88, "a close frame, not {frame:?}");
    let (code, reason) = frame.payload.split_first_chunk().expect("a code");
    (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("UTF-8"))
}

/// Checks the close frame, and that the connection ends right after it.
#[track_caller]
pub(crate) fn is_closed<'a>(
    client: &'a mut RawClient,
    code: u16,
    words: &'a str,
) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let frame = client.next_frame().await;
        let (found, reason) = goodbye(&frame);
        assert!(
            found == code && reason.contains(words),
            "not {code} {words:?}: {found} {reason:?} ({caller})"
        );
        assert!(client.end().await.is_empty(), "nothing behind the goodbye ({caller})");
    }
}

/// The close frame, after the messages before it. The connection ends right after it.
pub(crate) async fn closing(client: &mut RawClient) -> (u16, String) {
    loop {
        let frame = client.next_frame().await;
        if frame.bytes[0] == 0x88 {
            assert!(client.end().await.is_empty(), "nothing behind the goodbye");
            return goodbye(&frame);
        }
    }
}

/// A number of equal frames of a client.
pub(crate) fn frames(count: usize, head: FrameHead, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..count {
        encode::frame(&mut bytes, head, payload, Some([1, 2, 3, 4]));
    }
    bytes
}
