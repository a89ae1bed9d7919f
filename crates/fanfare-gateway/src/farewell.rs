//! The last words to a client whose HTTP failed.
//!
//! Invariants
//! - Where HTTP itself has answered (a bad or too large header), nothing is added to it; and who said nothing is told
//!   nothing: an answer without a question could be taken for that to the next one.
//! - What the client still sends is read, within bounds, before the socket closes: unread bytes would reset the
//!   connection, and the answer could be lost.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::{lent::Returned, metrics::HttpError};

/// How much of what a client still sends is read: a header or two.
const READ_BYTES: u64 = 1 << 20;

/// Tells the client what was wrong, and ends the connection within `limit`.
pub(crate) async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(
    returned: Returned<S>,
    error: HttpError,
    limit: Duration,
) {
    let Returned { mut stream, is_unanswered } = returned;
    let words = async {
        if is_unanswered && let Some((status, sentence)) = answer(error) {
            let length = sentence.len() + 1;
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{sentence}\n"
            );
            stream.write_all(answer.as_bytes()).await?;
        }
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(READ_BYTES), &mut tokio::io::sink()).await
    };
    // A client that is gone, or that goes on for too long, wants no answer.
    let _ = timeout(limit, words).await;
}

/// The status and the sentence, where HTTP has given none.
fn answer(error: HttpError) -> Option<(&'static str, &'static str)> {
    match error {
        HttpError::Http2 => Some((
            "505 HTTP Version Not Supported",
            "this port speaks HTTP/1.1: HTTP/2 without TLS is not served here",
        )),
        HttpError::Timeout => Some((
            "408 Request Timeout",
            "the request's header did not come in time (limits.handshake): connect again, and send it at once",
        )),
        HttpError::Parse | HttpError::TooLarge | HttpError::Incomplete | HttpError::Io | HttpError::Other => {
            None
        }
    }
}
