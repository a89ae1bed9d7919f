//! Revoked tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanfare_core::{Revocation, revocation::Tokens};

use crate::bus::Bus;

/// Every node reads the revocations of all, until their time is over.
pub async fn every_node_reads_the_revocations(bus: &impl Bus) {
    let nodes = bus.nodes().await;
    let later = UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    let of_user = |seconds| {
        let issued_until = UNIX_EPOCH + Duration::from_secs(seconds);
        Revocation { tokens: Tokens::OfUser { user: "ann: 1".into(), issued_until }, until: later }
    };
    let by_id = Revocation { tokens: Tokens::WithId("x".into()), until: later };
    let over = Revocation { tokens: Tokens::WithId("y".into()), until: SystemTime::now() };
    for node in &nodes {
        node.is_up().await;
        for revocation in [of_user(1), of_user(2), by_id.clone(), over.clone()] {
            assert_eq!(node.started.backend.revocations.add(&revocation).await, Ok(()));
        }
    }
    for node in &nodes {
        let mut all = node.started.backend.revocations.all().await.unwrap_or_default();
        all.sort_by_key(|revocation| matches!(revocation.tokens, Tokens::WithId(_)));
        assert_eq!(all, [of_user(2), by_id.clone()]);
    }
}
