//! Reads the frames of one session.
//!
//! Invariant: the first command is a `connect`, and there is not another.

use fanfare_core::{Command, Decoder, Disconnect, Message, Request};

use super::{
    encoding::Encoding,
    requests::{self, Mistake},
    wire::{self, Reply},
};

/// Reads the messages of one session, in either encoding.
#[derive(Debug)]
pub struct CentrifugoDecoder {
    encoding: Encoding,
    has_connect: bool,
}

impl CentrifugoDecoder {
    /// A decoder for a session that speaks JSON, in text or in binary frames.
    #[must_use]
    pub fn json() -> Self {
        Self { encoding: Encoding::Json, has_connect: false }
    }

    /// A decoder for a session that speaks Protobuf.
    #[must_use]
    pub fn protobuf() -> Self {
        Self { encoding: Encoding::Protobuf, has_connect: false }
    }

    fn request(&mut self, command: wire::Command) -> Result<Request, Disconnect> {
        let id = command.id;
        match self.command(command) {
            // A command with `send`, which needs no id, and with a method before it, which does.
            Ok(_) if id == 0 => Err(Disconnect::BadRequest("the command needs an id".into())),
            Ok(command) => Ok(Request::Command(command)),
            Err(Mistake::Answer(error)) => {
                let reply = Reply { id, error: Some(error), ..Reply::default() };
                Ok(Request::Answer(self.encoding.message(&reply)))
            }
            Err(Mistake::End(disconnect)) => Err(disconnect),
        }
    }

    fn command(&mut self, command: wire::Command) -> Result<Command, Mistake> {
        match (command.connect, self.has_connect) {
            (Some(_), true) => Err(Mistake::end("this connection has had its `connect`")),
            (None, false) => Err(Mistake::end("the first command must be `connect`")),
            (Some(request), false) => {
                self.has_connect = true;
                Ok(requests::connect(command.id, request))
            }
            (None, true) => requests::command(command.id, wire::Command { connect: None, ..command }),
        }
    }
}

impl Decoder for CentrifugoDecoder {
    fn decode(&mut self, message: Message, requests: &mut Vec<Request>) -> Result<(), Disconnect> {
        let mut frame = Some(&**message.bytes());
        let mut has_pong = false;
        while let Some(command) = self.encoding.take_command(&mut frame) {
            let command = command.map_err(|_| {
                Disconnect::BadRequest(
                    "the message is not a command of the Centrifugo protocol: use one of its SDKs".into(),
                )
            })?;
            let is_pong = command.id == 0 && command.send.is_none();
            // No ping was sent between two commands of a frame, and a request for each of thousands would cost memory.
            if is_pong && has_pong {
                return Err(Disconnect::BadRequest("a pong came without a ping".into()));
            }
            has_pong |= is_pong;
            requests.push(if is_pong { Request::Pong } else { self.request(command)? });
        }
        Ok(())
    }
}
