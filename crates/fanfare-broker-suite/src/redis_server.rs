//! A redis-server for one test, on a free port. The test can kill, freeze and restart it.

use std::{io, net::Ipv4Addr, process::Stdio, time::Duration};

use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

/// The time between two questions whether a new process answers, and their number.
const ASK_EVERY: Duration = Duration::from_millis(10);
const ASK_TIMES: usize = 1000;

/// How long a command of the test may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A redis-server process; killed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
    process: Option<Child>,
}

/// The reason why redis-server does not run.
#[derive(Debug, thiserror::Error)]
pub enum RedisServerError {
    /// redis-server is not installed.
    #[error("redis-server is not installed: on Debian, apt-get install redis-server")]
    Missing,
    /// The process ended at once.
    #[error("redis-server on port {0} ended before it answered: {1}")]
    Ended(u16, String),
    /// The process does not answer.
    #[error("redis-server on port {0} does not answer")]
    Silent(u16),
    /// Another error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl RedisServer {
    /// Starts one on a free port of 127.0.0.1, and returns once it answers. It keeps nothing on disk.
    ///
    /// # Errors
    /// A [`RedisServerError`].
    pub async fn start() -> Result<Self, RedisServerError> {
        Self::start_with(&[]).await
    }

    /// The same with further arguments of redis-server.
    ///
    /// # Errors
    /// A [`RedisServerError`].
    pub async fn start_with(arguments: &[&str]) -> Result<Self, RedisServerError> {
        let mut server = Self::prepare(arguments)?;
        // Another process may take the port between the look and the start.
        for _ in 0..3 {
            match server.restart().await {
                Err(RedisServerError::Ended(..)) => server.port = free_port()?,
                started => return started.map(|()| server),
            }
        }
        server.restart().await.map(|()| server)
    }

    /// A server that does not run yet. [`RedisServer::restart`] starts it.
    ///
    /// # Errors
    /// The server gets no port or no folder.
    pub fn prepare(arguments: &[&str]) -> Result<Self, RedisServerError> {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Ok(Self { port: free_port()?, arguments, folder: TempDir::new()?, process: None })
    }

    /// `redis://127.0.0.1:port`
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its TCP port, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of its process, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// Kills it. Its sockets are closed once this returns.
    ///
    /// # Errors
    /// Where the process cannot be waited for.
    pub async fn kill(&mut self) -> io::Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Kills it if it runs, and starts it again on the same port, empty. Returns once it answers.
    ///
    /// # Errors
    /// A [`RedisServerError`].
    pub async fn restart(&mut self) -> Result<(), RedisServerError> {
        self.kill().await?;
        let log = self.folder.path().join("log");
        let mut process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(self.folder.path())
            .arg("--logfile")
            .arg(&log)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => RedisServerError::Missing,
                _ => error.into(),
            })?;
        for _ in 0..ASK_TIMES {
            if process.try_wait()?.is_some() {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default().to_owned();
                return Err(RedisServerError::Ended(self.port, last));
            }
            if answers(self.port).await {
                self.process = Some(process);
                return Ok(());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Err(RedisServerError::Silent(self.port))
    }

    /// Freezes it (SIGSTOP): its sockets stay open, and it neither reads nor answers.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn stop_process(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Ends it at once (SIGKILL), without waiting for that.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill_process(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// Where it does not run.
    pub fn continue_process(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Runs a command on a connection of its own, as the default user without a password.
    ///
    /// # Errors
    /// An error of Redis, or that it cannot be reached.
    pub async fn run<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let patience = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&patience).await?;
        command.query_async(&mut connection).await
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = self.process.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
        Ok(kill_process(id, signal)?)
    }
}

pub(crate) fn free_port() -> io::Result<u16> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr().map(|address| address.port())
}

/// Whether a server on this port answers PING, also with an error.
pub(crate) async fn answers(port: u16) -> bool {
    let ping = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(b"PING\r\n").await?;
        stream.read_u8().await
    };
    matches!(ping.await, Ok(b'+' | b'-'))
}
