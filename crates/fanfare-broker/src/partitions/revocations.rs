//! Revoked tokens: on all partitions.
//!
//! Invariants:
//! - A revocation is kept once a majority of the partitions took it. All revocations are read from a majority. Two
//!   majorities have a partition in common, so a later read finds what was kept.
//! - A read writes what a partition does not have to it: one that lost its memory gets it back.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use fanfare_core::{
    Revocation, Revocations,
    revocation::{RevocationError, RevocationFuture, Tokens},
};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::revocation::field;

/// How long the answer of a partition is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most revocations that a read writes to a partition.
const REPAIRED: usize = 1000;

/// See the head of this file.
#[derive(Clone)]
pub(super) struct PartitionedRevocations(pub(super) Arc<[Arc<dyn Revocations>]>);

impl PartitionedRevocations {
    fn majority(&self) -> usize {
        self.0.len() / 2 + 1
    }

    async fn add_to_all(&self, revocation: &Revocation) -> Result<(), RevocationError> {
        let added = join_all(self.0.iter().map(|partition| within(partition.add(revocation)))).await;
        self.by_majority(added).map(drop)
    }

    async fn read_all(&self) -> Result<Vec<Revocation>, RevocationError> {
        let read = join_all(self.0.iter().map(|partition| within(partition.all()))).await;
        let mut newest: HashMap<String, Revocation> = HashMap::new();
        for revocation in read.iter().flatten().flatten() {
            match newest.get_mut(&field(&revocation.tokens)) {
                Some(known) if time(known) >= time(revocation) => {}
                Some(known) => *known = revocation.clone(),
                None => _ = newest.insert(field(&revocation.tokens), revocation.clone()),
            }
        }
        for (partition, has) in self.0.iter().zip(&read) {
            if let Ok(has) = has {
                repair(&**partition, has, &newest).await;
            }
        }
        self.by_majority(read)?;
        Ok(newest.into_values().collect())
    }

    fn by_majority<T>(&self, answers: Vec<Result<T, RevocationError>>) -> Result<Vec<T>, RevocationError> {
        let (mut taken, mut failed) = (Vec::new(), None);
        for answer in answers {
            match answer {
                Ok(answer) => taken.push(answer),
                Err(error) => failed = Some(error),
            }
        }
        failed.filter(|_| taken.len() < self.majority()).map_or(Ok(taken), Err)
    }
}

/// Writes what a partition does not have, or has of an earlier time, as far as the partition takes it.
async fn repair(partition: &dyn Revocations, has: &[Revocation], newest: &HashMap<String, Revocation>) {
    let has: HashSet<_> = has.iter().map(|revocation| (&revocation.tokens, revocation.until)).collect();
    let missing = newest.values().filter(|newest| !has.contains(&(&newest.tokens, newest.until)));
    for missing in missing.take(REPAIRED) {
        if within(partition.add(missing)).await.is_err() {
            return;
        }
    }
}

/// The time of a revocation: of two with the same tokens the later one counts.
fn time(revocation: &Revocation) -> (Option<SystemTime>, SystemTime) {
    match &revocation.tokens {
        Tokens::OfUser { issued_until, .. } => (Some(*issued_until), revocation.until),
        Tokens::WithId(_) => (None, revocation.until),
    }
}

async fn within<T>(asked: RevocationFuture<T>) -> Result<T, RevocationError> {
    let late = || RevocationError::Unavailable("no answer in time".to_owned());
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(late()))
}

impl Revocations for PartitionedRevocations {
    fn add(&self, revocation: &Revocation) -> RevocationFuture<()> {
        let (this, revocation) = (self.clone(), revocation.clone());
        Box::pin(async move { this.add_to_all(&revocation).await })
    }

    fn all(&self) -> RevocationFuture<Vec<Revocation>> {
        let this = self.clone();
        Box::pin(async move { this.read_all().await })
    }
}
