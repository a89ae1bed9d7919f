//! A server that answers as a test wants.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{broadcast, watch},
};

/// The commands in order, each with the connection that sent it.
pub(crate) type Commands = Mutex<Vec<(usize, Vec<String>)>>;

/// A server that knows as much of Redis as a test needs, and records the commands of each connection.
pub(crate) struct FakeRedis {
    pub(crate) port: u16,
    pub(crate) commands: Arc<Commands>,
    /// Whether CLIENT KILL is answered.
    pub(crate) kills: watch::Sender<bool>,
    /// Whether CLIENT INFO is answered.
    pub(crate) informs: watch::Sender<bool>,
    /// Changes when all connections are to be closed.
    pub(crate) cut: watch::Sender<usize>,
}

impl FakeRedis {
    pub(crate) async fn start(speaks_resp3: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (kills, may_kill) = watch::channel(true);
        let (informs, may_inform) = watch::channel(true);
        let (cut, cuts) = watch::channel(0);
        let commands = Arc::new(Commands::default());
        let seen = commands.clone();
        let bus = broadcast::Sender::new(1024);
        tokio::spawn(async move {
            for id in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, may_kill, bus) = (seen.clone(), may_kill.clone(), bus.clone());
                let may_inform = may_inform.clone();
                let client = Client { id, speaks_resp3, seen, may_kill, may_inform, bus };
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
        Self { port, commands, kills, informs, cut }
    }

    /// Closes all connections.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// The connections that sent commands with these first words, in order.
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
    may_inform: watch::Receiver<bool>,
    /// The publications of all clients: channel and message.
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
            // A command is read to its end.
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
            let second = command.get(1).map(String::as_str).unwrap_or_default();
            let answer = match (command[0].as_str(), second) {
                _ if !self.speaks_resp3 => {
                    format!("-ERR unknown command '{}', args: hunter2\r\n", command[0])
                }
                ("HELLO", _) => format!("%2\r\n+id\r\n:{id}\r\n+proto\r\n:3\r\n"),
                ("CLIENT", "INFO") => {
                    self.may_inform.wait_for(|may| *may).await.unwrap();
                    let (port, held) = (10_000 + id, subscribed.len());
                    let info = format!("id={id} addr=127.0.0.1:{port} sub={held}\n");
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
