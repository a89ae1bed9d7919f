//! Patterns in which `*` stands for any text.

/// Whether a name fits a pattern. In time that is the product of both lengths at most.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("*", "chat:1", true),
            ("chat:*", "chat:1", true),
            ("chat:*", "chat", false),
            ("*:1", "chat:1", true),
            ("c*:*1", "chat:11", true),
            ("c*t:*2", "chat:11", false),
            ("chat:1", "chat:1", true),
            ("chat:1", "chat:12", false),
            ("a*a", "a", false),
            ("**", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
