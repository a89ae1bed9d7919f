//! The trace of a message, and the seam to the tracer.
//!
//! Invariants
//! - A [`TraceContext`] is valid by W3C Trace Context, section 3.2: neither of its ids is all zeros.
//! - Without sampling a message has neither span nor context: nothing is written, and nothing is allocated.

use std::net::IpAddr;

use crate::{Channel, PublishError, SessionId, Taken};

/// Identifies one span, so that others may be its children: W3C Trace Context's `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// The number of bytes of [`TraceContext::to_bytes`].
    pub const BYTES: usize = 26;

    /// The only version that exists (section 3.2.1).
    const VERSION: u8 = 0;
    /// The flag of a span that its caller records (section 3.2.2.5.1).
    const SAMPLED: u8 = 1;

    /// The span of these ids; `None` where one of them is all zeros, which is not an id.
    #[must_use]
    pub fn new(trace: [u8; 16], span: [u8; 8], flags: u8) -> Option<Self> {
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, flags })
    }

    /// Reads the value of a `traceparent` header, `00-<trace id>-<span id>-<flags>` in lower-case hexadecimal. From a
    /// later version it reads the fields of this one (section 4.3).
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

    /// The binary form: version 0, the trace's id (16), the span's id (8), the flags.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = [Self::VERSION].into_iter().chain(self.trace).chain(self.span).chain([self.flags]);
        bytes.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
        bytes
    }

    /// Reads the form of [`TraceContext::to_bytes`]; `None` for anything else.
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

    /// The flags, as in the header.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the span is recorded, and its children should be too.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }
}

/// The value of two digits. The header has lower case only.
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

/// Makes spans. It decides at the root of a trace whether the trace is sampled; child spans follow that. No method
/// blocks.
pub trait Tracer: Send + Sync + 'static {
    /// A handshake begins. The span ends with the status of the answer.
    fn handshake(&self, handshake: &Handshake<'_>) -> Option<Finish<u16>>;

    /// A publish goes to the broker. The context is the parent of its deliveries. The span ends with the broker's
    /// answer.
    fn publish(&self, publishing: &Publishing<'_>) -> Option<(TraceContext, Finish<Published>)>;

    /// A shard writes a publication to its members. The span ends with their number.
    fn fan_out(&self, delivery: &Delivery<'_>) -> Option<Finish<usize>>;
}

/// Ends a span with a result. Where it is dropped, the span ends without one.
pub type Finish<T> = Box<dyn FnOnce(T) + Send>;

/// The result of a publish.
pub type Published = Result<Taken, PublishError>;

/// A handshake that begins.
#[derive(Debug, Clone, Copy)]
pub struct Handshake<'a> {
    /// The request's method, as the client sent it.
    pub method: &'a str,
    /// The path, without a query, which may hold a token.
    pub path: &'a str,
    /// The client's address.
    pub client: IpAddr,
    /// The client's `traceparent`. Any client can send one, so it does not cause sampling.
    pub parent: Option<TraceContext>,
}

/// A publish that begins.
#[derive(Debug, Clone, Copy)]
pub struct Publishing<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The number of bytes of the payload.
    pub bytes: usize,
    /// The session that publishes; `None` for the HTTP API.
    pub session: Option<SessionId>,
    /// The caller's `traceparent`, if it sent one.
    pub parent: Option<TraceContext>,
}

/// A fan-out that begins.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The number of bytes of the payload.
    pub bytes: usize,
    /// The index of the shard.
    pub shard: usize,
    /// The span of the publish, on any node.
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
        assert!(!read(&HEADER.replace("-01", "-02")).unwrap().is_sampled(), "only the first flag counts");
        for later in
            ["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &HEADER.replace("00-", "01-")]
        {
            assert_eq!(read(later), Some(context), "{later}");
            assert_eq!(read(&format!("{later}-a-later-field")), Some(context));
            assert_eq!(read(&format!("{later}.what")), None);
        }
    }

    #[test]
    fn an_invalid_traceparent_is_none() {
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
        fn a_context_is_read_back(trace: [u8; 16], span: [u8; 8], flags: u8) {
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
