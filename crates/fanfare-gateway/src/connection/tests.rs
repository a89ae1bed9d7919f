use super::*;
use crate::tls::socket::TlsStream;

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 88, "{}", size_of::<Connection>());
    assert!(size_of::<Connection<TlsStream>>() <= 88, "{}", size_of::<Connection<TlsStream>>());
}
