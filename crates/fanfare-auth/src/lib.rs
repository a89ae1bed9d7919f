//! Who may come in: origins, API keys and client tokens.
//!
//! - [`origin`]: which web pages may use this server
//! - [`api_key`]: which backends may use the HTTP API
//! - [`token`]: which clients are who they say
//! - [`token_source`]: where a request carries its token
//! - `authority`: hosts and ports as headers write them

pub mod api_key;
mod authority;
pub mod origin;
pub mod token;
pub mod token_source;

pub use api_key::{ApiKey, ApiKeyError, ApiKeyRefusal, ApiKeys};
pub use origin::{AllowedOrigin, AllowedOriginError, OriginPolicy, OriginRefusal};
pub use token::{
    ChannelGrants, Claims, Grant, HmacAlgorithm, HmacSecret, PublicKey, RsaAlgorithm, SigningKey,
    SigningKeyError, TokenError, TokenKey, TokenKeyError, TokenKeys, TokenPolicy,
};
pub use token_source::{CookieNameError, Token, TokenSource, TokenSourceError};
