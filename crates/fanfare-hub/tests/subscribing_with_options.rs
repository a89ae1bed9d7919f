//! Subscribes of clients that connect: the answer comes first, with the past, and tokens open channels.

use std::sync::Arc;

use fanfare_core::{Access, ClientId, Namespace, RecoveryMode};

use crate::{
    connecting::{connected, recorded, setup},
    healing::namespace,
    support::{Client, Histories, INCARNATION, Node, Recorder, Setup, ends, numbered, settle},
};

fn remembering(namespace: Namespace) -> (Node, Arc<Recorder>, Arc<Histories>) {
    let histories = Histories::new();
    let setup = Setup { namespace, histories: Some(histories.clone()), shards: 3, ..setup() };
    let (node, recorder, _) = recorded(setup);
    (node, recorder, histories)
}

async fn answer(client: &Client, line: &str) -> Vec<String> {
    client.say(line).await;
    settle().await;
    client.lines()
}

#[tokio::test(start_paused = true)]
async fn the_answer_precedes_publications() {
    let (node, recorder, _) = recorded(setup());
    recorder.hold_confirmations();
    let client = connected(&node, "connect").await;
    client.tell(&["sub a", "sub b"]);
    recorder.confirm(Ok(()));
    recorder.confirm(Ok(()));
    recorder.deliver("a", "1");
    settle().await;
    recorder.deliver("a", "2");
    settle().await;
    let lines = client.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("ok")).count(), 2);
    assert!(lines[0].starts_with("ok") && lines.ends_with(&["a 2".to_owned()]), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn the_past_is_in_the_answer() {
    let (node, recorder, histories) = remembering(namespace());
    histories.accept("a", 5);
    let epoch = histories.position("a", 0).epoch;
    for (since, told) in [
        ("*:2".to_owned(), "whole 3 4 5"),
        (format!("{epoch}:4"), "whole 5"),
        (format!("{epoch}:5"), "whole"),
        ("?:2".to_owned(), "lost"),
        ("*:9".to_owned(), "lost"),
        (format!("{epoch}:9"), "lost"),
        ("00000000000000ff:2".to_owned(), "lost"),
    ] {
        let client = connected(&node, "connect").await;
        assert_eq!(answer(&client, &format!("sub a since={since}")).await, [format!("ok 2 {told}")]);
        recorder.deliver_all(histories.accept("b", 1));
        client.end(&fanfare_core::Disconnect::Lost);
    }
    let client = connected(&node, "connect").await;
    client.say("sub a since=*:3").await;
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), ["ok 2 whole 4 5", "a 6"]);
}

#[tokio::test(start_paused = true)]
async fn a_past_that_must_be_whole_may_fail() {
    let (node, recorder, histories) = remembering(namespace());
    histories.accept("a", 9);
    histories.trim("a", 4);
    let gone = "error 2 the history does not reach back to this position: load what you need, and read without a position";
    for since in ["*:2", "?:9", "*:99", "00000000000000ff:9"] {
        let client = connected(&node, "connect").await;
        assert_eq!(answer(&client, &format!("sub a must since={since}")).await, [gone], "{since}");
        recorder.deliver_all(histories.accept("a", 1));
        histories.trim("a", 4);
        settle().await;
        assert!(client.lines().is_empty());
        assert_eq!(answer(&client, "sub a").await, ["ok 3"], "it was not subscribed");
    }
    let client = connected(&node, "connect").await;
    assert_eq!(answer(&client, "sub a must since=*:12").await, ["ok 2 whole 13"]);
}

