//! Plain HTTP without a library: a request names channels, and its answer brings their messages.
//!
//! - [`events`]: `/sse`, for a browser's `EventSource`; [`lines`]: `/stream`, for `fetch` and scripts
//! - [`poll`]: `/poll`, whose answer ends with the first messages; `poll_answer`: that answer, and
//!   `poll_body`: its body while it waits
//! - `wanted`: the channels that a request names, and its cursor; `join`: a session joins them, with their past
//! - `open`: from a request to a session on the body of its answer; `joined_cursor`: the cursor of a stream of several
//!   channels
//! - `come_back`: the answer to an `EventSource` that is to try again

mod come_back;
pub(crate) mod events;
mod join;
mod joined_cursor;
pub(crate) mod lines;
mod open;
pub(crate) mod poll;
mod poll_answer;
mod poll_body;
mod wanted;
