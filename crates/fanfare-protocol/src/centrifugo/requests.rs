//! From a client's command to the hub's, or to the mistake in it.

use std::str::FromStr;

use bytes::Bytes;
use fanfare_core::{
    Channel, ChannelError, Command, Disconnect, Epoch, Payload,
    command::{ClientToken, Connect, HistoryQuery, RequestId, ResumeEpoch, ResumeFrom, SubscribeOptions},
};

use super::{
    errors::{BAD_REQUEST, NOT_AVAILABLE},
    filters, payload,
    wire::{
        self, ConnectRequest, Error, HistoryRequest, PublishRequest, RpcRequest, SubRefreshRequest,
        SubscribeRequest,
    },
};

/// The flag of a subscribe that fails rather than leave a gap.
const REJECT_UNRECOVERED: i64 = 2;

/// The mistake in a command.
#[derive(Debug)]
pub(super) enum Mistake {
    /// The client is told, and its connection goes on.
    Answer(Error),
    /// The connection ends.
    End(Disconnect),
}

impl Mistake {
    /// A mistake that no SDK makes.
    pub(super) fn end(reason: &'static str) -> Self {
        Self::End(Disconnect::BadRequest(reason.into()))
    }

    fn answer(code: u32, message: impl Into<String>) -> Self {
        Self::Answer(Error::lasting(code, message))
    }
}

/// The command of a client that has connected. Where it has several methods, the first in this order is meant.
pub(super) fn command(id: RequestId, command: wire::Command) -> Result<Command, Mistake> {
    if command.ping.is_some() {
        Err(Mistake::end("`ping` is for servers: a client answers a ping with an empty command"))
    } else if let Some(request) = command.subscribe {
        subscribe(id, request)
    } else if let Some(request) = command.unsubscribe {
        Ok(Command::Unsubscribe { id, channel: channel(&request.channel)? })
    } else if let Some(request) = command.publish {
        publish(id, request)
    } else if let Some(request) = command.presence {
        Ok(Command::Presence { id, channel: channel(&request.channel)? })
    } else if let Some(request) = command.presence_stats {
        Ok(Command::PresenceStats { id, channel: channel(&request.channel)? })
    } else if let Some(request) = command.history {
        history(id, &request)
    } else if let Some(RpcRequest { data, method }) = command.rpc {
        Ok(Command::Rpc { id, method, data: some_data(data) })
    } else if command.send.is_some() {
        let reason = "this server takes no messages outside of channels: publish, or do not `send`";
        Err(Mistake::End(Disconnect::NotAvailable(reason.into())))
    } else if let Some(request) = command.refresh {
        let token = token(request.token).ok_or(Mistake::end("`refresh` needs a token"))?;
        Ok(Command::Refresh { id, token })
    } else if let Some(request) = command.sub_refresh {
        sub_refresh(id, request)
    } else {
        Err(Mistake::end("the command has no method that this server knows"))
    }
}

/// The command of a client that has not connected.
pub(super) fn connect(id: RequestId, request: ConnectRequest) -> Command {
    let resume = request.subs.iter().filter(|(_, sub)| sub.recover).filter_map(|(name, sub)| {
        // The server subscribes no client to a channel that cannot be, so there is nothing to resume in it.
        Some((Channel::new(name).ok()?, resume_from(sub.offset, &sub.epoch)))
    });
    let resume = resume.collect();
    Command::Connect(Box::new(Connect {
        id,
        token: token(request.token),
        resume,
        data: some_data(request.data),
        name: request.name,
        version: request.version,
    }))
}

fn subscribe(id: RequestId, request: SubscribeRequest) -> Result<Command, Mistake> {
    let channel = channel(&request.channel);
    if !matches!(&*request.delta, "" | "fossil") {
        return Err(Mistake::end("`delta` names an algorithm that this server does not know: use `fossil`"));
    }
    let channel = channel?;
    if request.kind != 0 {
        return Err(Mistake::answer(
            NOT_AVAILABLE,
            "this server has no maps and no shared polls: leave `type` out",
        ));
    }
    let filter = request.tf.map(filters::filter).transpose();
    let filter = filter.map_err(|mistake| Mistake::answer(BAD_REQUEST, mistake))?;
    let options = SubscribeOptions {
        token: token(request.token),
        resume: request.recover.then(|| resume_from(request.offset, &request.epoch)),
        must_resume: request.flag & REJECT_UNRECOVERED != 0,
        joins: request.join_leave,
        delta: !request.delta.is_empty(),
        filter,
        data: some_data(request.data),
    };
    Ok(Command::Subscribe { id, channel, options: Some(Box::new(options)) })
}

fn publish(id: RequestId, request: PublishRequest) -> Result<Command, Mistake> {
    let channel = channel(&request.channel)?;
    if request.kind != 0 || !request.key.is_empty() || request.removed {
        let message = "this server has no maps: leave `type`, `key` and `removed` out";
        return Err(Mistake::answer(NOT_AVAILABLE, message));
    }
    if request.data.is_empty() {
        return Err(Mistake::answer(BAD_REQUEST, "a publish needs `data`, which may be null"));
    }
    Ok(Command::Publish { id, channel, payload: payload::incoming(request.data) })
}

fn history(id: RequestId, request: &HistoryRequest) -> Result<Command, Mistake> {
    let channel = channel(&request.channel)?;
    let since = request.since.as_ref().map(|since| resume_from(since.offset, &since.epoch));
    if request.reverse && since.is_some_and(|since| since.offset == 0) {
        let message = "nothing is before offset 0: read in reverse from a later one, or without `since`";
        return Err(Mistake::answer(BAD_REQUEST, message));
    }
    let query = HistoryQuery { since, limit: u32::try_from(request.limit).ok(), reverse: request.reverse };
    Ok(Command::History { id, channel, query })
}

fn sub_refresh(id: RequestId, request: SubRefreshRequest) -> Result<Command, Mistake> {
    let channel = channel(&request.channel)?;
    if request.kind != 0 {
        return Err(Mistake::answer(NOT_AVAILABLE, "this server has no shared polls: leave `type` out"));
    }
    Ok(Command::RefreshSubscription { id, channel, token: ClientToken::new(request.token) })
}

fn channel(name: &str) -> Result<Channel, Mistake> {
    Channel::new(name).map_err(|error| match error {
        ChannelError::Empty => Mistake::end("the command needs a channel"),
        error => Mistake::answer(BAD_REQUEST, error.to_string()),
    })
}

fn some_data(data: Bytes) -> Option<Payload> {
    (!data.is_empty()).then(|| payload::incoming(data))
}

fn token(token: String) -> Option<ClientToken> {
    (!token.is_empty()).then(|| ClientToken::new(token))
}

fn resume_from(offset: u64, epoch: &str) -> ResumeFrom {
    let epoch = match epoch {
        "" => ResumeEpoch::Any,
        epoch => Epoch::from_str(epoch).map_or(ResumeEpoch::Foreign, ResumeEpoch::Is),
    };
    ResumeFrom { epoch, offset }
}
