//! Keeps commands of an old connection from running after those of a new one.
//!
//! Commands that were written to a connection which ended here may still be unread in the socket of a frozen or busy
//! Redis. They would run later, and overtake those of the next connection. So before anything else is written to a new
//! connection, the old one is killed, and the answer awaited.
//!
//! The old connection is named by its id and its address. Ids begin anew when Redis restarts, so the id alone could
//! name a connection of another node.

use crate::redis::connection::{
    code::{Cause, advice},
    error::ConnectionError,
    info::field,
    open::Connection,
    resp::Value,
};

/// Remembers the last connection.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    previous: Option<Identity>,
    /// Whether the identity of the last connection is not known.
    unknown: bool,
    warned: bool,
}

/// A connection as Redis knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    id: String,
    address: String,
}

impl Fence {
    /// Kills the previous connection, if there was one. Returns once Redis did so, or refused it. A refusal is logged
    /// once, and each reconnect without a fence is counted.
    ///
    /// # Errors
    /// The connection cannot be used.
    pub(crate) async fn raise(&mut self, connection: &mut Connection) -> Result<(), ConnectionError> {
        let identity = match connection.command(redis::cmd("CLIENT").arg("INFO")).await? {
            Value::Text(info) => Identity::from_info(&info),
            Value::Error(error) => {
                self.unfenced("CLIENT INFO", connection.error(&error))?;
                None
            }
            _ => None,
        };
        let is_reconnect = self.previous.is_some() || self.unknown;
        // For the first connection it kills none (Redis spares the caller), and shows whether this node may.
        let target = self.previous.as_ref().or(identity.as_ref());
        let mut fenced = false;
        if let Some(Identity { id, address }) = target {
            let mut kill = redis::cmd("CLIENT");
            kill.arg("KILL").arg("ID").arg(id).arg("ADDR").arg(address).arg("SKIPME").arg("yes");
            match connection.command(&kill).await? {
                Value::Error(error) => self.unfenced("CLIENT KILL", connection.error(&error))?,
                _ => fenced = !self.unknown,
            }
        }
        if is_reconnect && !fenced {
            connection.metrics.unfenced_reconnects.inc();
        }
        self.unknown = identity.is_none();
        self.previous = identity;
        Ok(())
    }

    /// Redis refused a command of the fence. That is logged once, where Redis does not permit or does not know it.
    /// Where Redis only takes no commands at this moment, the connection is not used.
    fn unfenced(&mut self, command: &'static str, code: String) -> Result<(), ConnectionError> {
        if code != "ERR" && Cause::of(&code) == Cause::Temporary {
            return Err(ConnectionError::Refused(code, command));
        }
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                "Redis answers {code} to {command}: after a reconnect, commands of the old connection may run late \
                 and overtake newer ones; {}",
                advice(&code, "client|info and client|kill")
            );
        }
        Ok(())
    }
}

impl Identity {
    fn from_info(info: &[u8]) -> Option<Self> {
        let info = std::str::from_utf8(info).ok()?;
        let id = field(info, "id")?.to_owned();
        Some(Self { id, address: field(info, "addr")?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_known_by_id_and_address() {
        let info = b"id=7 addr=[::1]:40000 laddr=[::1]:6379 fd=8 name=fanfare sub=12 psub=0\n";
        let identity = Identity { id: "7".into(), address: "[::1]:40000".into() };
        assert_eq!(Identity::from_info(info), Some(identity));
        assert_eq!(Identity::from_info(b"id=7"), None);
    }
}
