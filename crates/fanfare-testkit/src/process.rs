//! The real binary as a process, for tests of its signals and its exit code.

use std::{
    env,
    ffi::OsString,
    io,
    net::TcpListener,
    ops::Deref,
    os::fd::OwnedFd,
    path::PathBuf,
    process::{ExitStatus, Output, Stdio},
    sync::Arc,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
};

use crate::{Endpoint, KEY, Metrics, assert_eventually, setup::NO_GRACE, setup::file, within};

/// The variable that names the binary; without it, it is looked for where cargo puts it.
const BIN: &str = "BIN";

/// What a node counts once it has read its configuration again.
const RELOADS: &str = "fanfare_config_reloads_total";

/// The socket comes as standard input and becomes the first inherited descriptor; `exec` keeps the process's number.
const INHERIT: &str = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";

/// A node in a process of its own; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    endpoint: Endpoint,
    log: Arc<Mutex<String>>,
    /// Whether its log is read.
    reads: watch::Sender<bool>,
    config: NamedTempFile,
}

impl Process {
    /// `fanfare serve --listen 127.0.0.1:0 --node NAME --broker URL`; returns once it is ready.
    pub async fn start(name: &str, broker: &str) -> Self {
        let process = Self::start_unready(name, broker).await;
        process.is_ready().await;
        process
    }

    /// The same with further variables in its environment.
    pub async fn start_with(name: &str, broker: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = node(binary());
        command.args(["serve", "--listen", "127.0.0.1:0", "--node", name, "--broker", broker]);
        command.envs(environment.iter().copied());
        let process = Self::run(command, file("")).await;
        process.is_ready().await;
        process
    }

    /// The same on a socket that is there already: inherited, as systemd passes sockets on.
    ///
    /// # Panics
    /// Where the socket cannot be passed on, the binary is not there, or it ends at once.
    pub async fn start_on(
        socket: &TcpListener,
        name: &str,
        broker: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let (address, socket) = match socket.local_addr().and_then(|at| Ok((at, socket.try_clone()?))) {
            Ok(inherited) => inherited,
            Err(error) => panic!("no socket to pass on: {error}"),
        };
        let mut command = node("sh".into());
        command.args(["-c", INHERIT, "sh"]).arg(binary());
        command.args(["serve", "--listen", &address.to_string(), "--node", name, "--broker", broker]);
        command.envs(environment.iter().copied()).stdin(OwnedFd::from(socket));
        let process = Self::run(command, file("")).await;
        process.is_ready().await;
        process
    }

    /// `fanfare serve --listen 127.0.0.1:0 --node NAME --broker URL`; returns once it listens.
    ///
    /// # Panics
    /// Where the binary is not there, or ends at once.
    pub async fn start_unready(name: &str, broker: &str) -> Self {
        Self::serve(&["--listen", "127.0.0.1:0", "--node", name, "--broker", broker], "").await
    }

    /// `fanfare serve` with these flags and this configuration file; returns once it listens.
    ///
    /// # Panics
    /// Where the binary is not there, or ends at once.
    pub async fn serve(flags: &[&str], toml: &str) -> Self {
        Self::serve_with(flags, toml, &[]).await
    }

    /// The same with further variables in its environment.
    ///
    /// # Panics
    /// Where the binary is not there, or ends at once.
    pub async fn serve_with(flags: &[&str], toml: &str, environment: &[(&str, &str)]) -> Self {
        let (mut command, config) = (node(binary()), file(toml));
        command.arg("serve").args(flags).arg("--config").arg(config.path());
        command.envs(environment.iter().copied());
        Self::run(command, config).await
    }

    /// The same, with nothing else in its environment: no key of the API, and the usual grace.
    ///
    /// # Panics
    /// Where the binary is not there, or ends at once.
    pub async fn serve_alone(flags: &[&str], toml: &str) -> Self {
        let (mut command, config) = (command(binary()), file(toml));
        command.arg("serve").args(flags).arg("--config").arg(config.path());
        Self::run(command, config).await
    }

