//! What frames ask for, and how it is carried out.

use std::{ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use fanfare_core::{Command, Decoder, Disconnect, Message};
use fanfare_hub::{Hub, Session};
use fanfare_websocket::Event;

use crate::websocket::rate_limits::RateLimits;

/// What one frame asks for: a command, a pong, or nothing.
///
/// # Errors
/// It ends the session.
pub(super) fn take_frame(
    event: Event,
    rates: Option<&mut RateLimits>,
    dialect: &mut dyn Decoder,
    commands: &mut Vec<Command>,
    pongs: &mut Vec<Bytes>,
) -> Result<(), Disconnect> {
    if let Some(rates) = rates {
        rates.frame().map_err(Disconnect::RateLimited)?;
    }
    match event {
        Event::Text(bytes) => dialect.decode(Message::Text(bytes), commands),
        Event::Binary(bytes) => dialect.decode(Message::Binary(bytes), commands),
        Event::Ping(payload) => {
            pongs.push(payload);
            Ok(())
        }
        Event::Pong(_) | Event::Fragment => Ok(()),
        Event::Close(frame) => Err(Disconnect::ByClient(frame.map(|frame| frame.code.get()))),
    }
}

/// Publishes what is to be published before anything else. Whether the session may publish more.
pub(super) fn publish(hub: &Arc<Hub>, session: &Arc<Session>, commands: &mut Vec<Command>) -> bool {
    let is_publish = |command: &Command| matches!(command, Command::Publish { .. });
    let publishes = commands.iter().take_while(|command| is_publish(command)).count();
    for command in commands.drain(..publishes) {
        if let Command::Publish { id, channel, payload } = command {
            hub.publisher.publish(session, id, channel, payload);
        }
    }
    publishes == 0 || hub.inbound.may_publish(session)
}

/// Carries out what has to be waited for. Nothing is read after the client's goodbye.
pub(super) async fn carry_out(
    hub: Arc<Hub>,
    session: Arc<Session>,
    commands: Vec<Command>,
    end: Option<Disconnect>,
) -> ControlFlow<()> {
    for command in commands {
        hub.commands.execute(&session, command).await;
    }
    match end {
        None => {}
        Some(disconnect @ Disconnect::ByClient(_)) => {
            hub.goodbyes.end_after_answers(&session, disconnect).await;
            return ControlFlow::Break(());
        }
        Some(disconnect) => hub.goodbyes.end(&session, &disconnect),
    }
    ControlFlow::Continue(())
}
