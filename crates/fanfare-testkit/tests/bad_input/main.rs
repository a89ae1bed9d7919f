//! Whatever a client sends: it is told what was wrong, it is counted, and nobody else notices.

mod api;
mod floods;
mod frames;
mod http;
mod names;
mod rates;
mod storms;
mod support;
