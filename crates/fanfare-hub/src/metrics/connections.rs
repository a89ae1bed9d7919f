//! Connections: opened, open, and closed by reason.
//!
//! A session is a connection from the moment its client is admitted ([`Sessions::admit`](crate::Sessions::admit)). So
//! the connections opened are those that are open and those that were closed.
//!
//! Invariant: a client cannot make series. Its close codes from the ranges that are free for applications count as
//! `3xxx` and `4xxx`; all other codes are a dialect's own, or RFC 6455's.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicI64, Ordering},
};

use fanfare_core::{Dialect, Disconnect};
use fanfare_metrics::Registrar;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::session::end::End;

/// The label of a connection that ended without a close code.
const NO_CODE: &str = "none";

/// The codes of RFC 6455 §7.4.1 and of IANA's registry that a client may send.
const CLIENT_CODES: [u16; 12] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];

/// Connections, by dialect, and those that were opened by transport too.
pub struct Connections {
    all: AtomicI64,
    open: IntGaugeVec,
    opened: IntCounterVec,
    closed: IntCounterVec,
}

impl Connections {
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let new = Registrar(registry);
        let opts = Opts::new("fanfare_connections", "Open connections, by dialect and transport");
        let open = new.register(IntGaugeVec::new(opts, &["dialect", "transport"])?)?;
        let opts = Opts::new(
            "fanfare_connections_opened_total",
            "Connections that were let in, by dialect and transport",
        );
        let opened = new.register(IntCounterVec::new(opts, &["dialect", "transport"])?)?;
        let opts = Opts::new(
            "fanfare_connections_closed_total",
            "Connections that ended, by dialect, close code (of those free for applications, a client's own are \
             3xxx and 4xxx; none where there was none), and reason",
        );
        let closed = new.register(IntCounterVec::new(opts, &["dialect", "code", "reason"])?)?;
        Ok(Self { all: AtomicI64::new(0), open, opened, closed })
    }

    /// Makes every series of a dialect over these transports, at 0.
    pub fn expect(&self, dialect: &dyn Dialect, transports: &[&str]) {
        for transport in transports {
            self.open.with_label_values(&[dialect.name(), transport]);
            self.opened.with_label_values(&[dialect.name(), transport]);
        }
        let clients = CLIENT_CODES.into_iter().chain([3000, 4000]).map(Some).chain([None]);
        let ends = clients.map(Disconnect::ByClient).chain(Disconnect::one_of_each());
        for disconnect in ends {
            let goodbye = dialect.goodbye(&disconnect);
            self.series(dialect, &End::new(disconnect, &goodbye));
        }
    }

    /// The number of open connections, of all dialects.
    #[must_use]
    pub fn count(&self) -> u64 {
        u64::try_from(self.all.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// A connection was opened.
    pub fn opened(&self, dialect: &dyn Dialect, transport: &str) {
        let labels = [dialect.name(), transport];
        self.all.fetch_add(1, Ordering::Relaxed);
        self.open.with_label_values(&labels).inc();
        self.opened.with_label_values(&labels).inc();
    }

    /// A connection ended.
    pub(crate) fn ended(&self, dialect: &dyn Dialect, transport: &str, end: &End) {
        self.all.fetch_sub(1, Ordering::Relaxed);
        self.open.with_label_values(&[dialect.name(), transport]).dec();
        self.series(dialect, end).inc();
    }

    fn series(&self, dialect: &dyn Dialect, end: &End) -> IntCounter {
        let is_clients = matches!(end.disconnect, Disconnect::ByClient(_));
        let code: Cow<'_, str> = match end.code {
            None => NO_CODE.into(),
            Some(3000..=3999) if is_clients => "3xxx".into(),
            Some(4000..) if is_clients => "4xxx".into(),
            Some(code) => code.to_string().into(),
        };
        self.closed.with_label_values(&[dialect.name(), &code, end.disconnect.name()])
    }
}
