//! The operator's backend, asked over HTTP: `[hooks]`.
//!
//! Invariants
//! - A question ends within `hooks.timeout`, whatever the backend does. No more than `hooks.concurrency` are under way.
//! - A question is sent again only where the backend cannot have read it: see [`Poster`].
//! - With `hooks.secret` each question is signed.
//! - Neither the log nor the metrics have a word of a client or of the backend.
//!
//! - `body`: the bodies of questions and answers; `breaker`: fails fast while the backend is away; `metrics`;
//!   `signature`: of questions and events

mod body;
mod breaker;
mod metrics;
pub(crate) mod signature;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use fanfare_core::{
    Channel, Hook, HookRefusal, Hooks, Payload,
    hooks::{
        ConnectAnswer, ConnectQuestion, HookClient, HookFuture, PublishAnswer, RefreshAnswer,
        SubscribeQuestion,
    },
    identity::SubscriptionTerms,
};
use serde_json::{Map, Value};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

pub(crate) use self::metrics::HookMetrics;
use self::{
    body::Answered,
    breaker::Breaker,
    signature::{SIGNATURE, signature},
};
use crate::{
    ask::{Asker, Poster, Target},
    config::HookConfig,
};

/// See the head of this file.
pub(crate) struct HttpHooks(Arc<Asking>);

struct Asking {
    config: HookConfig,
    poster: Poster,
    places: Semaphore,
    /// One for each kind of question, in the order of [`Hook::ALL`].
    breakers: Vec<Breaker>,
    metrics: HookMetrics,
}

impl HttpHooks {
    /// The hooks of this configuration.
    pub(crate) fn new(config: HookConfig, metrics: HookMetrics) -> Self {
        Self(Arc::new(Asking {
            poster: Poster::new(Asker::new(config.timeout)),
            places: Semaphore::new(config.concurrency),
            breakers: Hook::ALL.iter().map(|_| Breaker::default()).collect(),
            config,
            metrics,
        }))
    }

    fn ask<T: Send + 'static>(
        &self,
        hook: Hook,
        asks: HookClient,
        fields: Map<String, Value>,
        read: impl FnOnce(&Value) -> Option<T> + Send + 'static,
    ) -> HookFuture<T> {
        let asking = self.0.clone();
        Box::pin(async move {
            let began = Instant::now();
            let (result, answer) = asking.result(hook, &asks, fields, began, read).await;
            asking.metrics.asked(hook, result, began.elapsed());
            answer
        })
    }
}

impl Asking {
    /// The answer, and the word for it.
    async fn result<T>(
        &self,
        hook: Hook,
        asks: &HookClient,
        fields: Map<String, Value>,
        began: Instant,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> (&'static str, Result<T, HookRefusal>) {
        let unavailable = |word| (word, Err(HookRefusal::Unavailable));
        let at = Hook::ALL.iter().position(|known| *known == hook);
        let Some(breaker) = at.and_then(|at| self.breakers.get(at)) else { return unavailable("failure") };
        let Some(target) = self.config.target(hook) else { return unavailable("failure") };
        if !breaker.lets_through(began) {
            return unavailable("breaker_open");
        }
        let asked = timeout(self.config.timeout, async {
            let _place = self.places.acquire().await;
            self.send(target, asks, body::question(asks, fields)).await
        });
        let answered = match asked.await {
            Ok(Ok(body)) => Answered::read(&body, read),
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err("no answer in time".into()),
        };
        breaker.note(Instant::now(), answered.is_ok());
        self.metrics.breaker(hook, breaker.is_open());
        match answered {
            Ok(Answered::Result(result)) => ("result", Ok(result)),
            Ok(Answered::Error(error)) => ("error", Err(HookRefusal::Error(error))),
            Ok(Answered::Disconnect(frame)) => ("disconnect", Err(HookRefusal::Disconnect(frame))),
            Err(reason) => {
                tracing::warn!(hook = hook.name(), reason, "the backend did not answer a hook");
                unavailable("failure")
            }
        }
    }

    async fn send(&self, target: &Target, asks: &HookClient, body: String) -> Result<String, String> {
        let signed = self.config.secret.as_ref().map(|secret| signature(secret, &body));
        let of_client = asks.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers = of_client.chain(signed.as_deref().map(|signed| (SIGNATURE, signed)));
        let answer = self.poster.post(target, headers, body.into()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status.is_success() {
            Ok(answer.body)
        } else {
            Err(format!("the status is {}", answer.status))
        }
    }
}

impl Hooks for HttpHooks {
    fn has(&self, hook: Hook) -> bool {
        self.0.config.target(hook).is_some()
    }

    fn connect(&self, asks: HookClient, question: ConnectQuestion) -> HookFuture<ConnectAnswer> {
        self.ask(Hook::Connect, asks, body::connect(&question), body::connected)
    }

    fn refresh(&self, asks: HookClient) -> HookFuture<RefreshAnswer> {
        let fields = body::of_user(&asks);
        self.ask(Hook::Refresh, asks, fields, body::refreshed)
    }

    fn subscribe(&self, asks: HookClient, question: SubscribeQuestion) -> HookFuture<SubscriptionTerms> {
        let mut fields = body::in_channel(&asks, &question.channel);
        body::add_data(&mut fields, question.data.as_ref());
        self.ask(Hook::Subscribe, asks, fields, body::terms)
    }

    fn publish(&self, asks: HookClient, channel: Channel, data: Payload) -> HookFuture<PublishAnswer> {
        let mut fields = body::in_channel(&asks, &channel);
        body::add_data(&mut fields, Some(&data));
        let most = self.0.config.message_bytes;
        self.ask(Hook::Publish, asks, fields, move |result| body::published(result, most))
    }

    fn rpc(&self, asks: HookClient, method: String, data: Option<Payload>) -> HookFuture<Option<Payload>> {
        let mut fields = body::of_user(&asks);
        fields.insert("method".into(), method.into());
        body::add_data(&mut fields, data.as_ref());
        self.ask(Hook::Rpc, asks, fields, |result| Some(body::data(result)))
    }

    fn sub_refresh(&self, asks: HookClient, channel: Channel) -> HookFuture<RefreshAnswer> {
        let fields = body::in_channel(&asks, &channel);
        self.ask(Hook::SubRefresh, asks, fields, body::refreshed)
    }
}
