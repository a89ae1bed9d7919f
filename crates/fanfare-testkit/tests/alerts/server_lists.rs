//! Nodes whose lists of servers differ.

use fanfare_testkit::{Process, redis_server};

use crate::provoked::Provoked;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn a_node_has_one_server_more() {
    let (one, two) = (redis_server().await, redis_server().await);
    let few = Process::start("node-1", &one.url()).await;
    let mut provoked = Provoked::watch(&[*few], &["FanfareServerListConflict"]).await;
    provoked.begins();
    let mut more = Process::start("node-2", &format!("{},{}", one.url(), two.url())).await;
    provoked.fires("FanfareServerListConflict", &[*few]).await;
    let fired = provoked.lasts();
    more.terminate();
    more.wait().await;
    provoked.is_over("FanfareServerListConflict", "a second node with one server more", fired).await;
}
