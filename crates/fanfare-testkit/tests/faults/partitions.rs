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

/// 400 clients on two nodes and three servers: half of them in channels of one server.
struct Divided {
    servers: [RedisServer; 3],
    fleet: Fleet,
    theirs: ClientGroup,
    others: ClientGroup,
}

impl Divided {
    async fn start(name: &'static str) -> Self {
        let servers = [redis_server().await, redis_server().await, redis_server().await];
        let broker = servers.each_ref().map(RedisServer::url).join(",");
        let [there, elsewhere] = channels(&broker, &servers[0]);
        let fleet = Fleet::start([&broker, &broker]).await;
        let theirs = ClientGroup::start_in(name, &fleet.endpoints(), &there).await;
        let others =
            ClientGroup::start_in("the channels of the two others", &fleet.endpoints(), &elsewhere).await;
        Self { servers, fleet, theirs, others }
    }

    fn fault_begins(&mut self) {
        self.theirs.fault_begins();
        self.others.fault_begins();
    }

    /// Waits until all is well, and judges: only clients of the one server notice anything.
    async fn fault_ended(mut self) {
        self.others.fault_ended().await;
        self.theirs.fault_ended().await;
        let (verdict, others) = (self.theirs.finish().await, self.others.finish().await);
        verdict.is_right();
        verdict.ended_only(|_, end| matches!(end, End::Refused | End::Unknown));
        others.is_right();
        others.ended_only(|_, _| false);
        assert_eq!(others.missed(), 0, "{others}");
        assert!(others.rejected.is_empty(), "{:?}", others.rejected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn one_of_three_servers_stops_for_10_s() {
    let mut divided = Divided::start("one of three stopped for 10 s").await;
    divided.fault_begins();
    divided.servers[0].stop_process().unwrap();
    divided.others.publishes_for(Duration::from_secs(10)).await;
    for node in &divided.fleet.nodes {
        let ready = node.endpoint().get("/readyz").await;
        assert_eq!(ready.status, 200, "the node serves the channels of the others");
        assert!(String::from_utf8_lossy(&ready.body).contains("partly up"));
    }
    divided.servers[0].continue_process().unwrap();
    divided.fault_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make faults"]
async fn one_of_three_servers_is_killed() {
    let mut divided = Divided::start("one of three killed and restarted").await;
    divided.fault_begins();
    divided.servers[0].kill().await.unwrap();
    divided.others.publishes_for(Duration::from_secs(2)).await;
    divided.servers[0].restart().await.unwrap();
    divided.fault_ended().await;
}
