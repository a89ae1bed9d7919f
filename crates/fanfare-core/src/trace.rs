//! The trace that a message belongs to, and the seam to whoever makes spans of it.
//!
//! Invariants
//! - A [`TraceContext`] is valid by W3C Trace Context, section 3.2: neither of its ids is all zeros.
//! - What is not sampled has no span and no context: nothing is written for it, and nothing allocated.

use std::net::IpAddr;

use crate::{Channel, PublishError, SessionId, Taken};

/// Names one span, so that others may be its children: W3C Trace Context's `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// How many bytes [`TraceContext::to_bytes`] makes.
    pub const BYTES: usize = 26;

    /// The only version that there is (section 3.2.1).
    const VERSION: u8 = 0;
    /// The flag that says that the span's caller records it (section 3.2.2.5.1).
    const SAMPLED: u8 = 1;

    /// The span of these ids; `None` where one of them is all zeros, which names nothing.
    #[must_use]
    pub fn new(trace: [u8; 16], span: [u8; 8], flags: u8) -> Option<Self> {
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, flags })
    }

    /// Reads the value of a `traceparent` header, `00-<trace id>-<span id>-<flags>` in lower-case hexadecimal; of a
    /// later version, what this one knows of it (section 4.3).
    #[must_use]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        let (fields, rest) = value.split_first_chunk::<55>()?;
        let [v1, v2, b'-', fields @ ..] = fields else { return None };
        let version = byte([*v1, *v2])?;
        let may_go_on = version != Self::VERSION && rest.first() == Some(&b'-');
        if version == 0xFF || !(rest.is_empty() || may_go_on) {
            return None;
        }
        let (trace, fields) = fields.split_first_chunk::<32>()?;
        let (span, fields) = fields.strip_prefix(b"-")?.split_first_chunk::<16>()?;
        let [b'-', f1, f2] = fields else { return None };
        Self::new(bytes(trace)?, bytes(span)?, byte([*f1, *f2])?)
    }

    /// Its binary form: version 0, the trace's id (16), the span's (8), the flags.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = [Self::VERSION].into_iter().chain(self.trace).chain(self.span).chain([self.flags]);
        bytes.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
        bytes
    }

    /// Reads what [`TraceContext::to_bytes`] makes; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[Self::VERSION], rest) = bytes.split_first_chunk()? else { return None };
        let (trace, rest) = rest.split_first_chunk::<16>()?;
        let (span, rest) = rest.split_first_chunk::<8>()?;
        let [flags] = rest else { return None };
        Self::new(*trace, *span, *flags)
    }

    /// The trace's id.
    #[must_use]
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace
    }

    /// The span's id.
    #[must_use]
    pub fn span_id(&self) -> [u8; 8] {
        self.span
    }

    /// The flags, as the header has them.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the span is recorded, and its children should be.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }
}

/// Two digits; the header knows lower case only.
fn byte(digits: [u8; 2]) -> Option<u8> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let [high, low] = digits.map(digit);
    Some(high? << 4 | low?)
}

fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (digits, []) = digits.as_chunks::<2>() else { return None };
    let mut bytes = [0; N];
    if digits.len() != N {
        return None;
    }
    for (place, digits) in bytes.iter_mut().zip(digits) {
        *place = byte(*digits)?;
    }
    Some(bytes)
}

/// Makes spans. It decides at the head of a trace whether that is sampled; who is under a span of a trace follows.
/// No method blocks.
pub trait Tracer: Send + Sync + 'static {
    /// A client asks for a WebSocket. The span ends with the status of the answer.
    fn handshake(&self, handshake: &Handshake<'_>) -> Option<Finish<u16>>;

    /// A message goes to the broker: the context is what its deliveries are under. The span ends with the broker's
    /// answer.
    fn publish(&self, publishing: &Publishing<'_>) -> Option<(TraceContext, Finish<Published>)>;

    /// A shard writes a publication to its members. The span ends with the number of them.
    fn fan_out(&self, delivery: &Delivery<'_>) -> Option<Finish<usize>>;
}

/// Ends a span, with what became of it. Where it is dropped, the span ends without a word.
pub type Finish<T> = Box<dyn FnOnce(T) + Send>;

/// What became of a publish.
pub type Published = Result<Taken, PublishError>;

/// What is known of a handshake when it begins.
#[derive(Debug, Clone, Copy)]
pub struct Handshake<'a> {
    /// The request's method, whatever the client made of it.
    pub method: &'a str,
    /// The path, without a query, which may hold a token.
    pub path: &'a str,
    /// The client's address.
    pub client: IpAddr,
    /// The client's `traceparent`. Anybody can send one: it makes nothing sampled that would not be.
    pub parent: Option<TraceContext>,
}

/// What is known of a publish when it begins.
#[derive(Debug, Clone, Copy)]
pub struct Publishing<'a> {
    /// Where to.
    pub channel: &'a Channel,
    /// How many bytes the payload has.
    pub bytes: usize,
    /// The session that publishes; `None` for the HTTP API.
    pub session: Option<SessionId>,
    /// The `traceparent` of who asked for it, if there is one.
    pub parent: Option<TraceContext>,
}

/// What is known of a fan-out when it begins.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Where it was published.
    pub channel: &'a Channel,
    /// How many bytes the payload has.
    pub bytes: usize,
    /// Which shard of the node.
    pub shard: usize,
    /// The publish, on whichever node it was.
    pub parent: TraceContext,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of W3C Trace Context, section 3.2.3.
    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(header: &str) -> Option<TraceContext> {
        TraceContext::from_header(header.as_bytes())
    }

    #[test]
    fn a_traceparent_is_read() {
        let context = read(HEADER).unwrap();
        assert_eq!(u128::from_be_bytes(context.trace_id()), 0x4bf92f3577b34da6a3ce929d0e0e4736);
        assert_eq!(u64::from_be_bytes(context.span_id()), 0x00f067aa0ba902b7);
        assert_eq!((context.flags(), context.is_sampled()), (1, true));
        assert!(!read(&HEADER.replace("-01", "-02")).unwrap().is_sampled(), "only the first flag says it");
        for later in
            ["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &HEADER.replace("00-", "01-")]
        {
            assert_eq!(read(later), Some(context), "{later}");
            assert_eq!(read(&format!("{later}-what-the-future-brings")), Some(context));
            assert_eq!(read(&format!("{later}.what")), None);
        }
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for header in [
            "",
            "00",
            &HEADER[..54],
            &format!("{HEADER}0"),
            &format!("{HEADER}-00"),
            &HEADER.replace("00-4", "ff-4"),
            &HEADER.replace("4bf9", "4BF9"),
            &HEADER.replace("4bf9", "4bg9"),
            &HEADER.replace("-01", "-0x"),
            &HEADER.replace('-', "_"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(read(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(trace: [u8; 16], span: [u8; 8], flags: u8) {
            let context = TraceContext::new(trace, span, flags);
            prop_assert_eq!(context.is_some(), trace != [0; 16] && span != [0; 8]);
            if let Some(context) = context {
                let bytes = context.to_bytes();
                prop_assert_eq!(TraceContext::from_bytes(&bytes), Some(context));
                prop_assert_eq!(TraceContext::from_bytes(&[&bytes[..], &[0]].concat()), None);
                prop_assert_eq!(TraceContext::from_bytes(&bytes[..25]), None);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let binary = TraceContext::from_bytes(&bytes);
            prop_assert!(binary.is_none_or(|context| context.to_bytes() == bytes[..]));
            prop_assert_eq!(TraceContext::from_header(&bytes), None);
        }
    }
}
