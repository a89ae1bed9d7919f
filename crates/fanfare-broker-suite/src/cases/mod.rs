//! The cases. Each gets a broker of its own.
//!
//! - `order`: the order of publications
//! - `content`: what a publication carries; `times`: when it was published
//! - `subscriptions`: subscriptions that come and go
//! - `answers`: answers to publishes
//! - `history`: positions and histories; `once`: idempotency keys
//! - `nodes`: control messages, and the registry
//! - `presence`: the clients in channels; `revocations`: revoked tokens; `outbox`: events
//! - `helpers`: steps that cases share

mod answers;
mod content;
mod helpers;
mod history;
mod nodes;
mod once;
mod order;
mod outbox;
mod presence;
mod revocations;
mod subscriptions;
mod times;

pub use answers::*;
pub use content::*;
pub use history::*;
pub use nodes::*;
pub use once::*;
pub use order::*;
pub use outbox::*;
pub use presence::*;
pub use revocations::*;
pub use subscriptions::*;
pub use times::*;
