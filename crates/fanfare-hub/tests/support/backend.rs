//! The operator's backend, played by a test.

use std::sync::Arc;

use fanfare_core::{
    Channel, Hook, HookRefusal, Hooks, Payload,
    hooks::{
        ConnectAnswer, ConnectQuestion, HookClient, HookFuture, PublishAnswer, RefreshAnswer,
        SubscribeQuestion,
    },
    identity::SubscriptionTerms,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A backend whose every question waits for [`Asked::answer`].
pub(crate) struct Asked {
    answers: Vec<Hook>,
    waiting: Arc<Mutex<Vec<Waiting>>>,
}

type Waiting = (String, oneshot::Sender<Told>);

/// An answer.
pub(crate) enum Told {
    Connect(ConnectAnswer),
    Refresh(RefreshAnswer),
    Subscribe(SubscriptionTerms),
    Publish(PublishAnswer),
    Rpc(Option<Payload>),
    Refused(HookRefusal),
}

impl Asked {
    /// A backend that answers questions of these kinds.
    pub(crate) fn about(answers: &[Hook]) -> Arc<Self> {
        Arc::new(Self { answers: answers.to_vec(), waiting: Arc::default() })
    }

    /// The questions that wait, in their order.
    pub(crate) fn questions(&self) -> Vec<String> {
        self.waiting.lock().iter().map(|(question, _)| question.clone()).collect()
    }

    /// Answers the question that waits longest.
    pub(crate) fn answer(&self, told: Told) {
        self.answer_at(0, told);
    }

    pub(crate) fn answer_at(&self, at: usize, told: Told) {
        let (_, answer) = self.waiting.lock().remove(at);
        // The task that waited may be gone.
        let _ = answer.send(told);
    }

    fn ask<T: 'static>(
        &self,
        question: String,
        read: impl FnOnce(Told) -> Result<T, HookRefusal> + Send + 'static,
    ) -> HookFuture<T> {
        let waiting = self.waiting.clone();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            waiting.lock().push((question, answer));
            answered.await.map_or(Err(HookRefusal::Unavailable), read)
        })
    }
}

macro_rules! read {
    ($kind:ident) => {
        |told| match told {
            Told::$kind(answer) => Ok(answer),
            Told::Refused(refusal) => Err(refusal),
            _ => panic!("the answer to another question"),
        }
    };
}

fn text(data: &Payload) -> &str {
    std::str::from_utf8(data.bytes()).unwrap()
}

impl Hooks for Asked {
    fn has(&self, hook: Hook) -> bool {
        self.answers.contains(&hook)
    }

    fn connect(&self, asks: HookClient, question: ConnectQuestion) -> HookFuture<ConnectAnswer> {
        let channels: Vec<_> = question.channels.iter().map(Channel::as_str).collect();
        let headers: Vec<_> = asks.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let words = [channels.join(" "), headers.join(" ")].concat();
        self.ask(format!("connect {words}").trim_end().to_owned(), read!(Connect))
    }

    fn refresh(&self, asks: HookClient) -> HookFuture<RefreshAnswer> {
        self.ask(format!("refresh {}", asks.user), read!(Refresh))
    }

    fn subscribe(&self, asks: HookClient, question: SubscribeQuestion) -> HookFuture<SubscriptionTerms> {
        self.ask(format!("subscribe {} {}", asks.user, question.channel), read!(Subscribe))
    }

    fn publish(&self, asks: HookClient, channel: Channel, data: Payload) -> HookFuture<PublishAnswer> {
        self.ask(format!("publish {} {channel} {}", asks.user, text(&data)), read!(Publish))
    }

    fn rpc(&self, asks: HookClient, method: String, data: Option<Payload>) -> HookFuture<Option<Payload>> {
        let data = data.as_ref().map(text).unwrap_or_default();
        self.ask(format!("rpc {} {method} {data}", asks.user), read!(Rpc))
    }

    fn sub_refresh(&self, asks: HookClient, channel: Channel) -> HookFuture<RefreshAnswer> {
        self.ask(format!("sub_refresh {} {channel}", asks.user), read!(Refresh))
    }
}
