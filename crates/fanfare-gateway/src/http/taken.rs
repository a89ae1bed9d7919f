//! The body of a request, bounded in size and in time.

use std::time::Duration;

use axum::{
    body::HttpBody,
    extract::{DefaultBodyLimit, FromRequest, Request, rejection::BytesRejection},
};
use bytes::Bytes;
use http::StatusCode;
use tokio::time::timeout;

/// Why a body was not taken.
pub(crate) enum Untaken {
    /// It is larger than it may be.
    TooLarge,
    /// It did not come in time.
    Slow,
    /// It did not come whole.
    Broken(BytesRejection),
}

/// Takes the body of a request, of at most this many bytes, within this time. A body that declares more is refused
/// before it comes.
pub(crate) async fn take(request: &mut Request, most: usize, within: Duration) -> Result<Bytes, Untaken> {
    if request.body().size_hint().lower() > most as u64 {
        return Err(Untaken::TooLarge);
    }
    let mut taken = Request::new(std::mem::take(request.body_mut()));
    DefaultBodyLimit::max(most).apply(&mut taken);
    let read = timeout(within, Bytes::from_request(taken, &())).await;
    read.map_err(|_| Untaken::Slow)?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Untaken::TooLarge,
        _ => Untaken::Broken(rejection),
    })
}
