//! Any frames to the decoder of Centrifugo's Protobuf give requests or an end, and never a panic.
#![no_main]

mod centrifugo;

use fanfare_protocol::CentrifugoDecoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: Vec<Vec<u8>>| {
    centrifugo::session(CentrifugoDecoder::protobuf(), &[4, 8, 1, 0x22, 0], frames);
});
