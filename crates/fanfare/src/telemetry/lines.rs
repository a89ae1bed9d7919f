//! Log lines go to standard error from a thread of their own, behind a bounded queue.
//!
//! Invariants
//! - A task that logs never waits for a reader of the log. If the queue is full, the line is dropped.
//! - A dropped line is counted in `fanfare_log_lines_dropped_total`, and so is one that could not be written.
//! - The thread takes no lock that other threads take: while it waits for a reader, only it waits.
//! - The end of the process waits for the log for a second at most.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    os::fd::AsFd,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::Duration,
};

use prometheus::{IntCounter, Registry};
use tracing_subscriber::fmt::MakeWriter;

use super::counter::counter;

/// The bytes that may wait: a few thousand lines.
const QUEUE_BYTES: usize = 1 << 20;

/// The most time that the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The pause before a descriptor that does not block is tried again.
const RETRY: Duration = Duration::from_millis(20);

static DROPPED: LazyLock<IntCounter> = LazyLock::new(|| {
    counter(
        "fanfare_log_lines_dropped_total",
        "Log lines that were not written, since standard error was not read or took no more",
    )
});

/// Registers the counter of dropped lines.
///
/// # Errors
/// The name is registered already.
pub fn register(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(DROPPED.clone()))
}

/// The queue of lines. Its clones share one thread, which ends with the process.
#[derive(Debug, Clone)]
pub struct Lines {
    queue: Sender<Entry>,
    queued: Arc<AtomicUsize>,
}

enum Entry {
    Line(Box<[u8]>),
    /// All lines before this entry were written.
    Flushed(SyncSender<()>),
}

impl Lines {
    /// Lines that go to standard error.
    ///
    /// # Errors
    /// Standard error cannot be duplicated, or its thread cannot be started.
    pub fn to_stderr() -> io::Result<Self> {
        Self::to(File::from(io::stderr().as_fd().try_clone_to_owned()?))
    }

    fn to(target: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, entries) = channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let lines = Self { queue, queued: queued.clone() };
        thread::Builder::new().name("log".into()).spawn(move || write_all(&entries, &queued, target))?;
        Ok(lines)
    }

    /// Queues one line, its end included, or drops it.
    pub fn push(&self, line: &[u8]) {
        let queued = self.queued.fetch_add(line.len(), Ordering::Relaxed);
        if queued + line.len() > QUEUE_BYTES || self.queue.send(Entry::Line(line.into())).is_err() {
            self.queued.fetch_sub(line.len(), Ordering::Relaxed);
            DROPPED.inc();
        }
    }

    /// Returns once all queued lines are written, or after a second.
    pub fn flush(&self) {
        let (flushed, told) = sync_channel(1);
        if self.queue.send(Entry::Flushed(flushed)).is_ok() {
            // Without a thread that reads, there is nothing to wait for.
            let _ = told.recv_timeout(LAST_LINES);
        }
    }

    /// The lines dropped so far by this process.
    #[must_use]
    pub fn dropped() -> u64 {
        DROPPED.get()
    }
}

fn write_all(entries: &Receiver<Entry>, queued: &AtomicUsize, mut target: impl Write) {
    for entry in entries {
        match entry {
            Entry::Line(line) => {
                if write_line(&mut target, &line).is_err() {
                    DROPPED.inc();
                }
                queued.fetch_sub(line.len(), Ordering::Relaxed);
            }
            // The process may have stopped waiting.
            Entry::Flushed(flushed) => drop(flushed.try_send(())),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it is the log's own thread that sleeps")]
fn rest() {
    thread::sleep(RETRY);
}

/// Writes a line. Other programs that share standard error can make it a descriptor that does not block.
fn write_line(target: &mut impl Write, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match target.write(line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => line = line.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => rest(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A layer writes each line with one call.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, pipe};

    use super::*;

    fn lines() -> (Lines, PipeReader) {
        let (read, write) = pipe().unwrap();
        (Lines::to(write).unwrap(), read)
    }

    #[test]
    fn lines_are_written_whole_and_in_order() {
        let (lines, mut read) = lines();
        (0..100).for_each(|number| lines.push(format!("line {number}\n").as_bytes()));
        lines.flush();
        drop(lines);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        let expected: String = (0..100).map(|number| format!("line {number}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn without_a_reader_lines_are_dropped_and_counted() {
        let (lines, mut read) = lines();
        let line = [b'x'; 1 << 10];
        let before = Lines::dropped();
        (0..4 << 10).for_each(|_| lines.push(&line));
        lines.flush();
        let dropped = Lines::dropped() - before;
        assert!(dropped >= 2 << 10, "{dropped} of 4096 were dropped: 1 MiB waits, and a pipe holds less");
        assert!(lines.queued.load(Ordering::Relaxed) <= QUEUE_BYTES);
        // The queued lines come out once the pipe is read.
        let mut written = vec![0; line.len() * ((4 << 10) - usize::try_from(dropped).unwrap())];
        read.read_exact(&mut written).unwrap();
        assert!(written.iter().all(|byte| *byte == b'x'));
    }

    #[test]
    fn a_closed_log_costs_its_lines_only() {
        let (lines, read) = lines();
        drop(read);
        let before = Lines::dropped();
        lines.push(b"to nobody\n");
        lines.flush();
        assert!(Lines::dropped() > before);
    }
}
