//! The roles of listeners.

use std::fmt;

use fanfare_core::labels;

labels! {
    /// A part of what listeners serve. `/healthz` and `/readyz` are on all of them.
    pub enum Role {
        /// WebSockets, and the page with its files.
        Clients = "clients",
        /// The HTTP API.
        Api = "api",
        /// `/metrics`.
        Metrics = "metrics",
    }
}

impl Role {
    /// The configuration's key for the addresses of listeners that have this role alone.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Clients => "listen",
            Self::Api => "api.listen",
            Self::Metrics => "metrics.listen",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The roles of one listener: a set.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// Whether a role is in the set.
    #[must_use]
    pub fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// The roles of both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The roles in the set.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.iter().copied().filter(move |role| self.has(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |set, role| set | role.bit()))
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
