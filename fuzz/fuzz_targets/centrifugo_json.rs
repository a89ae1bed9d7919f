//! Any frames to the decoder of Centrifugo's JSON give requests or an end, and never a panic.
#![no_main]

mod centrifugo;

use fanfare_protocol::CentrifugoDecoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: Vec<Vec<u8>>| {
    centrifugo::session(CentrifugoDecoder::json(), br#"{"id":1,"connect":{}}"#, frames);
});
