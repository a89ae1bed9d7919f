//! Filters of subscribes, from both encodings, and the mistakes in them.

use std::sync::Arc;

use fanfare_core::{
    Command, Request, TagFilter,
    filter::{Comparison, Condition, Test},
};

use super::{command, error_code, json, protobuf};

fn tag(test: Test) -> Condition {
    Condition::Tag { name: "k".to_owned(), test }
}

fn filter_of(request: &Request) -> &Arc<TagFilter> {
    let Request::Command(Command::Subscribe { options: Some(options), .. }) = request else {
        panic!("not a subscribe: {request:?}")
    };
    options.filter.as_ref().unwrap()
}

#[test]
fn each_filter_has_its_vectors() {
    let v = || "v".to_owned();
    let one = || "1".to_owned();
    for (tf, protobuf_frame, wanted) in [
        (
            r#"{"key":"k","cmp":"eq","val":"v"}"#,
            "1308022a0f0a01616a0a12016b1a026571220176",
            tag(Test::Is(v())),
        ),
        (
            r#"{"op":"and","nodes":[{"key":"k","cmp":"neq","val":"v"},{"op":"or","nodes":[{"key":"k","cmp":"in","vals":["w","v"]},{"key":"k","cmp":"nin","vals":["v"]}]},{"op":"not","nodes":[{"key":"k","cmp":"ex"}]},{"key":"k","cmp":"nex"}]}"#,
            "5708022a530a01616a4e0a03616e64320b12016b1a036e657122017632200a026f72320d12016b1a02696e2a01772a0176320b12016b1a036e696e2a0176320e0a036e6f74320712016b1a026578320812016b1a036e6578",
            Condition::All(vec![
                tag(Test::IsNot(v())),
                Condition::Any(vec![tag(Test::In(vec![v(), "w".to_owned()])), tag(Test::NotIn(vec![v()]))]),
                Condition::Not(Box::new(tag(Test::Exists))),
                tag(Test::Absent),
            ]),
        ),
        (
            r#"{"op":"or","nodes":[{"key":"k","cmp":"sw","val":"v"},{"key":"k","cmp":"ew","val":"v"},{"key":"k","cmp":"ct","val":"v"},{"key":"k","cmp":"gt","val":"1"},{"key":"k","cmp":"gte","val":"-1.5"},{"key":"k","cmp":"lt","val":"1"},{"key":"k","cmp":"lte","val":"1"}]}"#,
            "6608022a620a01616a5d0a026f72320a12016b1a027377220176320a12016b1a026577220176320a12016b1a026374220176320a12016b1a026774220131320e12016b1a0367746522042d312e35320a12016b1a026c74220131320b12016b1a036c7465220131",
            Condition::Any(vec![
                tag(Test::StartsWith(v())),
                tag(Test::EndsWith(v())),
                tag(Test::Contains(v())),
                tag(Test::Compares(Comparison::Greater, one())),
                tag(Test::Compares(Comparison::GreaterOrEqual, "-1.5".to_owned())),
                tag(Test::Compares(Comparison::Less, one())),
                tag(Test::Compares(Comparison::LessOrEqual, one())),
            ]),
        ),
    ] {
        let wanted = Arc::new(TagFilter::new(wanted).unwrap());
        let json_frame = format!(r#"{{"id":2,"subscribe":{{"channel":"a","tf":{tf}}}}}"#);
        let ((json_requests, json_end), (requests, end)) = (json(&json_frame), protobuf(protobuf_frame));
        assert_eq!((json_end, end), (None, None), "{tf}");
        assert_eq!(filter_of(&json_requests[0]), &wanted, "{tf}");
        assert_eq!(filter_of(&requests[0]), &wanted, "{tf}");
    }
}

fn frame(tf: &str) -> String {
    format!(r#"{{"id":2,"subscribe":{{"channel":"a","tf":{tf}}}}}"#)
}

#[test]
fn mistakes_in_filters_are_told() {
    let leaf = r#"{"key":"k","cmp":"ex"}"#;
    for tf in [
        "{}".to_owned(),
        r#"{"op":"xor"}"#.to_owned(),
        r#"{"op":"and"}"#.to_owned(),
        r#"{"op":"or","nodes":[]}"#.to_owned(),
        r#"{"op":"not"}"#.to_owned(),
        format!(r#"{{"op":"not","nodes":[{leaf},{leaf}]}}"#),
        format!(r#"{{"op":"and","nodes":[{leaf},{{}}]}}"#),
        r#"{"key":"k"}"#.to_owned(),
        r#"{"key":"k","cmp":"is","val":"v"}"#.to_owned(),
        r#"{"cmp":"eq","val":"v"}"#.to_owned(),
        r#"{"key":"k","cmp":"eq"}"#.to_owned(),
        r#"{"key":"k","cmp":"eq","val":"v","vals":["v"]}"#.to_owned(),
        r#"{"key":"k","cmp":"gt","vals":["1"]}"#.to_owned(),
        r#"{"key":"k","cmp":"in"}"#.to_owned(),
        r#"{"key":"k","cmp":"nin","val":"v","vals":["v"]}"#.to_owned(),
        r#"{"key":"k","cmp":"ex","val":"v"}"#.to_owned(),
        r#"{"key":"k","cmp":"nex","vals":["v"]}"#.to_owned(),
        format!(r#"{{"op":"and","nodes":[{}]}}"#, vec![leaf; TagFilter::MAX_NODES].join(",")),
        format!(r#"{{"key":"k","cmp":"eq","val":"{}"}}"#, "x".repeat(TagFilter::MAX_BYTES)),
        (0..TagFilter::MAX_DEPTH)
            .fold(leaf.to_owned(), |inner, _| format!(r#"{{"op":"not","nodes":[{inner}]}}"#)),
    ] {
        assert_eq!(error_code(&frame(&tf)), 107, "{tf}");
    }
}

#[test]
fn null_is_not_a_filter() {
    for tf in ["null", r#"{"key":"k","cmp":"ex","later":1}"#] {
        let Command::Subscribe { options: Some(options), .. } = command(&frame(tf)) else { panic!("{tf}") };
        assert_eq!(options.filter.is_none(), tf == "null");
    }
}

/// Deeper than either parser goes: the frame is not a command.
#[test]
fn the_deepest_filters_end_the_session() {
    let deep = (0..200).fold("{}".to_owned(), |inner, _| format!(r#"{{"op":"not","nodes":[{inner}]}}"#));
    assert!(json(&frame(&deep)).1.is_some());
}
