//! New tokens for connections and subscriptions, and those that expired.

use std::time::Duration;

use fanfare_core::Namespace;
use tokio::time::sleep;

use crate::{
    connecting::{connected, recorded, setup},
    support::{Setup, settle},
};

/// The wheel looks at an expired token within a second or two.
const A_LOOK: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn a_refresh_names_the_same_user() {
    let (node, _, _) = recorded(setup());
    let client = connected(&node, "connect user=ann;expires=60").await;
    client.say("refresh user=ann;expires=60").await;
    client.say("refresh user=ann").await;
    assert_eq!(client.lines(), ["refreshed 2 expires", "refreshed 3"]);
    client.say("refresh user=bob").await;
    assert_eq!(client.lines(), ["close 83 the new token is for another user"]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_refresh_ends_the_session() {
    let (node, _, _) = recorded(setup());
    for (token, end) in [("bad", "close 83 the token is not good"), ("expired", "close 78 expired")] {
        let client = connected(&node, "connect user=ann").await;
        client.say(&format!("refresh user=ann;{token}")).await;
        settle().await;
        assert_eq!(client.lines(), [end]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_outlives_its_token_by_the_grace() {
    let (node, _, _) = recorded(setup());
    let [over, within] = [
        connected(&node, "connect user=ann;expires=-26").await,
        connected(&node, "connect user=ann;expires=-10").await,
    ];
    sleep(A_LOOK).await;
    assert_eq!(over.lines(), ["close 78 expired"]);
    assert!(!within.session.has_ended());
    within.say("refresh user=ann;expires=-26").await;
    sleep(A_LOOK).await;
    assert_eq!(within.lines(), ["refreshed 2 expires", "close 78 expired"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_after_the_grace() {
    let (node, recorder, _) = recorded(setup());
    let client = connected(&node, "connect").await;
    client.say("sub a token=channel=a;expires=-10").await;
    client.say("sub b token=channel=b;expires=-26").await;
    sleep(A_LOOK).await;
    assert_eq!(client.lines(), ["ok 2 expires", "ok 3 expires", "expired b"]);
    assert_eq!(recorder.calls(), ["subscribe a", "subscribe b", "unsubscribe b"]);
    client.say("subrefresh a channel=a;expires=-26").await;
    sleep(A_LOOK).await;
    assert_eq!(client.lines(), ["refreshed 4 expires", "expired a"]);
    client.say("sub a").await;
    sleep(A_LOOK).await;
    assert_eq!(client.lines(), ["ok 5"], "a later subscription has its own token");
}

#[tokio::test(start_paused = true)]
async fn a_new_token_keeps_a_subscription() {
    let (node, _, _) = recorded(setup());
    let client = connected(&node, "connect").await;
    client.tell(&["sub a token=channel=a;expires=-26", "subrefresh a channel=a;expires=60"]);
    sleep(A_LOOK).await;
    assert_eq!(
        client.lines(),
        ["ok 1 expires", "refreshed 2 expires"].map(|line| {
            let (word, rest) = line.split_once(' ').unwrap();
            let (number, rest) = rest.split_once(' ').unwrap();
            format!("{word} {} {rest}", number.parse::<u32>().unwrap() + 1)
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_refreshed_by_its_own_token() {
    let (node, _, _) = recorded(Setup { namespace: Namespace::default(), ..setup() });
    let client = connected(&node, "connect user=ann").await;
    client.say("subrefresh a channel=a;user=ann").await;
    client.say("sub a").await;
    client.say("subrefresh a channel=a;user=ann;expired").await;
    client.say("subrefresh a channel=a;user=ann;bad").await;
    assert_eq!(
        client.lines(),
        [
            "error 2 this channel's namespace does not permit a client to subscribe",
            "ok 3",
            "error 4 the token expired: get a new one",
            "error 5 the subscription's token is not good: the token is not good",
        ]
    );
    client.say("subrefresh a channel=a;user=bob").await;
    assert_eq!(client.lines(), ["close 83 the token of a subscription is for another user"]);
}
