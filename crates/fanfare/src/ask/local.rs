//! Where the node of this machine is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::target::Target;
use crate::config::Listen;

/// The URLs of a path of this machine's node, each address once. A list of addresses speaks TLS or does not. A wildcard
/// listens on loopback too. Port 0 is left out: only the node knows which port it got.
#[must_use]
pub fn local_targets(lists: &[(&[Listen], bool)], path: &str) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let each = |(list, is_tls): &(&[Listen], bool)| {
        let is_tls = *is_tls;
        list.iter()
            .flat_map(|listen| listen.addresses())
            .map(move |address| (address, is_tls))
            .collect::<Vec<_>>()
    };
    for (address, is_tls) in lists.iter().flat_map(each) {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let target = Target::of(SocketAddr::new(ip, address.port()), is_tls, path);
        match targets.iter_mut().find(|known| known.authority() == target.authority()) {
            // An address of several lists speaks TLS if one of them does.
            Some(known) => known.is_tls |= is_tls,
            None if address.port() != 0 => targets.push(Target { is_local: true, ..target }),
            None => {}
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use fanfare_gateway::Role;

    use super::*;
    use crate::config::tests::load_file;

    #[test]
    fn a_local_node_is_asked_where_it_listens() {
        let file = "open = true\nlisten = [\"0.0.0.0:1\", \"[::]:1\", \"localhost:2\", \"127.0.0.1:1\"]\n\
                    metrics.listen = [\"127.0.0.1:0\", \"10.0.0.1:3\"]";
        let config = load_file(file).unwrap().config;
        let [metrics, clients] = [Role::Metrics, Role::Clients].map(|role| config.addresses(role).0);
        let found = local_targets(&[(metrics, false), (clients, true)], "/");
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let expected = [
            "http://10.0.0.1:3/",
            "https://127.0.0.1:1/",
            "https://[::1]:1/",
            "https://127.0.0.1:2/",
            "https://[::1]:2/",
        ];
        assert_eq!(found, expected);
    }
}
