//! A name of Redis that leads to another server from some moment on. Open connections stay where they are.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

/// See the head of this file.
pub(crate) struct Switch {
    pub(crate) port: u16,
    leads_to: Arc<AtomicU16>,
}

impl Switch {
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let leads_to = Arc::new(AtomicU16::new(server));
        let target = leads_to.clone();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let server = target.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    // Either side ended it.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { port, leads_to }
    }

    pub(crate) fn leads_to(&self, server: u16) {
        self.leads_to.store(server, Ordering::SeqCst);
    }
}
