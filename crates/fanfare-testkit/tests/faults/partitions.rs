//! Three servers of Redis. One fails while 400 clients publish: half of them in its channels.

use std::time::Duration;

use fanfare_broker::BrokerConfig;
use fanfare_core::Channel;
use fanfare_testkit::{ClientGroup, Fleet, RedisServer, client_group::record::End, redis_server};

/// Eight channels of one of the servers, and eight of the others.
fn channels(broker: &str, server: &RedisServer) -> [Vec<String>; 2] {
    let broker: BrokerConfig = broker.parse().unwrap();
    let name = format!("127.0.0.1:{}", server.port());
    let is_there = |channel: &Channel| match &broker {
        BrokerConfig::Several(servers) => servers.of(channel).is_some_and(|server| server.name() == name),
        _ => false,
    };
    let all = || (0..).map(|number| Channel::new(&format!("room-{number}")).unwrap());
    let there = all().filter(is_there).take(8).map(|channel| channel.to_string()).collect();
    let elsewhere = all().filter(|channel| !is_there(channel)).take(8);
    [there, elsewhere.map(|channel| channel.to_string()).collect()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn one_of_three_servers_stops_for_10_s() {
    let servers = [redis_server().await, redis_server().await, redis_server().await];
    let broker = servers.each_ref().map(RedisServer::url).join(",");
    let [there, elsewhere] = channels(&broker, &servers[0]);
    let fleet = Fleet::start([&broker, &broker]).await;
    let mut theirs = ClientGroup::start_in("one of three stopped for 10 s", &fleet.endpoints(), &there).await;
    let mut others =
        ClientGroup::start_in("the channels of the two others", &fleet.endpoints(), &elsewhere).await;
    theirs.fault_begins();
    others.fault_begins();
    servers[0].stop_process().unwrap();
    others.publishes_for(Duration::from_secs(10)).await;
    for node in &fleet.nodes {
        let ready = node.endpoint().get("/readyz").await;
        assert_eq!(ready.status, 200, "the node serves the channels of the others");
        assert!(String::from_utf8_lossy(&ready.body).contains("partly up"));
    }
    servers[0].continue_process().unwrap();
    others.fault_ended().await;
    theirs.fault_ended().await;
    let (verdict, others) = (theirs.finish().await, others.finish().await);
    verdict.is_right();
    verdict.ended_only(|_, end| matches!(end, End::Refused | End::Unknown));
    others.is_right();
    others.ended_only(|_, _| false);
    assert_eq!(others.missed(), 0, "{others}");
    assert!(others.rejected.is_empty(), "{:?}", others.rejected);
}
