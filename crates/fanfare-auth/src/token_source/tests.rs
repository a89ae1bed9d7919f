use http::{HeaderName, HeaderValue};

use super::*;

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln-_";

/// Header lines, and a query.
type Request<'a> = (&'a [(&'static str, &'a str)], Option<&'a str>);

fn sent(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines.iter().fold(HeaderMap::new(), |mut headers, &(name, value)| {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        headers
    })
}

fn find(lines: &[(&'static str, &str)], query: Option<&str>) -> Result<Option<String>, TokenSourceError> {
    let found = TokenSource::default().find(&sent(lines), query);
    found.map(|token| token.map(|token| token.reveal().to_owned()))
}

#[test]
fn a_token_is_found_in_each_place() {
    let table: &[Request<'_>] = &[
        (&[("authorization", &format!("Bearer {JWT}"))], None),
        (&[("authorization", &format!("bearer  {JWT} "))], None),
        (&[("authorization", "apikey 0123"), ("authorization", &format!("Bearer {JWT}"))], None),
        (&[("cookie", &format!("fanfare_token={JWT}"))], None),
        (&[("cookie", &format!("a=b; fanfare_token={JWT}; c=d"))], None),
        (&[("cookie", &format!("fanfare_token=\"{JWT}\""))], None),
        (&[("cookie", "a=b"), ("cookie", &format!("fanfare_token={JWT}"))], None),
        (&[], Some(&format!("token={JWT}"))),
        (&[], Some(&format!("a=b&token={}&c", JWT.replace('.', "%2E")))),
        (&[("sec-websocket-protocol", &format!("fanfare, token.{JWT}"))], None),
        (&[("sec-websocket-protocol", &format!("token.{JWT}")), ("sec-websocket-protocol", "mqtt")], None),
    ];
    for (lines, query) in table {
        assert_eq!(find(lines, *query), Ok(Some(JWT.into())), "{lines:?} {query:?}");
    }
}

#[test]
fn other_texts_are_not_tokens() {
    let table: &[Request<'_>] = &[
        (&[], None),
        (&[("authorization", "Bearer ")], None),
        (&[("authorization", "Bearer")], None),
        (&[("authorization", "Basic dXNlcjpwYXNz")], None),
        (&[("cookie", "fanfare_token=; other=x")], None),
        (&[("cookie", "my_fanfare_token=x; fanfare_token2=x; FANFARE_TOKEN=x")], None),
        (&[("sec-websocket-protocol", "fanfare, tokens.x")], None),
        (&[], Some("")),
        (&[], Some("token=")),
        (&[], Some("token")),
        (&[], Some("Token=x&mytoken=x&%74oken=x")),
    ];
    for (lines, query) in table {
        assert_eq!(find(lines, *query), Ok(None), "{lines:?} {query:?}");
    }
}

#[test]
fn two_different_tokens_are_refused() {
    let bearer = |token: &str| format!("Bearer {token}");
    let (ours, other) = (bearer(JWT), bearer("other"));
    let (cookie, offer) = (format!("fanfare_token={JWT}"), format!("fanfare, token.{JWT}"));
    let query = format!("token={JWT}");
    let same = find(
        &[("authorization", &ours), ("cookie", &cookie), ("sec-websocket-protocol", &offer)],
        Some(&format!("{query}&{query}")),
    );
    assert_eq!(same, Ok(Some(JWT.into())));

    let table: &[Request<'_>] = &[
        (&[("authorization", &ours), ("authorization", &other)], None),
        (&[("authorization", &other), ("cookie", &cookie)], None),
        (&[("cookie", &cookie), ("cookie", "fanfare_token=other")], None),
        (&[("cookie", &cookie)], Some("token=other")),
        (&[], Some("token=a&token=b")),
        (&[("sec-websocket-protocol", "fanfare, token.a, token.b")], None),
        (&[("sec-websocket-protocol", &offer)], Some("token=other")),
    ];
    for (lines, query) in table {
        assert_eq!(find(lines, *query), Err(TokenSourceError::Several), "{lines:?} {query:?}");
    }
}

#[test]
fn an_unreadable_token_names_its_place() {
    let unreadable = |place| Err(TokenSourceError::Unreadable { place });
    assert_eq!(find(&[("authorization", "Bearer a b")], None), unreadable("Authorization header"));
    assert_eq!(find(&[("cookie", "fanfare_token=a b")], None), unreadable("cookie"));
    assert_eq!(find(&[], Some("token=%ff")), unreadable("query"));
    assert_eq!(find(&[], Some("token=a%0Ab")), unreadable("query"));
    assert_eq!(find(&[("sec-websocket-protocol", "fanfare, token.a b")], None), unreadable("subprotocol"));
}

#[test]
fn a_token_subprotocol_is_never_the_answer() {
    assert!(is_token(format!("token.{JWT}").as_bytes()) && is_token(b"token."));
    assert!(!is_token(b"fanfare") && !is_token(b"tokens.x") && !is_token(b""));
    let two_tokens = [("sec-websocket-protocol", "token.x"), ("sec-websocket-protocol", "token.x")];
    assert_eq!(find(&two_tokens, None), Err(TokenSourceError::SubprotocolAlone));
    assert_eq!(find(&[("sec-websocket-protocol", "token.x")], None), Err(TokenSourceError::SubprotocolAlone));
}

#[test]
fn the_cookie_has_its_configured_name() {
    let source = TokenSource::new("__Host-session").unwrap();
    let headers = sent(&[("cookie", "fanfare_token=a; __Host-session=b")]);
    assert_eq!(source.find(&headers, None).unwrap().unwrap().reveal(), "b");
    assert_eq!(TokenSource::new(source.cookie()), Ok(source));
    for name in ["", "a b", "a=b", "a;b", "ä", "\"a\""] {
        assert_eq!(TokenSource::new(name), Err(CookieNameError), "{name}");
    }
}

#[test]
fn a_token_is_never_printed() {
    let token = Token("pl4nted".into());
    assert_eq!(format!("{token} {token:?} {:?}", Some(&token)), "*** Token(***) Some(Token(***))");
}
