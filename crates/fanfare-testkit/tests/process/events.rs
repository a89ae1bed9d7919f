//! Events for the operator's backend, while nodes die and the backend is away. The real binary.

use fanfare_testkit::{
    Client, Endpoint, Process, acl, assert_eventually,
    backend::{AWAY, Backend, SILENT},
    redis_server, token,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

/// Clients of these tests answer no ping.
fn toml(backend: &Backend) -> String {
    format!(
        "[relay]\nping_interval = \"1h\"\npong_timeout = \"1h\"\n\
         [auth]\nhmac_secrets = [\"{SECRET}\"]\n\
         [hooks]\nevents = \"http://{}/events\"\ntimeout = \"1s\"\n\
         [[namespace]]\nevents = true\n\
         [[namespace]]\nname = \"room\"\nevents = true\ntrack_presence = true\npresence_grace = \"0s\"\n",
        backend.address
    )
}

async fn node(name: &str, broker: &str, backend: &Backend) -> Process {
    let flags = ["--listen", "127.0.0.1:0", "--node", name, "--broker", broker];
    let node = Process::serve(&flags, &toml(backend)).await;
    node.is_ready().await;
    node
}

/// A client by commands. It names its user.
async fn connected(node: Endpoint, user: &str) -> Client {
    let mut client = Client::connect(&node.ws("/connection/websocket")).await;
    let token = token::token(&json!({"sub": user, "exp": token::in_seconds(600)}), SECRET);
    asks(&mut client, &json!({"id": 1, "connect": {"token": token}})).await;
    client
}

/// Sends a command, and waits for its answer.
async fn asks(client: &mut Client, command: &Value) {
    client.text(&command.to_string()).await;
    loop {
        let answer: Value = serde_json::from_str(client.next().await.to_text().unwrap()).unwrap();
        if answer["id"] == command["id"] {
            assert_eq!(answer["error"], Value::Null, "{command}: {answer}");
            return;
        }
    }
}

async fn subscribes(client: &mut Client, channel: &str) {
    asks(client, &json!({"id": 2, "subscribe": {"channel": channel}})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_outlive_the_node_that_sends() {
    let (redis, backend) = (redis_server().await, Backend::start(AWAY).await);
    let mut dies = node("dies", &redis.url(), &backend).await;
    let mut ann = connected(dies.endpoint(), "ann").await;
    subscribes(&mut ann, "room:a").await;
    assert_eventually!(backend.offered() >= 4, "it sends: {}", dies.log());
    let stays = node("stays", &redis.url(), &backend).await;
    let mut bob = connected(stays.endpoint(), "bob").await;
    subscribes(&mut bob, "b").await;
    dies.kill().await;
    backend.answers(200);
    let of_room = ["channel_occupied ", "member_joined ann", "member_left ann", "channel_vacated "];
    assert_eventually!(backend.of("room:a") == of_room, "{:?}: {}", backend.of("room:a"), stays.log());
    assert_eq!(backend.of("b"), ["channel_occupied "], "{}", stays.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_waits_for_events() {
    let (redis, backend) = (redis_server().await, Backend::start(SILENT).await);
    let user = acl::with_user(&redis).await;
    let node = node("one", &user, &backend).await;
    let mut first = connected(node.endpoint(), "ann").await;
    subscribes(&mut first, "room:stuck").await;
    assert_eventually!(backend.offered() > 0, "the backend has a batch: {}", node.log());
    acl::set_rules(&redis, &["-evalsha", "-xadd"]).await;
    // All at once: a subscribe waits for one attempt to write its member, and attempts that fail are rare.
    let endpoint = node.endpoint();
    let come = |number| async move {
        let mut client = connected(endpoint, "bob").await;
        subscribes(&mut client, &format!("room:{number}")).await;
        if number % 2 == 0 {
            client.close(1000, "").await;
            return None;
        }
        Some(client)
    };
    let _stay = (0..200).map(come).collect::<JoinSet<_>>().join_all().await;
    let present = "fanfare_presence_entries";
    assert_eventually!(node.metric(present).await.total_cmp(&101.0).is_eq(), "{}", node.log());
    acl::set_rules(&redis, &["+@all"]).await;
    backend.answers(200);
    let told = |number: usize| backend.of(&format!("room:{number}"));
    let lasts = ["channel_occupied ", "member_joined bob"];
    for number in 0..200 {
        if number % 2 == 0 {
            assert!(told(number).is_empty(), "it did not last: {:?}", told(number));
        } else {
            assert_eventually!(told(number) == lasts, "{number}: {:?} {}", told(number), node.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_keep_their_order_in_each_channel() {
    let (redis, backend) = (redis_server().await, Backend::start(200).await);
    let nodes = [node("one", &redis.url(), &backend).await, node("two", &redis.url(), &backend).await];
    let people = ["ann", "bob", "cy"].map(|user| {
        let endpoints = nodes.each_ref().map(Process::endpoint);
        tokio::spawn(async move {
            for round in 0..30 {
                let mut client = connected(endpoints[round % 2], user).await;
                for channel in ["room:x", "room:y"] {
                    subscribes(&mut client, channel).await;
                }
                client.close(1000, "").await;
            }
        })
    });
    for (turn, person) in people.into_iter().enumerate() {
        backend.answers([AWAY, 500, 200][turn]);
        person.await.unwrap();
    }
    let ended = || backend.taken().iter().filter(|event| event["event"] == "disconnected").count();
    assert_eventually!(ended() == 90, "{} ends: {}", ended(), nodes[0].log());
    for channel in ["room:x", "room:y"] {
        assert_eventually!(
            backend.of(channel).last().is_some_and(|last| last == "channel_vacated "),
            "{channel}: {:?}",
            backend.of(channel)
        );
        follows(&backend.of(channel));
    }
    let ids: Vec<_> = backend.taken().iter().map(|event| place(&event["id"])).collect();
    assert!(ids.is_sorted(), "the order of the outbox");
}

/// The place of an id: a time and a number.
fn place(id: &Value) -> (u64, u64) {
    let (time, number) = id.as_str().unwrap().split_once('-').unwrap();
    (time.parse().unwrap(), number.parse().unwrap())
}

/// A channel is occupied while it has members, and who leaves had joined.
fn follows(events: &[String]) {
    let (mut is_occupied, mut members) = (false, Vec::new());
    for event in events {
        let (name, user) = event.split_once(' ').unwrap();
        match name {
            "channel_occupied" => assert!(!std::mem::replace(&mut is_occupied, true), "{events:?}"),
            "channel_vacated" => {
                assert!(std::mem::replace(&mut is_occupied, false) && members.is_empty(), "{events:?}");
            }
            "member_joined" => {
                assert!(is_occupied, "{events:?}");
                members.push(user);
            }
            _ => {
                let at = members.iter().position(|member| *member == user);
                members.swap_remove(at.unwrap_or_else(|| panic!("{user} had not joined: {events:?}")));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ends_tells_who_went() {
    let backend = Backend::start(200).await;
    let mut node = node("one", "memory", &backend).await;
    let mut ann = connected(node.endpoint(), "ann").await;
    subscribes(&mut ann, "room:a").await;
    let bob = connected(node.endpoint(), "bob").await;
    node.terminate();
    bob.closed().await;
    ann.closed().await;
    assert_eq!(node.wait().await.code(), Some(0), "{}", node.log());
    let ends: Vec<_> = backend.taken().into_iter().filter(|event| event["event"] == "disconnected").collect();
    let mut users: Vec<_> = ends.iter().map(|end| end["user"].as_str().unwrap()).collect();
    users.sort_unstable();
    assert_eq!(users, ["ann", "bob"]);
    assert!(
        ends.iter().all(|end| end["code"] == 3001 && end["reason"] == "this node restarts: reconnect"),
        "{ends:?}"
    );
    assert_eq!(
        backend.of("room:a"),
        ["channel_occupied ", "member_joined ann", "member_left ann", "channel_vacated "]
    );
}
