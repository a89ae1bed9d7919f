//! The parameters of a query: the part of an address behind `?`.

use bytes::Bytes;
use percent_encoding::percent_decode;

/// The parameters of a query, decoded, in their order. A `+` is a space, as in forms.
pub(crate) fn parameters(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// The parameter with the first message of a client.
const CONNECT: &str = "cf_connect";

/// The first message of a client, where its address has it.
pub(crate) fn connect_of(query: Option<&str>) -> Option<Bytes> {
    parameters(query).find(|(name, _)| name == CONNECT).map(|(_, value)| value.into())
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let of = |query| parameters(query).collect::<Vec<_>>();
        assert_eq!(of(None), []);
        assert_eq!(of(Some("&")), []);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(of(Some("a=b%3Ac&d&e=f+g=h")), [pair("a", "b:c"), pair("d", ""), pair("e", "f g=h")]);
        assert_eq!(of(Some("%ff=1")), [pair("\u{fffd}", "1")]);
    }
}