    async fn run(mut command: Command, config: NamedTempFile) -> Self {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("fanfare could not be started: {error}"),
        };
        let log = Arc::new(Mutex::new(String::new()));
        let (reads, is_read) = watch::channel(true);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        stdout.map(|stdout| tokio::spawn(keep(stdout, log.clone(), is_read.clone())));
        stderr.map(|stderr| tokio::spawn(keep(stderr, log.clone(), is_read)));
        let listening = || log.lock().lines().find_map(|line| listens_at(line, "addresses"));
        assert_eventually!(
            listening().is_some() || matches!(child.try_wait(), Ok(Some(_))),
            "fanfare listens: {}",
            log.lock()
        );
        let Some(endpoint) = listening() else { panic!("fanfare ended at once: {}", log.lock()) };
        Self { child, endpoint, log, reads, config }
    }

    /// Whether its output is read from now on. A pipe that is not read takes some 64 KiB, then no more.
    pub fn read_log(&self, is_read: bool) {
        self.reads.send_replace(is_read);
    }

    /// `fanfare WORDS` with this configuration file and these variables, to its end.
    ///
    /// # Panics
    /// Where the binary is not there, or does not end.
    pub async fn once(words: &[&str], toml: &str, variables: &[(&str, &str)]) -> Output {
        let (mut command, config) = (command(binary()), file(toml));
        command.args(words).arg("--config").arg(config.path()).envs(variables.iter().copied());
        match within("fanfare ends", command.output()).await {
            Ok(output) => output,
            Err(error) => panic!("fanfare could not be started: {error}"),
        }
    }

    /// SIGTERM.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGHUP.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Gives it another configuration file, and returns once it has read that, whatever became of it.
    ///
    /// # Panics
    /// Where the file cannot be written, or nothing reads it.
    pub async fn reload(&self, toml: &str) {
        self.reload_at(self.endpoint, toml).await;
    }

    /// The same, where its metrics are elsewhere.
    ///
    /// # Panics
    /// Where the file cannot be written, or nothing reads it.
    pub async fn reload_at(&self, metrics: Endpoint, toml: &str) {
        let reloads = async || Metrics::of(metrics).await.map(|all| all.sum(RELOADS)).unwrap_or_default();
        let before = reloads().await;
        if let Err(error) = std::fs::write(&self.config, toml) {
            panic!("the configuration file cannot be written: {error}");
        }
        self.hang_up();
        assert_eventually!(
            before.total_cmp(&reloads().await).is_lt(),
            "fanfare reads its configuration: {}",
            self.log.lock()
        );
    }

    /// SIGSTOP: its sockets stay open, and nothing is read or answered.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Where it listens, for who outlives it.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Where its metrics are, as it said when it began to listen.
    ///
    /// # Panics
    /// Where they are nowhere.
    #[must_use]
    pub fn metrics_endpoint(&self) -> Endpoint {
        match self.log.lock().lines().find_map(|line| listens_at(line, "metrics")) {
            Some(endpoint) => endpoint,
            None => panic!("no metrics: {}", self.log.lock()),
        }
    }

    /// What it logged and printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// The process's number.
    ///
    /// # Panics
    /// Where it has ended already.
    #[must_use]
    pub fn id(&self) -> u32 {
        match self.child.id() {
            Some(id) => id,
            None => panic!("fanfare has ended: {}", self.log.lock()),
        }
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let sent = id
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
            .and_then(|id| Ok(kill_process(id, signal)?));
        if let Err(error) = sent {
            panic!("no {signal:?} to fanfare: {error}; {}", self.log.lock());
        }
    }

    /// SIGKILL.
    ///
    /// # Panics
    /// Where it cannot be waited for.
    pub async fn kill(&mut self) {
        if let Err(error) = self.child.kill().await {
            panic!("fanfare was not killed: {error}");
        }
    }

    /// Returns once it has logged this, or written it otherwise to its standard error.
    pub async fn logs(&self, text: &str) {
        assert_eventually!(self.log.lock().contains(text), "fanfare logs {text:?}: {}", self.log.lock());
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it does not end.
    pub async fn wait(&mut self) -> ExitStatus {
        match within("fanfare ends", self.child.wait()).await {
            Ok(status) => status,
            Err(error) => panic!("fanfare cannot be waited for: {error}"),
        }
    }
}

impl Deref for Process {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// A program that runs a node of a test.
fn node(program: PathBuf) -> Command {
    let mut command = command(program);
    command.env("FANFARE_API__KEYS", KEY).env("FANFARE_DRAIN__GRACE", NO_GRACE);
    command
}

/// A program, with nothing of this process's configuration in its environment.
fn command(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    let ours = |name: &OsString| name.to_string_lossy().starts_with("FANFARE_");
    for (name, _) in env::vars_os().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Tests are at `PROFILE/deps/NAME-HASH`, binaries at `PROFILE/NAME`.
fn binary() -> PathBuf {
    let beside = || {
        let test = env::current_exe().ok()?;
        Some(test.parent()?.parent()?.join("fanfare"))
    };
    let binary = env::var_os(BIN).map(PathBuf::from).or_else(beside).unwrap_or_default();
    assert!(
        binary.is_file(),
        "the fanfare binary is not at {}: build it with `cargo build -p fanfare`, or name it in {BIN}",
        binary.display()
    );
    binary
}

async fn keep(output: impl AsyncRead + Unpin, log: Arc<Mutex<String>>, mut is_read: watch::Receiver<bool>) {
    let mut lines = BufReader::new(output).lines();
    while is_read.wait_for(|is_read| *is_read).await.is_ok()
        && let Ok(Some(line)) = lines.next_line().await
    {
        let mut log = log.lock();
        log.push_str(&line);
        log.push('\n');
    }
}

/// What the log line says that the node writes when it listens.
fn listens_at(line: &str, list: &str) -> Option<Endpoint> {
    let line: Value = serde_json::from_str(line).ok()?;
    let addresses = line.get(list)?.as_str()?.trim_matches(['[', ']']);
    addresses.split(',').next()?.trim().parse().ok().map(Endpoint::new)
}
