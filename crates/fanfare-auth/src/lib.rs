//! Authentication: origins, API keys and client tokens.
//!
//! - [`origin`]: the web pages that may use this server
//! - [`api_key`]: the backends that may use the HTTP API
//! - [`token`]: the identity of clients
//! - [`token_source`]: the places of a request where its token may be
//! - `authority`: hosts and ports in headers

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
