//! The answer to CLIENT INFO.

/// One of its fields.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.split_ascii_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(field("id=7 psub=1 sub=12", "sub"), Some("12"));
        assert_eq!(field("id=7 psub=1", "sub"), None);
    }
}
