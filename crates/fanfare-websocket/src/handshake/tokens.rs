//! Lists and tokens in header values (RFC 9110 sections 5.6.1 and 5.6.2).

use http::HeaderValue;

/// The elements of a comma-separated list of tokens, without the white space around them. Empty elements are skipped.
pub(super) fn elements(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Whether the bytes are a token: one or more of the characters that need no quotes.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// `tchar` of RFC 9110.
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Reads a header value from its start, skipping the white space before each item.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(value: &'a HeaderValue) -> Self {
        Self { rest: value.as_bytes().trim_ascii() }
    }

    pub(super) const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes `byte`, if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        self.rest = self.rest.trim_ascii_start();
        let eaten = self.rest.first() == Some(&byte);
        if eaten {
            self.rest = self.rest.get(1..).unwrap_or_default().trim_ascii_start();
        }
        eaten
    }

    /// Takes a token.
    pub(super) fn token(&mut self) -> Option<&'a [u8]> {
        let length = self.rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// Takes a token, or a quoted string whose contents are one (RFC 6455 section 9.1).
    pub(super) fn value(&mut self) -> Option<Vec<u8>> {
        let Some((b'"', mut rest)) = self.rest.split_first() else { return self.token().map(<[u8]>::to_vec) };
        let mut value = Vec::new();
        loop {
            let (first, after) = rest.split_first()?;
            let (byte, after) = match first {
                b'"' => {
                    self.rest = after;
                    return is_token(&value).then_some(value);
                }
                b'\\' => after.split_first()?,
                byte => (byte, after),
            };
            value.push(*byte);
            rest = after;
        }
    }
}
