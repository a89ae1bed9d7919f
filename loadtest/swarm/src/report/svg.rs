//! Bars as SVG, of text and rectangles only, in colours for a light and for a dark page.

use std::fmt::Write as _;

use crate::suite::{Chart, short};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 34.0;

/// Values are no wider than this beside each other, or they are left out.
const VALUE_WIDTH: f64 = 34.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#24292f}.t{font-size:14px;font-weight:600}\
.v{font-size:11px}.g{stroke:#d0d7de;stroke-width:1}.s0{fill:#8c959f}.s1{fill:#0969da}.s2{fill:#bf8700}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.g{stroke:#3d444d}.s0{fill:#7d8590}.s1{fill:#4493f8}\
.s2{fill:#d29922}}";

/// Grey is for floors; without one, what comes first is in the colour that Fanfare has beside a floor.
fn class(chart: &Chart, series: usize) -> usize {
    let has_floor = chart.series.first().is_some_and(|name| name.starts_with("floor"));
    (series + usize::from(!has_floor)) % 3
}

/// Draws a chart: groups from left to right, values from zero.
pub(super) fn bars(chart: &Chart) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\"><title>{0}</title><style>{STYLE}</style>\n\
         <text class=\"t\" x=\"{LEFT}\" y=\"20\">{0}, {1}</text>\n",
        escaped(&chart.title),
        escaped(&chart.unit)
    );
    legend(&mut out, chart);
    let values = chart.groups.iter().flat_map(|(_, values)| values.iter().copied());
    let top = nice_top(values.filter(|value| value.is_finite()).fold(0.0, f64::max));
    grid_lines(&mut out, top);
    let group_width = (WIDTH - LEFT - RIGHT) / chart.groups.len().max(1) as f64;
    for (number, (name, values)) in chart.groups.iter().enumerate() {
        let left = group_width.mul_add(number as f64, LEFT);
        group(&mut out, chart, name, values, (left, group_width), top);
    }
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String, chart: &Chart) {
    let mut x = LEFT;
    for (number, name) in chart.series.iter().enumerate() {
        let class = class(chart, number);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<rect class=\"s{class}\" x=\"{x:.0}\" y=\"32\" width=\"11\" height=\"11\"/>\
             <text x=\"{:.0}\" y=\"42\">{}</text>",
            x + 16.0,
            escaped(name)
        );
        x += 7.0_f64.mul_add(name.chars().count() as f64, 40.0);
    }
}

fn grid_lines(out: &mut String, top: f64) {
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let y = y_of(value, top);
        let _ = writeln!(
            out,
            "<line class=\"g\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            short(value)
        );
    }
}

fn group(out: &mut String, chart: &Chart, name: &str, values: &[f64], (left, width): (f64, f64), top: f64) {
    let bar = (width * 0.7 / values.len().max(1) as f64).min(70.0);
    let start = left + (width - bar * values.len() as f64) / 2.0;
    for (number, value) in values.iter().enumerate() {
        let (x, y) = (bar.mul_add(number as f64, start), y_of(value.max(0.0), top));
        let class = class(chart, number);
        let _ = write!(
            out,
            "<rect class=\"s{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            bar - 2.0,
            y_of(0.0, top) - y
        );
        if bar >= VALUE_WIDTH {
            let _ = write!(
                out,
                "<text class=\"v\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                x + bar / 2.0 - 1.0,
                y - 4.0,
                short(*value)
            );
        }
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        left + width / 2.0,
        HEIGHT - 12.0,
        escaped(name)
    );
}

fn y_of(value: f64, top: f64) -> f64 {
    (HEIGHT - BOTTOM) - (HEIGHT - BOTTOM - TOP) * value / top
}

/// The least of 1, 2, 4, 6, 8 times a power of ten that is not below: its quarters are round.
fn nice_top(highest: f64) -> f64 {
    let power = 10_f64.powf(highest.max(1e-6).log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= highest)
        .unwrap_or(1.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_drawn_as_it_was() {
        let mut chart = Chart::new("CPU per delivery, <1 & 16>", "µs", ["floor", "fanfare"]);
        chart.group("100", [3.7, 4.1]);
        chart.group("1,000", [3.6, f64::NAN]);
        insta::assert_snapshot!(bars(&chart));
    }

    #[test]
    fn the_highest_bar_fits_and_uses_most_of_the_height() {
        for (highest, top) in [(0.0, 1e-6), (0.9, 1.0), (1.0, 1.0), (4.1, 6.0), (2_000_001.0, 4e6)] {
            assert!(
                (nice_top(highest) - top).abs() < 1e-9 * top.max(1.0),
                "{highest}: {}",
                nice_top(highest)
            );
        }
    }
}
