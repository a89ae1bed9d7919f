//! Sessions, channels, shards and fan-out.
