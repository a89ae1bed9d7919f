//! Asks which server a connection leads to, and since when nodes of this prefix have been on it, for
//! [`split`](crate::liveness::split). The run of a server is the run id in `INFO server`, and the note is a key.

use std::time::Duration;

use super::{
    clock::offset,
    connection::{error::ConnectionError, open::Connection, resp::Value},
    names::Names,
};
use crate::{
    liveness::split::{Found, Run},
    node::TIME_TO_LIVE,
};

/// Asks which server this is, and leaves a note on a server without one. The inner error says why the server does not
/// tell.
pub(crate) async fn find(
    connection: &mut Connection,
    names: &Names,
) -> Result<Result<Found, String>, ConnectionError> {
    let info = match connection.command(redis::cmd("INFO").arg("server")).await? {
        Value::Text(info) => info,
        Value::Error(error) => return Ok(Err(connection.error(&error))),
        _ => return Ok(Err("no text".to_owned())),
    };
    let Some(run) = std::str::from_utf8(&info).ok().and_then(run_in) else {
        return Ok(Err("no run_id".to_owned()));
    };
    let used_for = used_for(connection, names, &run).await?.unwrap_or_default();
    Ok(Ok(Found { run, used_for }))
}

/// The run that the answer to `INFO server` names.
pub(crate) fn run_in(info: &str) -> Option<Run> {
    let id = info.lines().find_map(|line| line.strip_prefix("run_id:"))?.trim();
    (!id.is_empty()).then(|| Run::new(id))
}

/// How long nodes have been on this run of the server; `None` where Redis does not say the time.
async fn used_for(
    connection: &mut Connection,
    names: &Names,
    run: &Run,
) -> Result<Option<Duration>, ConnectionError> {
    let time = connection.command(&redis::cmd("TIME")).await?;
    let Some(now) = offset::time(&time) else { return Ok(None) };
    let noted = connection.command(redis::cmd("MGET").arg(names.server())).await?;
    if let Some(since) = since(&noted, run) {
        return Ok(Some(Duration::from_micros(now.saturating_sub(since))));
    }
    let mut note = redis::cmd("SET");
    note.arg(names.server()).arg(format!("{} {now}", run.as_str())).arg("EX").arg(TIME_TO_LIVE.as_secs());
    connection.command(&note).await?;
    Ok(Some(Duration::ZERO))
}

/// The time of the note, in microseconds since 1970, if the note is of this run.
fn since(noted: &Value, run: &Run) -> Option<u64> {
    let Value::List(values) = noted else { return None };
    let [Value::Text(text)] = values.as_slice() else { return None };
    let (of, since) = std::str::from_utf8(text).ok()?.split_once(' ')?;
    if of == run.as_str() { since.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_from_info() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:0123abcd\r\ntcp_port:6379\r\n";
        assert_eq!(run_in(info), Some(Run::new("0123abcd")));
        assert_eq!(run_in("# Server\r\n"), None);
    }

    #[test]
    fn the_key_counts_only_for_its_run() {
        let noted = |text: &str| Value::List(vec![Value::Text(text.as_bytes().to_vec().into())]);
        assert_eq!(since(&noted("a 5"), &Run::new("a")), Some(5));
        assert_eq!(since(&noted("a 5"), &Run::new("b")), None);
        assert_eq!(since(&noted("a"), &Run::new("a")), None);
    }
}
