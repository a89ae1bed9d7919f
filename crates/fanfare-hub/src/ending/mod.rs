//! The end of sessions: of one, of many, and of those that missed publications.
//!
//! - [`goodbye`]: ends one session
//! - [`drain`]: ends many sessions at a pace
//! - [`interruption`]: tells the sessions that may have missed publications

pub mod drain;
pub mod goodbye;
pub mod interruption;
