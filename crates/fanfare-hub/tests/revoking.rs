//! Revoked tokens.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fanfare_core::{
    Channel, Identity, Revocation, Revocations,
    revocation::{RevocationFuture, Tokens},
};
use fanfare_hub::{Peer, Session};
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::support::{Node, Setup, settle};

struct Token {
    user: &'static str,
    id: &'static str,
    issued: Option<u64>,
}

impl Identity for Token {
    fn subject(&self) -> Option<&str> {
        Some(self.user)
    }

    fn token_id(&self) -> Option<&str> {
        Some(self.id)
    }

    fn issued_at(&self) -> Option<SystemTime> {
        self.issued.map(at)
    }

    fn may_use(&self, _: &Channel) -> bool {
        true
    }

    fn expires_at(&self) -> Option<SystemTime> {
        None
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn session(node: &Node, user: &'static str, id: &'static str, issued: Option<u64>) -> Arc<Session> {
    let identity: Arc<dyn Identity> = Arc::new(Token { user, id, issued });
    node.hub.sessions.open(&node.kind, Peer { identity: Some(identity), ..Peer::default() })
}

fn forever(tokens: Tokens) -> Revocation {
    Revocation { tokens, until: SystemTime::now() + Duration::from_secs(3600) }
}

#[tokio::test(start_paused = true)]
async fn tokens_issued_before_a_moment_are_revoked() {
    let node = Setup::default().memory();
    let sessions = [
        session(&node, "ann", "1", Some(100)),
        session(&node, "ann", "2", Some(101)),
        session(&node, "ann", "3", None),
        session(&node, "bob", "4", Some(1)),
    ];
    let of_ann = Tokens::OfUser { user: "ann".into(), issued_until: at(100) };
    assert_eq!(node.hub.revoked.revoke(&forever(of_ann)).await, Ok(2));
    settle().await;
    assert_eq!(sessions.map(|session| session.has_ended()), [true, false, true, false]);
    let has = |user, issued| node.hub.revoked.has(&Token { user, id: "5", issued });
    assert_eq!([has("ann", Some(100)), has("ann", Some(101)), has("bob", None)], [true, false, false]);
}

/// A broker whose answers about all revocations are late: they are of the moment of the question.
#[derive(Default)]
struct Late(Mutex<Vec<Revocation>>);

impl Revocations for Late {
    fn add(&self, revocation: &Revocation) -> RevocationFuture<()> {
        self.0.lock().push(revocation.clone());
        Box::pin(std::future::ready(Ok(())))
    }

    fn all(&self) -> RevocationFuture<Vec<Revocation>> {
        let all = self.0.lock().clone();
        Box::pin(async move {
            sleep(Duration::from_secs(1)).await;
            Ok(all)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_forgets_no_later_revocation() {
    let node = Setup { revocations: Some(Arc::new(Late::default())), ..Setup::default() }.memory();
    settle().await;
    node.hub.revoked.revoke(&forever(Tokens::WithId("1".into()))).await.unwrap();
    let token = Token { user: "ann", id: "1", issued: None };
    for seconds in [1, 2, 29, 60] {
        assert!(node.hub.revoked.has(&token));
        sleep(Duration::from_secs(seconds)).await;
    }
    assert_eq!(node.hub.metrics().revocations.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_revoked_by_its_id() {
    let node = Setup::default().memory();
    let [ended, stays] = [session(&node, "ann", "1", None), session(&node, "ann", "2", None)];
    assert_eq!(node.hub.revoked.revoke(&forever(Tokens::WithId("1".into()))).await, Ok(1));
    settle().await;
    assert!(ended.has_ended() && !stays.has_ended());
    assert_eq!(node.hub.metrics().revocations.get(), 1);
    let over = Revocation { tokens: Tokens::WithId("2".into()), until: at(1) };
    assert_eq!(node.hub.revoked.revoke(&over).await, Ok(1), "it holds until the revocations are read again");
    assert_eq!(node.hub.metrics().revocations.get(), 2);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(node.hub.metrics().revocations.get(), 1, "one is over");
}
