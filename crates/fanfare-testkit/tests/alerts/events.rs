//! The alerts about events, for which the operator's backend is away.

use fanfare_testkit::{Backend, Process, backend::AWAY, redis_server};

use crate::provoked::Provoked;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make alerts"]
async fn the_backend_is_away() {
    let (redis, backend) = (redis_server().await, Backend::start(200).await);
    let toml =
        format!("[hooks]\nevents = \"http://{}/events\"\n[[namespace]]\nevents = true\n", backend.address);
    let flags = ["--listen", "127.0.0.1:0", "--node", "node-1", "--broker", &redis.url()];
    let node = Process::serve(&flags, &toml).await;
    node.is_ready().await;
    let [waiting, dropped] = ["FanfareEventsWaiting", "FanfareEventsDropped"];
    let mut provoked = Provoked::watch(&[*node], &[waiting, dropped]).await;
    provoked.begins();
    backend.answers(AWAY);
    let _occupies = node.connect("/ws/a").await;
    provoked.fires(waiting, &[*node]).await;
    let waited = provoked.lasts();
    // The outbox is full.
    let fill = "for i = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'e', 'occupied', 'c', 'old') end";
    redis.run::<()>(redis::cmd("EVAL").arg(fill).arg(1).arg("fanfare!events")).await.unwrap();
    let _occupies = node.connect("/ws/b").await;
    provoked.fires(dropped, &[*node]).await;
    let fell = provoked.lasts();
    provoked.is_over(dropped, "100,000 events, and one more", fell).await;
    backend.answers(200);
    provoked.is_over(waiting, "a backend that answers 503", waited).await;
}
