//! Numbers as people read them.

use std::time::Duration;

/// `1,234,567`; a number below ten has one decimal, unless it is whole.
#[must_use]
pub fn number(value: f64) -> String {
    if value < 9.95 && (value - value.round()).abs() >= 0.05 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `512 B`, `1.5 MiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    scaled(value, &[(1.0, "B"), (1024.0, "KiB"), (1024.0, "MiB"), (1024.0, "GiB"), (1024.0, "TiB")])
}

/// Seconds as `320 µs`, `1.2 ms`, `3.4 s`.
#[must_use]
pub fn latency(seconds: f64) -> String {
    scaled(seconds * 1e6, &[(1.0, "µs"), (1000.0, "ms"), (1000.0, "s")])
}

/// The value in the largest unit in which it is at least 1. It has a decimal below ten, except in the smallest unit.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let (mut scaled, mut unit, mut is_whole) = (value, "", true);
    for (number, (factor, name)) in units.iter().enumerate() {
        if number > 0 && scaled < *factor - 0.5 {
            break;
        }
        (scaled, unit, is_whole) = (scaled / factor, *name, number == 0);
    }
    if is_whole || scaled >= 9.95 { format!("{scaled:.0} {unit}") } else { format!("{scaled:.1} {unit}") }
}

/// The two largest units: `3d 4h`, `12m 5s`, `42s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let [minutes, hours, days] = [60, 3600, 86_400].map(|unit| seconds / unit);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, ..) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        let of = [0.0, 0.5, 2.0, 9.94, 9.96, 123.4, 999.0, 1000.0, 1_234_567.0].map(number);
        assert_eq!(of, ["0", "0.5", "2", "9.9", "10", "123", "999", "1,000", "1,234,567"]);
        let of = [0.0, 1023.0, 1024.0, 1536.0, 20.0 * 1024.0, 5.0 * 1024.0 * 1024.0].map(bytes);
        assert_eq!(of, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "20 KiB", "5.0 MiB"]);
        let of = [0.0, 0.000_32, 0.001_2, 0.025, 0.999_9, 3.44, 90.0].map(latency);
        assert_eq!(of, ["0 µs", "320 µs", "1.2 ms", "25 ms", "1.0 s", "3.4 s", "90 s"]);
        let of = [42, 725, 3 * 3600 + 59, 100_000].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(of, ["42s", "12m 5s", "3h 0m", "1d 3h"]);
    }
}
