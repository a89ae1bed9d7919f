//! The sockets that a node listens on: inherited or bound.
//!
//! Invariants
//! - The configuration gives the addresses. An inherited socket (`LISTEN_FDS`, as systemd and others pass sockets on)
//!   only replaces the bind of its address. So every rule about addresses holds, and a socket without a configured
//!   address is a mistake.
//! - Each address has one socket, with the roles of all lists that name the address.
//! - `[::]` stands for all addresses of both families, unless `0.0.0.0` is listed with the same port.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener},
};

use fanfare_gateway::{Listener, Role, Roles};
use listenfd::ListenFd;
use socket2::SockRef;
use tokio::net::TcpListener;

use crate::{
    config::{Config, Listen, ListenerConfig},
    tls::Tls,
};

/// Sockets that another process opened for this one, each with its address.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(SocketAddr, StdListener)>);

/// Why a node cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}{}", hint(.error))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The kernel's reason.
        error: io::Error,
    },
    /// The machine has no address of `localhost`.
    #[error("this machine has no address of that kind to listen on: {0}")]
    NoAddress(Listen),
    /// An inherited descriptor is not a TCP socket that listens.
    #[error("inherited socket {0} of LISTEN_FDS cannot be used: {1}")]
    Unusable(usize, io::Error),
    /// The address of an inherited socket is not configured.
    #[error(
        "the inherited socket on {0} (LISTEN_FDS) is not at an address of the configuration: add it to `listen`, \
         `api.listen` or `metrics.listen`, or do not pass it on"
    )]
    Unwanted(SocketAddr),
}

