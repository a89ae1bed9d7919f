//! From a socket that listens to an accepted socket: its client, and the limits of connections.
//!
//! - [`bind`]: sockets that listen, and how they are tuned
//! - [`descriptors`]: how many sockets there are, and which connection goes when descriptors are short
//! - [`accepted_socket`]: a socket before HTTP or TLS, and the PROXY header in front of both
//! - [`receive`]: reading of a socket that other tasks write to
//! - [`client_address`]: the address of the client, behind trusted proxies too
//! - [`admission`]: how many connections are let in

pub(crate) mod accepted_socket;
pub(crate) mod admission;
pub(crate) mod bind;
pub(crate) mod client_address;
pub(crate) mod descriptors;
pub(crate) mod receive;
