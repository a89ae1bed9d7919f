//! Each test of a tag, the bounds, and trees by chance against a plain model.

use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::*;

fn tags(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn tag(test: Test) -> Condition {
    Condition::Tag { name: "k".to_owned(), test }
}

fn passes(test: Test, value: Option<&str>) -> bool {
    let tags = value.map(|value| tags(&[("j", "x"), ("k", value)])).unwrap_or_default();
    TagFilter::new(tag(test)).unwrap().matches(&tags)
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn each_test_passes_what_it_says() {
    let b = || "b".to_owned();
    let list = || texts(&["b", "a"]);
    for (test, passing, others) in [
        (Test::Is(b()), vec![Some("b")], vec![Some("a"), Some(""), None]),
        (Test::IsNot(b()), vec![Some("a"), None], vec![Some("b")]),
        (Test::In(list()), vec![Some("a"), Some("b")], vec![Some("c"), None]),
        (Test::NotIn(list()), vec![Some("c"), None], vec![Some("a"), Some("b")]),
        (Test::In(texts(&[""])), vec![Some(""), None], vec![Some("a")]),
        (Test::Exists, vec![Some("a"), Some("")], vec![None]),
        (Test::Absent, vec![None], vec![Some("")]),
        (Test::StartsWith(b()), vec![Some("b"), Some("bc")], vec![Some("ab"), None]),
        (Test::EndsWith(b()), vec![Some("b"), Some("ab")], vec![Some("bc"), None]),
        (Test::Contains(b()), vec![Some("abc")], vec![Some("ac"), None]),
    ] {
        for value in passing {
            assert!(passes(test.clone(), value), "{test:?} {value:?}");
        }
        for value in others {
            assert!(!passes(test.clone(), value), "{test:?} {value:?}");
        }
    }
}

#[test]
fn decimals_compare_exactly() {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    for (value, number, ordering) in [
        ("10", "9", Ordering::Greater),
        ("0010", "10.00", Ordering::Equal),
        ("+1", "1", Ordering::Equal),
        ("-0", "0.0", Ordering::Equal),
        ("-2", "-10", Ordering::Greater),
        ("-1", "0.5", Ordering::Less),
        ("0.1", "0.09", Ordering::Greater),
        ("99999999999999999999.0000000001", "99999999999999999999", Ordering::Greater),
    ] {
        for (comparison, wanted) in [
            (Greater, ordering.is_gt()),
            (GreaterOrEqual, ordering.is_ge()),
            (Less, ordering.is_lt()),
            (LessOrEqual, ordering.is_le()),
        ] {
            let test = || Test::Compares(comparison, number.to_owned());
            assert_eq!(passes(test(), Some(value)), wanted, "{value} {comparison:?} {number}");
        }
    }
}

#[test]
fn what_is_not_decimal_compares_to_nothing() {
    for text in ["", "-", "+", ".", "1.", ".5", "1e3", " 1", "1,5", "--1", "x", "١"] {
        for comparison in [Comparison::GreaterOrEqual, Comparison::LessOrEqual] {
            assert!(!passes(Test::Compares(comparison, "0".to_owned()), Some(text)), "{text:?}");
            assert!(!passes(Test::Compares(comparison, text.to_owned()), Some("0")), "{text:?}");
        }
    }
    assert!(!passes(Test::Compares(Comparison::LessOrEqual, "0".to_owned()), None));
}

#[test]
fn conditions_combine() {
    let is =
        |name: &str, value: &str| Condition::Tag { name: name.to_owned(), test: Test::Is(value.to_owned()) };
    let both = TagFilter::new(Condition::All(vec![is("a", "1"), is("b", "2")])).unwrap();
    let either = TagFilter::new(Condition::Any(vec![is("a", "1"), is("b", "2")])).unwrap();
    let not = TagFilter::new(Condition::Not(Box::new(is("a", "1")))).unwrap();
    let results = |of: &[(&str, &str)]| {
        let tags = tags(of);
        [both.matches(&tags), either.matches(&tags), not.matches(&tags)]
    };
    assert_eq!(results(&[("a", "1"), ("b", "2")]), [true, true, false]);
    assert_eq!(results(&[("a", "1"), ("b", "3")]), [false, true, false]);
    assert_eq!(results(&[]), [false, false, true]);
    assert_eq!(results(&[("a", "1"), ("a", "2")]), [false, false, true], "the last tag counts");
}

#[test]
fn the_bounds_hold() {
    let nested = |depth: usize| {
        let leaf = tag(Test::Exists);
        TagFilter::new((1..depth).fold(leaf, |inner, _| Condition::Not(Box::new(inner))))
    };
    assert!(nested(TagFilter::MAX_DEPTH).is_ok());
    assert_eq!(nested(TagFilter::MAX_DEPTH + 1), Err(FilterError::TooDeep));
    let wide = |nodes: usize| TagFilter::new(Condition::All(vec![tag(Test::Exists); nodes - 1]));
    assert!(wide(TagFilter::MAX_NODES).is_ok());
    assert_eq!(wide(TagFilter::MAX_NODES + 1), Err(FilterError::TooManyNodes));
    let long = |bytes: usize| TagFilter::new(tag(Test::Is("x".repeat(bytes - 1))));
    assert!(long(TagFilter::MAX_BYTES).is_ok());
    assert_eq!(long(TagFilter::MAX_BYTES + 1), Err(FilterError::TooLong));
    let list = TagFilter::new(tag(Test::In(vec![String::new(); TagFilter::MAX_BYTES / 8])));
    assert_eq!(list, Err(FilterError::TooLong));
}

#[test]
fn lists_in_another_order_are_equal() {
    let hash = |filter: &TagFilter| {
        let mut hasher = DefaultHasher::new();
        filter.hash(&mut hasher);
        hasher.finish()
    };
    let of = |list| TagFilter::new(tag(Test::In(texts(list)))).unwrap();
    let (one, other) = (of(&["a", "b"]), of(&["b", "a", "b"]));
    assert_eq!((&one, hash(&one)), (&other, hash(&other)));
    assert_ne!(one, of(&["a"]));
}

fn any_test() -> impl Strategy<Value = Test> {
    let text = "[ab]{0,2}";
    prop_oneof![
        text.prop_map(Test::Is),
        text.prop_map(Test::IsNot),
        prop::collection::vec(text, 1..4).prop_map(Test::In),
        prop::collection::vec(text, 1..4).prop_map(Test::NotIn),
        Just(Test::Exists),
        Just(Test::Absent),
        text.prop_map(Test::Contains),
    ]
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let leaf = ("[xy]", any_test()).prop_map(|(name, test)| Condition::Tag { name, test });
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

/// The condition without `Not`, and with each list as single texts: by De Morgan it says the opposite where
/// `is_negated`.
fn expanded(condition: &Condition, is_negated: bool) -> Condition {
    let all = |conditions: &[Condition]| {
        conditions.iter().map(|condition| expanded(condition, is_negated)).collect::<Vec<_>>()
    };
    let tag = |name: &String, test| Condition::Tag { name: name.clone(), test };
    match condition {
        Condition::All(conditions) if is_negated => Condition::Any(all(conditions)),
        Condition::Any(conditions) if is_negated => Condition::All(all(conditions)),
        Condition::All(conditions) => Condition::All(all(conditions)),
        Condition::Any(conditions) => Condition::Any(all(conditions)),
        Condition::Not(condition) => expanded(condition, !is_negated),
        Condition::Tag { name, test } => match (test, is_negated) {
            (Test::Is(text), true) | (Test::IsNot(text), false) => tag(name, Test::IsNot(text.clone())),
            (Test::Is(text), false) | (Test::IsNot(text), true) => tag(name, Test::Is(text.clone())),
            (Test::Exists, true) | (Test::Absent, false) => tag(name, Test::Absent),
            (Test::Exists, false) | (Test::Absent, true) => tag(name, Test::Exists),
            (Test::In(list), true) | (Test::NotIn(list), false) => tag(name, Test::NotIn(list.clone())),
            (Test::In(list), false) | (Test::NotIn(list), true) => tag(name, Test::In(list.clone())),
            (other, true) => Condition::Not(Box::new(tag(name, other.clone()))),
            (other, false) => tag(name, other.clone()),
        },
    }
}

proptest! {
    #[test]
    fn a_filter_says_what_its_opposite_does_not(
        condition in any_condition(),
        tags in prop::collection::vec(("[xyz]", "[ab]{0,2}"), 0..4),
    ) {
        if let (Ok(filter), Ok(opposite), Ok(same)) = (
            TagFilter::new(condition.clone()),
            TagFilter::new(expanded(&condition, true)),
            TagFilter::new(expanded(&condition, false)),
        ) {
            prop_assert_ne!(filter.matches(&tags), opposite.matches(&tags));
            prop_assert_eq!(filter.matches(&tags), same.matches(&tags));
        }
    }

    #[test]
    fn decimals_compare_as_numbers(left in -2000_i64..2000, right in -2000_i64..2000, zeros in 0_usize..3) {
        let text = |number: i64| {
            let sign = if number < 0 { "-" } else { "" };
            let (whole, fraction) = (number.abs() / 100, number.abs() % 100);
            format!("{sign}{}{whole}.{fraction:02}{}", "0".repeat(zeros), "0".repeat(2 - zeros))
        };
        prop_assert_eq!(decimal::compare(&text(left), &text(right)), Some(left.cmp(&right)));
    }

    #[test]
    fn any_texts_compare(left: String, right: String) {
        decimal::compare(&left, &right);
    }
}
