//! A screen on a terminal, by ANSI escape sequences and the terminal's settings.
//!
//! A library (ratatui and its dependencies) would be thirty crates in a server's binary, for one table.
//!
//! Invariant: the terminal is left as it was found, on every way out: when [`Terminal`] is dropped, and by a panic
//! hook, because a panic in a release build ends the process before anything is dropped.

use std::{
    env,
    io::{self, IsTerminal, Read, Write, stdin, stdout},
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::sync::Notify;

use super::view::{Line, Look, Size};

/// Enters the other screen, without a cursor, and without breaking lines.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The size of a terminal that does not tell it.
const USUAL: Size = Size { width: 80, height: 24 };

/// Ctrl-C, which is a key here, and not a signal.
const CTRL_C: u8 = 3;

/// A terminal that shows our screen.
pub struct Terminal {
    found: Arc<Found>,
    has_colours: bool,
    quit: Arc<Notify>,
}

/// How the terminal was found. It is restored once: the second time would move the cursor over later output.
struct Found {
    settings: Option<Termios>,
    has_left: AtomicBool,
}

impl Found {
    /// Restores the terminal. Errors have no place to go.
    fn leave(&self) {
        if self.has_left.swap(true, Ordering::Relaxed) {
            return;
        }
        let _ = write(LEAVE);
        if let Some(settings) = &self.settings {
            let _ = tcsetattr(stdin(), OptionalActions::Now, settings);
        }
    }
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Its settings cannot be read or changed, or it cannot be written.
    pub fn enter() -> io::Result<Self> {
        let settings = if stdin().is_terminal() { Some(tcgetattr(stdin())?) } else { None };
        let found = Arc::new(Found { settings, has_left: AtomicBool::new(false) });
        let at_panic = found.clone();
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            at_panic.leave();
            usual(panic);
        }));
        let quit = Arc::new(Notify::new());
        let terminal = Self { found, has_colours: has_colours(), quit: quit.clone() };
        if let Some(settings) = &terminal.found.settings {
            tcsetattr(stdin(), OptionalActions::Now, &by_key(settings))?;
            // Reading blocks until a key comes, so nobody waits for this thread.
            std::thread::spawn(move || read_keys(&quit));
        }
        write(ENTER)?;
        Ok(terminal)
    }

    /// Its present size.
    #[must_use]
    pub fn size(&self) -> Size {
        match tcgetwinsize(stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { width: size.ws_col.into(), height: size.ws_row.into() }
            }
            _ => USUAL,
        }
    }

    /// Ends once the user wants to quit.
    pub async fn quit(&self) {
        self.quit.notified().await;
    }

    /// Shows these lines and nothing else.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub fn draw(&mut self, lines: &[Line]) -> io::Result<()> {
        write(&drawing(lines, self.has_colours))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.found.leave();
    }
}

/// Settings in which each key is read at once, is not shown, and is not a signal.
fn by_key(before: &Termios) -> Termios {
    let mut settings = before.clone();
    settings.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
    settings.special_codes[SpecialCodeIndex::VMIN] = 1;
    settings.special_codes[SpecialCodeIndex::VTIME] = 0;
    settings
}

fn write(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn read_keys(quit: &Notify) {
    let (mut input, mut keys) = (stdin().lock(), [0; 64]);
    while let Ok(count @ 1..) = input.read(&mut keys) {
        if keys.iter().take(count).any(|key| matches!(key, b'q' | b'Q' | &CTRL_C)) {
            quit.notify_one();
        }
    }
}

/// <https://no-color.org>
fn has_colours() -> bool {
    let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_plain && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Draws over the old lines, so that nothing flickers, and then clears the rest.
fn drawing(lines: &[Line], has_colours: bool) -> String {
    let mut text = String::from("\x1b[H");
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            text.push_str("\r\n");
        }
        for (look, piece) in line {
            match code(*look).filter(|_| has_colours) {
                Some(code) => text.push_str(&format!("\x1b[{code}m{piece}\x1b[0m")),
                None => text.push_str(piece),
            }
        }
        text.push_str("\x1b[K");
    }
    text.push_str("\x1b[J");
    text
}

/// Colours of the sixteen that every terminal has, and that every theme makes readable.
fn code(look: Look) -> Option<&'static str> {
    match look {
        Look::Plain => None,
        Look::Dim => Some("2"),
        Look::Bold => Some("1"),
        Look::Notice => Some("33"),
        Look::Alarm => Some("31"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_covers_the_old_lines() {
        let lines = [vec![(Look::Plain, "a ".to_owned()), (Look::Alarm, "away".to_owned())], Vec::new()];
        assert_eq!(drawing(&lines, true), "\x1b[Ha \x1b[31maway\x1b[0m\x1b[K\r\n\x1b[K\x1b[J");
        assert_eq!(drawing(&lines, false), "\x1b[Ha away\x1b[K\r\n\x1b[K\x1b[J");
    }
}