#[tokio::test(start_paused = true)]
async fn a_cache_gives_the_newest_only() {
    let (node, recorder, histories) = remembering(Namespace { recovery: RecoveryMode::Cache, ..namespace() });
    let answer_to = async |line: &str| {
        let client = connected(&node, "connect").await;
        answer(&client, line).await
    };
    assert_eq!(answer_to("sub a since=*:0").await, ["ok 2 whole"], "the client has all there is");
    assert_eq!(answer_to("sub a since=?:0").await, ["ok 2 lost"], "nothing is kept yet");
    histories.accept("b", 5);
    let epoch = histories.position("b", 0).epoch;
    for (since, told) in [
        ("*:2".to_owned(), "whole 5"),
        (format!("{epoch}:0"), "whole 5"),
        (format!("{epoch}:5"), "whole"),
        ("*:5".to_owned(), "whole"),
        ("*:9".to_owned(), "whole 5"),
        ("?:5".to_owned(), "whole 5"),
        ("00000000000000ff:5".to_owned(), "whole 5"),
    ] {
        assert_eq!(answer_to(&format!("sub b since={since}")).await, [format!("ok 2 {told}")], "{since}");
    }
    let client = connected(&node, "connect").await;
    client.say("sub b since=*:3").await;
    recorder.deliver_all(histories.accept("b", 1));
    settle().await;
    assert_eq!(client.lines(), ["ok 2 whole 5", "b 6"]);
    histories.accept("c", 5);
    histories.trim("c", 0);
    assert_eq!(answer_to("sub c since=*:3").await, ["ok 2 lost"]);
    let refused = answer_to("sub c must since=*:3").await;
    assert!(refused[0].starts_with("error 2 the history does not reach back"), "{refused:?}");
    assert_eq!(answer_to("sub c must since=*:5").await, ["ok 2 whole"]);
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_nothing_is_recovered() {
    let (node, recorder, histories) = remembering(Namespace { history: Access::Server, ..namespace() });
    histories.accept("a", 5);
    let client = connected(&node, "connect").await;
    assert_eq!(answer(&client, "sub a since=*:3").await, ["ok 2 lost"]);
    recorder.deliver_all(histories.accept("a", 1));
    settle().await;
    assert_eq!(client.lines(), ["a 6"]);
    let (node, _, _) = recorded(setup());
    let client = connected(&node, "connect").await;
    assert_eq!(answer(&client, "sub a since=*:3").await, ["ok 2 lost"], "nothing is kept");
}

#[tokio::test(start_paused = true)]
async fn what_comes_during_the_read_follows_the_answer() {
    let (node, recorder, histories) = remembering(namespace());
    histories.accept("a", 3);
    let other = connected(&node, "connect").await;
    other.say("sub a").await;
    histories.hold(true);
    let client = connected(&node, "connect").await;
    client.tell(&["sub a since=*:1", "unsub b"]);
    settle().await;
    recorder.deliver_all(histories.accept("a", 2));
    settle().await;
    assert_eq!(client.lines(), ["ok 3"], "other channels do not wait");
    histories.hold(false);
    settle().await;
    assert_eq!(client.lines(), ["ok 2 whole 2 3", "a 4", "a 5"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_opens_a_channel() {
    let (node, _, _) = recorded(Setup {
        namespace: Namespace { subscribe: Access::Server, tracks_presence: true, ..Namespace::default() },
        ..setup()
    });
    let client = connected(&node, "connect user=ann").await;
    let id = ClientId { node: INCARNATION, session: client.session.id() };
    for (line, told) in [
        (
            "sub $a".to_owned(),
            "error 2 the subscription's token is not good: it is missing, and a channel whose name begins with `$` needs one: get one for this channel",
        ),
        (
            "sub $a token=channel=$a;user=ann;bad".to_owned(),
            "error 3 the subscription's token is not good: the token is not good",
        ),
        ("sub $a token=channel=$a;user=ann;expired".to_owned(), "error 4 the token expired: get a new one"),
        ("sub $a token=channel=$a;user=ann".to_owned(), "ok 5"),
        (format!("sub a token=channel=a;user=ann;client={id};expires=60"), "ok 6 expires"),
        ("sub b".to_owned(), "error 7 this channel's namespace does not permit a client to subscribe"),
    ] {
        assert_eq!(answer(&client, &line).await, [told]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_others_ends_the_session() {
    let (node, _, _) = recorded(setup());
    for (token, whose) in [
        ("channel=b;user=ann", "channel"),
        ("channel=a;user=bob", "user"),
        ("channel=a", "user"),
        ("channel=a;user=ann;client=0000000000000007-0", "client"),
    ] {
        let client = connected(&node, "connect user=ann").await;
        let end = format!("close 83 the token of a subscription is for another {whose}");
        assert_eq!(answer(&client, &format!("sub a token={token}")).await, [end]);
    }
    let nobody = connected(&node, "connect").await;
    assert_eq!(answer(&nobody, "sub a token=channel=a;user=").await, ["ok 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_may_name_its_users() {
    let (node, _, _) = recorded(setup());
    let refused = fanfare_core::CommandError::OtherUsers;
    let ann = connected(&node, "connect user=ann").await;
    assert_eq!(answer(&ann, "sub chat#bob,ann").await, ["ok 2"]);
    assert_eq!(answer(&ann, "sub chat#bob").await, [format!("error 3 {refused}")]);
    let nobody = connected(&node, "connect").await;
    assert_eq!(answer(&nobody, "sub chat#ann").await, [format!("error 2 {refused}")]);
}

#[tokio::test(start_paused = true)]
async fn a_grant_s_information_is_shown() {
    let namespace = Namespace { tracks_presence: true, ..Namespace::default() };
    let node = Setup { namespace, ..setup() }.memory();
    node.hub.identities.verify_by(Some(crate::support::Tokens::new()));
    let client = connected(&node, "connect user=ann").await;
    client.say("sub a token=channel=a;user=ann;info=!").await;
    assert_eq!(answer(&client, "presence a").await, ["ok 2", "presence 3 ann!"]);
    client.say("unsub a").await;
    client.say("sub a").await;
    assert_eq!(answer(&client, "presence a").await, ["ok 4", "ok 5", "presence 6 ann"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_s_subscription_is_told_first() {
    let (node, recorder, _) = recorded(setup());
    let client = connected(&node, "connect user=ann").await;
    let of = fanfare_hub::calls::call::Selection { user: Some("ann".into()), ..Default::default() };
    node.hub
        .calls
        .ask(
            fanfare_hub::calls::call::Call::Subscribe {
                of: of.clone(),
                channel: "a".into(),
                terms: Default::default(),
            },
            &[],
            None,
        )
        .await;
    recorder.deliver("a", "1");
    settle().await;
    assert_eq!(client.lines(), ["subscribed a", "a 1"]);
}

/// Reads on until a client has a line that ends so.
async fn until_it_has(client: &Client, end: &str) {
    let end = format!("{end}\n").into_bytes();
    ends(async {
        while !client.pipe.bytes().ends_with(&end) {
            settle().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn recovered_subscribes_amid_publishes_miss_nothing() {
    const LAST: usize = 4001;
    let (node, recorder, histories) = remembering(namespace());
    let stays = connected(&node, "connect").await;
    stays.say("sub a").await;
    assert_eq!(stays.lines(), ["ok 2"]);
    let mut clients = Vec::new();
    for number in 0..200_u64 {
        let (at, publishes) = (histories.position("a", 0), (histories.clone(), recorder.clone()));
        let publishing = tokio::task::spawn_blocking(move || {
            let (histories, recorder) = publishes;
            for number in 0..20 {
                let accepted = histories.accept("a", 1);
                if number % 7 > 0 {
                    recorder.deliver_all(accepted);
                }
            }
        });
        let client = connected(&node, "connect").await;
        let before = histories.top("a").saturating_sub(number % 50);
        let begins_now = number % 4 == 0;
        let since = if begins_now { String::new() } else { format!(" since={}:{before}", at.epoch) };
        client.tell(&[format!("sub a{since}")]);
        clients.push((client, (!begins_now).then_some(before as usize)));
        publishing.await.unwrap();
    }
    let is_answered = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().contains("ok 2");
    ends(async {
        while !clients.iter().all(|(client, _)| is_answered(client.pipe.bytes())) {
            settle().await;
        }
    })
    .await;
    recorder.deliver_all(histories.accept("a", 1));
    until_it_has(&stays, &format!("a {LAST}")).await;
    for (client, before) in &clients {
        until_it_has(client, &format!("a {LAST}")).await;
        let mut lines = client.lines();
        let answer = lines.remove(0);
        let Some(before) = before else {
            // Its first publication says where it began.
            assert_eq!(answer, "ok 2");
            assert_eq!(lines, numbered("a", LAST + 1 - lines.len()..LAST + 1));
            continue;
        };
        let past = answer.strip_prefix("ok 2 whole").unwrap().split_whitespace();
        let mut got: Vec<_> = past.map(|number| format!("a {number}")).collect();
        got.extend(lines);
        assert_eq!(got, numbered("a", before + 1..LAST + 1));
    }
}
