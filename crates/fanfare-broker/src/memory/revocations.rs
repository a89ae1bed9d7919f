//! The revoked tokens of a node that is alone. They are gone with the process.

use std::{collections::HashMap, time::SystemTime};

use fanfare_core::{
    Revocation, Revocations,
    revocation::{MAX_REVOCATIONS, RevocationError, RevocationFuture},
};
use parking_lot::Mutex;

use crate::revocation::field;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct MemoryRevocations(Mutex<HashMap<String, Revocation>>);

impl Revocations for MemoryRevocations {
    fn add(&self, revocation: &Revocation) -> RevocationFuture<()> {
        let (mut all, now) = (self.0.lock(), SystemTime::now());
        all.retain(|_, revocation| revocation.until > now);
        let field = field(&revocation.tokens);
        let result = if all.len() < MAX_REVOCATIONS || all.contains_key(&field) {
            all.insert(field, revocation.clone());
            Ok(())
        } else {
            Err(RevocationError::TooMany)
        };
        Box::pin(std::future::ready(result))
    }

    fn all(&self) -> RevocationFuture<Vec<Revocation>> {
        let (all, now) = (self.0.lock(), SystemTime::now());
        let live = all.values().filter(|revocation| revocation.until > now).cloned().collect();
        Box::pin(std::future::ready(Ok(live)))
    }
}