impl Inherited {
    /// Takes the sockets that `LISTEN_FDS` and `LISTEN_PID` name, and removes both from the environment. So it must be
    /// called before the process has other threads. The set is empty without them, or where they are for another
    /// process.
    ///
    /// # Errors
    /// [`ListenError::Unusable`].
    pub fn take() -> Result<Self, ListenError> {
        let mut descriptors = ListenFd::from_env();
        let mut sockets = Vec::new();
        for at in 0..descriptors.len() {
            let unusable = |error| ListenError::Unusable(at + 1, error);
            let Some(socket) = descriptors.take_tcp_listener(at).map_err(unusable)? else { continue };
            if !SockRef::from(&socket).is_listener().map_err(unusable)? {
                return Err(unusable(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen")));
            }
            socket.set_nonblocking(true).map_err(unusable)?;
            sockets.push((socket.local_addr().map_err(unusable)?, socket));
        }
        Ok(Self(sockets))
    }

    fn at(&mut self, address: SocketAddr) -> Option<StdListener> {
        let found = self.0.iter().position(|(at, _)| *at == address)?;
        Some(self.0.swap_remove(found).1)
    }
}

/// An address to listen on.
struct Wanted {
    address: SocketAddr,
    listen: Listen,
    roles: Roles,
    /// The role whose TLS it speaks: that of the first list that names the address.
    tls: Role,
}

/// All listeners of a configuration. An address of `localhost` that this machine does not have is left out.
pub(crate) fn open(
    config: &Config,
    tls: &Tls,
    mut inherited: Inherited,
) -> Result<Vec<Listener>, ListenError> {
    let mut listeners = Vec::new();
    let mut missing = Vec::new();
    let wanted = wanted(config);
    let addresses: Vec<SocketAddr> = wanted.iter().map(|one| one.address).collect();
    for Wanted { address, listen, roles, tls: role } in wanted {
        let tls = tls.acceptor(role);
        let found = inherited.at(address);
        let is_inherited = found.is_some();
        let socket = match found {
            Some(socket) => TcpListener::from_std(socket),
            None => fanfare_gateway::bind(address, is_dual_stack(address, &addresses)),
        };
        match socket {
            Ok(socket) => listeners.push((listen, Listener { socket, roles, tls, is_inherited })),
            Err(error) if is_missing(listen, &error) => missing.push(listen),
            Err(error) => return Err(ListenError::Bind { address, error }),
        }
    }
    if let Some((address, _)) = inherited.0.first() {
        return Err(ListenError::Unwanted(*address));
    }
    let is_nowhere = |wanted: &&Listen| !listeners.iter().any(|(listen, _)| listen == *wanted);
    if let Some(&nowhere) = missing.iter().find(is_nowhere) {
        return Err(ListenError::NoAddress(nowhere));
    }
    Ok(listeners.into_iter().map(|(_, listener)| listener).collect())
}

/// The addresses for clients first. A role without addresses of its own is served there.
fn wanted(config: &Config) -> Vec<Wanted> {
    let without = config.listeners.iter().filter(|listener| listener.addresses.is_empty());
    let everywhere: Roles = without.map(|listener| listener.role).chain([Role::Clients]).collect();
    let mut all: Vec<Wanted> = Vec::new();
    for ListenerConfig { role, addresses, .. } in &config.listeners {
        let roles = if *role == Role::Clients { everywhere } else { Roles::from_iter([*role]) };
        for &listen in addresses {
            for address in listen.addresses() {
                match all.iter_mut().find(|one| one.address == address && address.port() != 0) {
                    Some(one) => one.roles = one.roles.and(roles),
                    None => all.push(Wanted { address, listen, roles, tls: *role }),
                }
            }
        }
    }
    all
}

/// Whether an address also takes IPv4 clients, since its IPv4 twin is not a listener of its own.
fn is_dual_stack(address: SocketAddr, all: &[SocketAddr]) -> bool {
    let twin = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    address.is_ipv6() && address.ip().is_unspecified() && (address.port() == 0 || !all.contains(&twin))
}

fn is_missing(listen: Listen, error: &io::Error) -> bool {
    let is_choice = matches!(listen, Listen::Localhost(_));
    // `io::ErrorKind` has no kind for EAFNOSUPPORT.
    let has_no_family = error.raw_os_error() == Some(97);
    is_choice && (error.kind() == io::ErrorKind::AddrNotAvailable || has_no_family)
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another program listens there: end it, or choose a port with --listen",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need a permission: choose another with --listen"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::load_file;

    fn roles(file: &str) -> Vec<(String, Roles)> {
        let config = load_file(file).unwrap().config;
        wanted(&config).iter().map(|one| (one.address.to_string(), one.roles)).collect()
    }

    fn at<const N: usize>(address: &str, roles: [Role; N]) -> (String, Roles) {
        (address.into(), roles.into_iter().collect())
    }

    const KEYS: &str = "api.keys = [\"0123456789abcdef\"]\n";

    #[test]
    fn a_role_without_addresses_is_served_to_clients() {
        let all = at("127.0.0.1:1", [Role::Clients, Role::Api, Role::Metrics]);
        assert_eq!(roles("listen = [\"127.0.0.1:1\"]"), [all]);
        let file = "listen = [\"127.0.0.1:1\"]\nmetrics.listen = [\"127.0.0.1:2\"]";
        let expected = [at("127.0.0.1:1", [Role::Clients, Role::Api]), at("127.0.0.1:2", [Role::Metrics])];
        assert_eq!(roles(file), expected);
    }

    #[test]
    fn an_address_has_all_roles_of_its_lists() {
        let file = format!(
            "listen = [\"localhost:1\"]\nmetrics.listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n{KEYS}\
             api.listen = [\"127.0.0.1:2\", \"127.0.0.1:0\", \"127.0.0.1:0\"]"
        );
        let expected = [
            at("127.0.0.1:1", [Role::Clients, Role::Metrics]),
            at("[::1]:1", [Role::Clients]),
            at("127.0.0.1:2", [Role::Api, Role::Metrics]),
            at("127.0.0.1:0", [Role::Api]),
            at("127.0.0.1:0", [Role::Api]),
        ];
        assert_eq!(roles(&file), expected);
    }

    #[tokio::test]
    async fn an_inherited_socket_serves_its_configured_address() {
        let socket = StdListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let inherited = || Inherited(vec![(address, socket.try_clone().unwrap())]);
        let config = load_file(&format!("listen = [\"127.0.0.1:0\", \"{address}\"]")).unwrap().config;
        let tls = Tls::register(&prometheus::Registry::new(), &config).unwrap();
        let listeners = open(&config, &tls, inherited()).map_err(|error| error.to_string()).unwrap();
        assert_eq!(listeners.iter().map(|one| one.is_inherited).collect::<Vec<_>>(), [false, true]);
        assert_eq!(listeners[1].socket.local_addr().unwrap(), address);
        let config = load_file("listen = [\"127.0.0.1:0\"]").unwrap().config;
        let error = open(&config, &tls, inherited()).err().unwrap();
        assert!(matches!(error, ListenError::Unwanted(at) if at == address), "{error}");
    }

    #[tokio::test]
    async fn the_ipv6_wildcard_takes_ipv4_clients_too() {
        let config = load_file("listen = [\"[::]:0\"]\nopen = true").unwrap().config;
        let tls = Tls::register(&prometheus::Registry::new(), &config).unwrap();
        let listeners = open(&config, &tls, Inherited::default()).map_err(|error| error.to_string()).unwrap();
        let port = listeners[0].socket.local_addr().unwrap().port();
        for client in ["127.0.0.1", "::1"] {
            let connected = std::net::TcpStream::connect((client, port));
            assert!(connected.is_ok(), "{client}: {connected:?}");
        }
        let [v4, v6] = ["0.0.0.0:7", "[::]:7"].map(|address| address.parse().unwrap());
        assert!(is_dual_stack(v6, &[v6]) && !is_dual_stack(v6, &[v4, v6]) && !is_dual_stack(v4, &[v4]));
    }
}
