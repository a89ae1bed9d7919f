//! The meaning of an error of Redis, by the code word that it begins with.
//!
//! Invariant: only the code word is shown. The sentence behind it may quote the command that is refused.

/// How a replica answers a write.
pub(crate) const DEMOTED: &str = "READONLY";

/// How a Redis without free memory answers a write.
pub(crate) const OUT_OF_MEMORY: &str = "OOM";

/// Why a node of a Cluster did not run a command. Nothing happened, so the command can be written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// Another node has the slot.
    Moved,
    /// The slot is under way to another node, with some of its keys, or the Cluster has no majority or no master for it:
    /// it may take the same command later. The way to the other node (`ASK`) is not gone: subscribers are here still.
    Later,
}

impl NotRun {
    /// The reason in this error of Redis; `None` where it is another error.
    pub(crate) fn of(error: &[u8]) -> Option<Self> {
        match code(error).as_str() {
            "MOVED" => Some(Self::Moved),
            "ASK" | "TRYAGAIN" | "CLUSTERDOWN" => Some(Self::Later),
            _ => None,
        }
    }
}

/// The subject of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A permission is missing. Another command, or the same for another channel, may be permitted.
    Permission,
    /// The connection, or its user as a whole: Redis takes no command on it.
    Connection,
    /// The state of Redis at this moment: it may take the same command later.
    Temporary,
}

impl Cause {
    /// The cause of an error with this code word.
    pub(crate) fn of(code: &str) -> Self {
        match code {
            "NOPERM" => Self::Permission,
            _ if is_configuration(code) => Self::Connection,
            _ => Self::Temporary,
        }
    }
}

/// Whether an error with this code word comes from a mistake in a configuration.
pub(crate) fn is_configuration(code: &str) -> bool {
    matches!(code, "NOPERM" | "NOAUTH" | "WRONGPASS" | "DENIED")
}

/// The code word that an error begins with.
pub(crate) fn code(error: &[u8]) -> String {
    let word = error.split(|&byte| byte == b' ').next().unwrap_or_default();
    let is_code = !word.is_empty() && word.len() <= 32 && word.iter().all(u8::is_ascii_uppercase);
    if is_code { String::from_utf8_lossy(word).into_owned() } else { "ERR".to_owned() }
}

/// Whether the sentence of an error holds these words, in any case.
pub(crate) fn says(error: &[u8], words: &str) -> bool {
    error.windows(words.len()).any(|part| part.eq_ignore_ascii_case(words.as_bytes()))
}

/// Whether PUBLISH was refused for its channel. Redis 6.2 says "access one of the channels used as arguments" then,
/// Redis 7 "access a channel". Where the command itself is refused, both say "run the 'publish' command".
pub(crate) fn forbids_channel(error: &[u8]) -> bool {
    code(error) == "NOPERM" && (says(error, "access a channel") || says(error, "one of the channels"))
}

/// Whether a script was refused a command or a key.
pub(crate) fn lacks_right(error: &[u8]) -> bool {
    code(error) == "NOPERM" || says(error, "user executing the script can't")
}

/// Whether the key of a command holds another type. A script may be about several keys: it says so by itself where it means
/// the key of its purpose, and is ended by Redis for another.
pub(crate) fn is_other_type(code: &str, detail: &str) -> bool {
    code == "WRONGTYPE" && !says(detail.as_bytes(), "script:")
}

/// The remedy for an error with this code word. `right` is what the command needs.
pub(crate) fn advice(code: &str, right: &str) -> String {
    let known = match code {
        "NOPERM" => return format!("permit {right} to this user"),
        "NOAUTH" => "write a user and a password into `broker`",
        "WRONGPASS" => "correct the user or the password in `broker`",
        "ASK" | "TRYAGAIN" => "the slot of this partition is under way to another node",
        "MOVED" => "another node of the Cluster has this partition now",
        "CLUSTERDOWN" => "the Cluster has no master for some slot, or no majority: CLUSTER INFO says which",
        "CROSSSLOT" => "this is a mistake of Fanfare: please report it",
        "BUSY" => "a script or a function runs in it (SCRIPT KILL or FUNCTION KILL ends it)",
        "LOADING" => "it still reads its data from disk",
        "MISCONF" => "it cannot write to disk, and its log says why",
        "OOM" => "it has no memory left (its setting maxmemory)",
        DEMOTED => "it is a replica",
        _ => "its log may say why",
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_word_is_kept() {
        assert_eq!(code(b"NOPERM this user has no permissions"), "NOPERM");
        assert_eq!(code(b"ERR unknown command 'HELLO', with args beginning with: 'secret'"), "ERR");
        assert_eq!(code(b"secret"), "ERR");
        assert_eq!(code(b""), "ERR");
    }

    #[test]
    fn a_forbidden_channel_is_no_forbidden_command() {
        let six = b"NOPERM this user has no permissions to access one of the channels used as arguments";
        assert!(forbids_channel(six) && forbids_channel(b"NOPERM No permissions to access a channel"));
        assert!(!forbids_channel(b"NOPERM User channel has no permissions to run the 'publish' command"));
        assert!(!forbids_channel(b"NOPERM No permissions to access a key"));
        assert!(!forbids_channel(b"ERR access a channel"));
    }

    #[test]
    fn the_type_of_its_own_key_is_known() {
        let detail = "Operation against a key holding the wrong kind of value";
        assert!(is_other_type("WRONGTYPE", detail) && !is_other_type("ERR", detail));
        assert!(!is_other_type("WRONGTYPE", &format!("{detail} script: 0123, on @user_script:9.")));
    }

    #[test]
    fn an_advice_fits_its_error() {
        assert_eq!(advice("NOPERM", "the command time"), "permit the command time to this user");
        for code in ["BUSY", "LOADING", "MISCONF", "WRONGPASS", "SOMETHING"] {
            assert!(!advice(code, "the command time").contains("permit"), "{code}");
        }
        assert_eq!(
            ["NOPERM", "NOAUTH", "BUSY", "ERR"].map(Cause::of),
            [Cause::Permission, Cause::Connection, Cause::Temporary, Cause::Temporary]
        );
    }
}
