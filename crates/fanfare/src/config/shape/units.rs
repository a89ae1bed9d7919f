//! Sizes and durations as people write them: `64KiB`, `1MB`, `1m 30s`.

use std::time::Duration;

/// Units of size, the largest first. `K` alone means 1024, as in Redis' and nginx's files.
const UNITS: [(&str, usize); 10] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("G", 1 << 30),
    ("M", 1 << 20),
    ("K", 1 << 10),
    ("B", 1),
];

/// A number of bytes: `512`, `512B`, `64KiB`, `64 kib`, `1MB`. `None` for other texts, and for numbers that do not fit.
pub(in crate::config) fn parse_size(text: &str) -> Option<usize> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let factor = match unit.trim_start() {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor)?,
    };
    digits.parse::<usize>().ok()?.checked_mul(factor)
}

/// A size in the largest binary unit that holds it exactly; [`parse_size`] reads it back.
pub(in crate::config) fn show_size(bytes: usize) -> String {
    let exact = UNITS.iter().take(3).find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    exact.map_or_else(|| format!("{bytes}B"), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

/// `5s`, `250ms`, `1m 30s`. `None` for other texts; a number needs a unit, except `0`.
pub(in crate::config) fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}

/// A duration that [`parse_duration`] reads back.
pub(in crate::config) fn show_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let table = [
            ("0", 0),
            ("512", 512),
            ("512B", 512),
            ("64KiB", 65_536),
            ("64 kib", 65_536),
            (" 64K ", 65_536),
            ("64KB", 64_000),
            ("1MiB", 1 << 20),
            ("1m", 1 << 20),
            ("1MB", 1_000_000),
            ("2GiB", 2 << 30),
        ];
        for (text, bytes) in table {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_sizes() {
        for text in [
            "",
            "KiB",
            "-1",
            "+1",
            "1.5MiB",
            "64KiBs",
            "64Kib it",
            "1TiB",
            "99999999999999999999",
            "20000000000GiB",
        ] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        let table = [
            ("5s", 5_000),
            ("250ms", 250),
            ("1m 30s", 90_000),
            ("1m30s", 90_000),
            ("2 min", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
            ("0", 0),
        ];
        for (text, millis) in table {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "-5s", "5 apples", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes: usize, millis in 0..u64::from(u32::MAX)) {
            prop_assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (parse_size(&text), parse_duration(&text));
        }
    }
}
