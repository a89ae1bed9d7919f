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

use crate::{
    assert_eventually,
    endpoint::{Endpoint, KEY},
    setup::{NO_GRACE, file, rare_pings},
    timeouts::within,
};

/// The variable that names the binary; by default, the binary is in cargo's folder.
const BIN: &str = "BIN";

/// The node's count of reloads.
const RELOADS: &str = "fanfare_config_reloads_total";

/// The socket comes as standard input and becomes the first inherited descriptor; `exec` keeps the process id.
const INHERIT: &str = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";

/// A node in a process of its own. Killed when dropped.
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
    /// `fanfare serve --listen 127.0.0.1:0 --node NAME --broker URL`. Returns once the node is ready.
    pub async fn start(name: &str, broker: &str) -> Self {
        let process = Self::start_unready(name, broker).await;
        process.is_ready().await;
        process
    }

    /// As [`start`](Self::start), with further variables in the environment.
    pub async fn start_with(name: &str, broker: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = node(binary(), "");
        command.args(["serve", "--listen", "127.0.0.1:0", "--node", name, "--broker", broker]);
        command.envs(environment.iter().copied());
        let process = Self::run(command, file("")).await;
        process.is_ready().await;
        process
    }

    /// As [`start_with`](Self::start_with), on an open socket: inherited, as systemd passes sockets on.
    ///
    /// # Panics
    /// If the socket cannot be passed on, or the binary is missing or ends at once.
    pub async fn start_on(
        socket: &TcpListener,
        name: &str,
        broker: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let (address, socket) = match socket.local_addr().and_then(|at| Ok((at, socket.try_clone()?))) {
            Ok(inherited) => inherited,
            Err(error) => panic!("the socket cannot be passed on: {error}"),
        };
        let mut command = node("sh".into(), "");
        command.args(["-c", INHERIT, "sh"]).arg(binary());
        command.args(["serve", "--listen", &address.to_string(), "--node", name, "--broker", broker]);
        command.envs(environment.iter().copied()).stdin(OwnedFd::from(socket));
        let process = Self::run(command, file("")).await;
        process.is_ready().await;
        process
    }

    /// `fanfare serve --listen 127.0.0.1:0 --node NAME --broker URL`. Returns once the node listens.
    ///
    /// # Panics
    /// If the binary is missing, or ends at once.
    pub async fn start_unready(name: &str, broker: &str) -> Self {
        Self::serve(&["--listen", "127.0.0.1:0", "--node", name, "--broker", broker], "").await
    }

    /// `fanfare serve` with these flags and this configuration file. Returns once the node listens.
    ///
    /// # Panics
    /// If the binary is missing, or ends at once.
    pub async fn serve(flags: &[&str], toml: &str) -> Self {
        Self::serve_with(flags, toml, &[]).await
    }

    /// As [`serve`](Self::serve), with further variables in the environment.
    ///
    /// # Panics
    /// If the binary is missing, or ends at once.
    pub async fn serve_with(flags: &[&str], toml: &str, environment: &[(&str, &str)]) -> Self {
        let (mut command, config) = (node(binary(), toml), file(toml));
        command.arg("serve").args(flags).arg("--config").arg(config.path());
        command.envs(environment.iter().copied());
        Self::run(command, config).await
    }

    /// As [`serve`](Self::serve), with an empty environment: without a key for the API, and with the default grace.
    ///
    /// # Panics
    /// If the binary is missing, or ends at once.
    pub async fn serve_alone(flags: &[&str], toml: &str) -> Self {
        let (mut command, config) = (command(binary()), file(toml));
        command.arg("serve").args(flags).arg("--config").arg(config.path());
        Self::run(command, config).await
    }

    /// As [`start_with`](Self::start_with), with a limit of open descriptors.
    pub async fn start_limited(descriptors: usize, environment: &[(&str, &str)]) -> Self {
        let mut command = node("sh".into(), "");
        command.arg("-c").arg(format!("ulimit -n {descriptors}; exec \"$@\"")).arg("sh").arg(binary());
        command.args(["serve", "--listen", "127.0.0.1:0", "--node", "test"]);
        command.envs(environment.iter().copied());
        let process = Self::run(command, file("")).await;
        process.is_ready().await;
        process
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

    /// Whether its output is read from now on. An unread pipe takes some 64 KiB.
    pub fn read_log(&self, is_read: bool) {
        self.reads.send_replace(is_read);
    }

    /// Runs `fanfare WORDS` with this configuration file and these variables, to its end.
    ///
    /// # Panics
    /// If the binary is missing, or does not end.
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
    /// If the process has ended.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGHUP.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Replaces the configuration file, and returns once the node has read it, with success or not.
    ///
    /// # Panics
    /// If the file cannot be written, or the node does not read it.
    pub async fn reload(&self, toml: &str) {
        self.reload_at(self.endpoint, toml).await;
    }

    /// As [`reload`](Self::reload), for a node with its metrics at this address.
    ///
    /// # Panics
    /// If the file cannot be written, or the node does not read it.
    pub async fn reload_at(&self, metrics: Endpoint, toml: &str) {
        let reloads = async || metrics.try_metrics().await.map(|all| all.sum(RELOADS)).unwrap_or_default();
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

    /// Sends SIGSTOP: its sockets stay open, and it reads and answers nothing.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    ///
    /// # Panics
    /// If the process has ended.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// The address for clients, which stays valid after the process.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The address of its metrics, from its first log line.
    ///
    /// # Panics
    /// If the line has no such address.
    #[must_use]
    pub fn metrics_endpoint(&self) -> Endpoint {
        match self.log.lock().lines().find_map(|line| listens_at(line, "metrics")) {
            Some(endpoint) => endpoint,
            None => panic!("the log names no address for metrics: {}", self.log.lock()),
        }
    }

    /// The log and the output so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// The process id.
    ///
    /// # Panics
    /// If the process has ended.
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
            panic!("{signal:?} cannot be sent: {error}; {}", self.log.lock());
        }
    }

    /// SIGKILL.
    ///
    /// # Panics
    /// If the process cannot be waited for.
    pub async fn kill(&mut self) {
        if let Err(error) = self.child.kill().await {
            panic!("fanfare was not killed: {error}");
        }
    }

    /// Waits until the node has logged this text, or written it to its standard error.
    pub async fn logs(&self, text: &str) {
        assert_eventually!(self.log.lock().contains(text), "fanfare logs {text:?}: {}", self.log.lock());
    }

    /// Waits for the end of the process. Where its log is read, [`log`](Self::log) has all of it afterwards.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn wait(&mut self) -> ExitStatus {
        let status = match within("fanfare ends", self.child.wait()).await {
            Ok(status) => status,
            Err(error) => panic!("fanfare cannot be waited for: {error}"),
        };
        if *self.reads.borrow() {
            within("its log ends", self.reads.closed()).await;
        }
        status
    }
}

impl Deref for Process {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// A program that runs a node of a test, with this configuration file.
fn node(program: PathBuf, toml: &str) -> Command {
    let mut command = command(program);
    command.env("FANFARE_API__KEYS", KEY).env("FANFARE_DRAIN__GRACE", NO_GRACE).envs(rare_pings(toml));
    command
}

/// A program without this process's configuration in its environment.
fn command(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    let ours = |name: &OsString| name.to_string_lossy().starts_with("FANFARE_");
    for (name, _) in env::vars_os().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// The binary. Tests are at `PROFILE/deps/NAME-HASH`, binaries at `PROFILE/NAME`.
fn binary() -> PathBuf {
    let beside = || {
        let this = env::current_exe().ok()?;
        let folder = this.ancestors().find(|folder| !folder.ends_with("deps") && folder.is_dir())?;
        Some(folder.join("fanfare"))
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

/// An address in the log line that the node writes when it listens.
fn listens_at(line: &str, list: &str) -> Option<Endpoint> {
    let line: Value = serde_json::from_str(line).ok()?;
    let addresses = line.get(list)?.as_str()?.trim_matches(['[', ']']);
    addresses.split(',').next()?.trim().parse().ok().map(Endpoint::new)
}
