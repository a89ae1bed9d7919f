//! Tests of the table.
//!
//! - `subscribing`: channels that come and go, and the check of their number
//! - `refusing`: commands that Redis refuses
//! - `postponing`: commands that Redis does not take at the moment
//! - `model`: random steps against a model of Redis
//! - `helpers`: steps that tests share

mod helpers;
mod model;
mod postponing;
mod refusing;
mod subscribing;
