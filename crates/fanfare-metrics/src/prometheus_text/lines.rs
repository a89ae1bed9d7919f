//! The samples of Prometheus' text format (<https://prometheus.io/docs/instrumenting/exposition_formats>).
//!
//! A comment, an empty line and a line of another form are passed over.

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    /// The name of its metric.
    pub name: &'a str,
    /// The text of its labels, without the braces.
    labels: &'a str,
    /// Its value.
    pub value: f64,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let end = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
        let (name, rest) = line.split_at_checked(end)?;
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(labelled) => labelled.split_at_checked(end_of_labels(labelled)?)?,
            None => ("", rest),
        };
        let value = rest.trim_start_matches('}').split_ascii_whitespace().next()?;
        let is_name = !name.is_empty() && !name.starts_with('#');
        is_name.then_some(Self { name, labels, value: value.parse().ok()? })
    }

    /// The value of a label, with its escapes.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.labels;
        loop {
            let (found, value) = rest.split_once('=')?;
            let value = value.trim_start().strip_prefix('"')?;
            let (value, after) = value.split_at_checked(end_of_value(value)?)?;
            if found.trim_matches([' ', ',']) == name {
                return Some(value);
            }
            rest = after.strip_prefix('"')?;
        }
    }
}

/// All samples of a text.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().filter_map(|line| Line::parse(line.trim()))
}

/// The position of the brace that ends the labels: not one within a value.
fn end_of_labels(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let next = rest.find(['"', '}'])?;
        if rest.get(next..)?.starts_with('}') {
            return Some(at + next);
        }
        let value = at + next + 1;
        at = value + end_of_value(text.get(value..)?)? + 1;
    }
}

/// The position of the quote that ends a value: not one behind a backslash.
fn end_of_value(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_and_labels_are_read() {
        let text = "# HELP a b\n# TYPE a counter\na 1\n\na{x=\"1\",y=\"}\\\"2\"} 2.5 1700000000\n b_bucket{le=\"+Inf\"} +Inf\n\
                    broken\nbroken{x=\"1\nbroken{x=\"1\"}\nbroken one\n{x=\"1\"} 1\n\u{e9} \u{e9}\na{} NaN";
        let all: Vec<_> = lines(text).collect();
        let names: Vec<_> = all.iter().map(|line| line.name).collect();
        assert_eq!(names, ["a", "a", "b_bucket", "a"]);
        assert_eq!((all[0].value, all[1].value, all[2].value), (1.0, 2.5, f64::INFINITY));
        assert_eq!(
            (all[1].label("x"), all[1].label("y"), all[1].label("z")),
            (Some("1"), Some("}\\\"2"), None)
        );
        assert_eq!((all[2].label("le"), all[0].label("le")), (Some("+Inf"), None));
        assert!(all[3].value.is_nan());
    }
}
