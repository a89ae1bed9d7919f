//! Numbers as text.

/// A figure with this number of decimals, and its unit; a dash for NaN, which stands for "not measured".
#[must_use]
pub fn figure(value: f64, decimals: usize, unit: &str) -> String {
    if value.is_nan() { "–".to_owned() } else { format!("{value:.decimals$} {unit}") }
}

/// Bytes in MiB; a dash for NaN.
#[must_use]
pub fn mib(bytes: f64) -> String {
    figure(bytes / f64::from(1 << 20), 1, "MiB")
}

/// Three significant digits, with commas between thousands; a dash for NaN.
#[must_use]
pub fn short(value: f64) -> String {
    if value.is_nan() {
        return "–".to_owned();
    }
    let decimals = match value.abs() {
        0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.find('.').map_or((text.as_str(), ""), |at| text.split_at(at));
    let digits = whole.len();
    let mut apart = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (digits - place).is_multiple_of(3) && digit.is_ascii_digit() && apart != "-" {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.123_4, "0.123"),
            (3.456, "3.46"),
            (45.67, "45.7"),
            (678.9, "679"),
            (2_000_000.0, "2,000,000"),
            (-1_234.0, "-1,234"),
            (-123.0, "-123"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
