//! Instructions of decode, unmask and encode, counted by callgrind: `tests/instructions.sh` holds them to their
//! budgets.

#![expect(missing_docs, reason = "the code that gungraun generates has none")]
#![expect(clippy::expect_used, reason = "a bench reports a mistake by a panic")]

use std::{hint::black_box, ops::ControlFlow};

use fanfare_websocket::{
    Config, Decoder, Event, FrameHead, MessageKind, Opcode, Role, deflate::Compressor, encode as frames, mask,
};
use gungraun::prelude::*;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The configuration of a server.
const SERVER: Config = Config { role: Role::Server, max_message: 1 << 20, deflate: false };

/// Text of this length, like the JSON of a feed.
fn text(bytes: usize) -> Vec<u8> {
    let items = (0..).flat_map(|number: u32| {
        format!("{{\"symbol\":\"S{number}\",\"price\":{}.{}}},", number * 7 % 911, number % 100).into_bytes()
    });
    items.take(bytes).collect()
}

/// This many messages of a client in one read.
fn read(messages: usize, bytes: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    frames::frame(&mut frame, FrameHead::whole(Opcode::Text), &text(bytes), Some(KEY));
    frame.repeat(messages)
}

/// A payload, and a buffer that has its capacity already, as the buffers of a tick have.
fn encoding(bytes: usize) -> (Vec<u8>, Vec<u8>) {
    (text(bytes), Vec::with_capacity(2 * bytes + 64))
}

fn compressing(bytes: usize) -> (Vec<u8>, Vec<u8>, Compressor) {
    let (payload, out) = encoding(bytes);
    let mut compressor = Compressor::new();
    compressor.compress(&payload);
    (payload, out, compressor)
}

#[library_benchmark]
#[bench::of_128_bytes(args = (1, 128), setup = read)]
#[bench::of_16_in_one_read(args = (16, 128), setup = read)]
#[bench::of_4_kib(args = (1, 4096), setup = read)]
fn decode(mut input: Vec<u8>) -> Vec<u8> {
    let mut events = 0;
    let fed = Decoder::new().feed(&mut input, &SERVER, |event: Event| {
        black_box(event);
        events += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(fed.expect("the frames are good"), input.len());
    assert!(black_box(events) > 0);
    input
}

#[library_benchmark]
#[bench::of_128_bytes(args = (128), setup = text)]
#[bench::of_4_kib(args = (4096), setup = text)]
fn unmask(mut payload: Vec<u8>) -> Vec<u8> {
    mask::apply(black_box(&mut payload), black_box(KEY));
    payload
}

#[library_benchmark]
#[bench::of_128_bytes(args = (128), setup = encoding)]
#[bench::of_4_kib(args = (4096), setup = encoding)]
fn encode((payload, mut out): (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    frames::message(black_box(&mut out), MessageKind::Text, black_box(&payload));
    (payload, out)
}

#[library_benchmark]
#[bench::of_1_kib(args = (1024), setup = compressing)]
fn deflate(
    (payload, mut out, mut compressor): (Vec<u8>, Vec<u8>, Compressor),
) -> (Vec<u8>, Vec<u8>, Compressor) {
    frames::compressed(&mut out, MessageKind::Text, black_box(&payload), &mut compressor);
    assert!(out.len() < payload.len(), "it was compressed");
    (payload, out, compressor)
}

library_benchmark_group!(name = websocket, benchmarks = [decode, unmask, encode, deflate]);
main!(library_benchmark_groups = websocket);
