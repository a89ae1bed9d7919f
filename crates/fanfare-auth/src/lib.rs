//! Who may come in: origins and API keys.
//!
//! - [`origin`]: which web pages may use this server
//! - [`api_key`]: which backends may use the HTTP API
//! - `authority`: hosts and ports as headers write them

pub mod api_key;
mod authority;
pub mod origin;

pub use api_key::{ApiKey, ApiKeyError, ApiKeyRefusal, ApiKeys};
pub use origin::{AllowedOrigin, AllowedOriginError, OriginPolicy, OriginRefusal};
