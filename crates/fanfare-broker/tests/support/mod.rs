//! A server that answers as a test wants, and a proxy that leaves bytes behind.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fanfare_broker::BrokerConfig;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{broadcast, watch},
};

/// How a node reaches a port of this machine.
pub(crate) fn config(port: u16) -> BrokerConfig {
    format!("redis://127.0.0.1:{port}").parse().unwrap()
}

/// Which connection sent what, in order.
pub(crate) type Commands = Mutex<Vec<(usize, Vec<String>)>>;

/// Something that speaks as much of Redis as a test needs, and remembers each connection's commands.
pub(crate) struct FakeRedis {
    pub(crate) port: u16,
    pub(crate) commands: Arc<Commands>,
    /// Whether CLIENT KILL is answered.
    pub(crate) kills: watch::Sender<bool>,
    /// Changes when all connections are to be closed.
    pub(crate) cut: watch::Sender<usize>,
}

impl FakeRedis {
    pub(crate) async fn start(speaks_resp3: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (kills, may_kill) = watch::channel(true);
        let (cut, cuts) = watch::channel(0);
        let commands = Arc::new(Commands::default());
        let seen = commands.clone();
        let bus = broadcast::Sender::new(1024);
        tokio::spawn(async move {
            for id in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, may_kill, bus) = (seen.clone(), may_kill.clone(), bus.clone());
                let client = Client { id, speaks_resp3, seen, may_kill, bus };
                let mut cuts = cuts.clone();
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = client.serve(stream) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { port, commands, kills, cut }
    }

    /// Closes all connections.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Which connections were sent commands that begin so, in order.
    pub(crate) fn with(&self, words: &[&str]) -> Vec<usize> {
        let commands = self.commands.lock();
        commands.iter().filter(|(_, command)| command.starts_with_words(words)).map(|(id, _)| *id).collect()
    }
}

trait StartsWith {
    fn starts_with_words(&self, words: &[&str]) -> bool;
}

impl StartsWith for Vec<String> {
    fn starts_with_words(&self, words: &[&str]) -> bool {
        words.iter().zip(self).filter(|(a, b)| a == b).count() == words.len()
    }
}

struct Client {
    id: usize,
    speaks_resp3: bool,
    seen: Arc<Commands>,
    may_kill: watch::Receiver<bool>,
    /// What any client publishes: channel and message.
    bus: broadcast::Sender<[String; 2]>,
}

impl Client {
    async fn serve(mut self, mut stream: TcpStream) -> std::io::Result<()> {
        let (from, mut to) = stream.split();
        let mut from = BufReader::new(from);
        let mut published = self.bus.subscribe();
        let mut subscribed = Vec::new();
        loop {
            let mut command = std::pin::pin!(read_command(&mut from));
            // A command that began is read to its end.
            let command = loop {
                tokio::select! {
                    command = &mut command => break command?,
                    Ok([channel, message]) = published.recv() => if subscribed.contains(&channel) {
                        let [channel, message] = [channel, message].map(|text| format!("${}\r\n{text}\r\n", text.len()));
                        to.write_all(format!(">3\r\n$7\r\nmessage\r\n{channel}{message}").as_bytes()).await?;
                    }
                }
            };
            self.seen.lock().push((self.id, command.clone()));
            let id = self.id;
            let answer = match (command[0].as_str(), command[1].as_str()) {
                _ if !self.speaks_resp3 => {
                    format!("-ERR unknown command '{}', args: hunter2\r\n", command[0])
                }
                ("HELLO", _) => format!("%2\r\n+id\r\n:{id}\r\n+proto\r\n:3\r\n"),
                ("CLIENT", "INFO") => {
                    let info = format!("id={id} addr=127.0.0.1:{} sub=3\n", 10_000 + id);
                    format!("={}\r\ntxt:{info}\r\n", info.len() + 4)
                }
                ("CLIENT", "KILL") => {
                    self.may_kill.wait_for(|may| *may).await.unwrap();
                    ":1\r\n".to_owned()
                }
                ("SUBSCRIBE", _) => {
                    subscribed.extend_from_slice(&command[1..]);
                    let confirm = |name: &String| {
                        format!(">3\r\n$9\r\nsubscribe\r\n${}\r\n{name}\r\n:1\r\n", name.len())
                    };
                    command[1..].iter().map(confirm).collect()
                }
                ("PUBLISH", _) => {
                    let _ = self.bus.send([command[1].clone(), command[2].clone()]);
                    ":1\r\n".to_owned()
                }
                _ => "+OK\r\n".to_owned(),
            };
            to.write_all(answer.as_bytes()).await?;
        }
    }
}

async fn read_command(stream: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut word).await?;
        words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
    }
    Ok(words)
}

/// The number in a line like `*3` or `$7`.
async fn number(stream: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    line.get(1..)
        .and_then(|line| line.trim_end().parse().ok())
        .ok_or(std::io::ErrorKind::UnexpectedEof.into())
}

/// A proxy that can close its clients' connections and leave what they sent in the server's socket, which
/// stays open.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// How many bytes went to the server.
    pub(crate) forwarded: Arc<AtomicUsize>,
    /// How many connections there were.
    pub(crate) accepted: Arc<AtomicUsize>,
    cut: watch::Sender<usize>,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, cuts) = watch::channel(0);
        let forwarded = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::new(AtomicUsize::new(0));
        let (count, connections) = (forwarded.clone(), accepted.clone());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let upstream = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let mut cuts = cuts.clone();
                cuts.mark_unchanged();
                tokio::spawn(relay(client, upstream, count.clone(), cuts));
            }
        });
        Self { port, forwarded, accepted, cut }
    }

    pub(crate) fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    forwarded: Arc<AtomicUsize>,
    mut cuts: watch::Receiver<usize>,
) {
    {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = async {
            let mut buffer = vec![0; 64 << 10];
            loop {
                match from_client.read(&mut buffer).await {
                    Ok(length) if length > 0 => {
                        if to_server.write_all(&buffer[..length]).await.is_err() {
                            return;
                        }
                        forwarded.fetch_add(length, Ordering::SeqCst);
                    }
                    _ => return,
                }
            }
        };
        let down = tokio::io::copy(&mut from_server, &mut to_client);
        tokio::select! {
            () = up => return,
            _ = down => return,
            _ = cuts.changed() => {}
        }
    }
    drop(client);
    // For as long as the test runs.
    std::future::pending::<()>().await;
    drop(server);
}
