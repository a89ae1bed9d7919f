//! Bars in groups, drawn as SVG: on white, because the page around it may be light or dark, and in colours that the
//! colour-blind can tell apart.

mod runs;

use std::ops::Range;

use anyhow::Context as _;
use plotters::{
    coord::{
        Shift,
        ranged1d::{DefaultFormatting, KeyPointHint},
        types::RangedCoordf64,
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use serde::{Deserialize, Serialize};

use crate::number::short;

const SIZE: (u32, u32) = (840, 360);
const MARGIN: i32 = 16;

/// The height of the legend.
const LEGEND: u32 = 26;

/// The approximate width of a letter in the legend and below a group.
const LETTER: i32 = 7;

/// The width that a value needs above its bar. Values of narrower bars are left out.
const VALUE_WIDTH: f64 = 26.0;

const INK: RGBColor = RGBColor(36, 41, 47);
const GRID: RGBColor = RGBColor(222, 226, 230);
const GREY: RGBColor = RGBColor(140, 149, 159);
const COLOURS: [RGBColor; 4] =
    [RGBColor(9, 105, 218), RGBColor(219, 109, 40), RGBColor(26, 127, 55), RGBColor(130, 80, 223)];

/// Figures with a chart.
pub trait Drawn {
    /// The chart of these figures.
    fn chart(&self) -> Chart;
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Bars in groups: one bar for each series in each group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// The title.
    pub title: String,
    /// The unit of the values.
    pub unit: String,
    /// The names of a group's bars, in order.
    pub series: Vec<String>,
    /// The groups: a name, and a value for each series. NaN: not measured.
    pub groups: Vec<(String, Vec<f64>)>,
}

impl Chart {
    /// A chart without groups.
    #[must_use]
    pub fn new<const SERIES: usize>(title: &str, unit: &str, series: [&str; SERIES]) -> Self {
        Self {
            title: title.to_owned(),
            unit: unit.to_owned(),
            series: series.map(str::to_owned).to_vec(),
            groups: Vec::new(),
        }
    }

    /// Adds a group.
    pub fn group<const SERIES: usize>(&mut self, name: impl Into<String>, values: [f64; SERIES]) {
        self.groups.push((name.into(), values.to_vec()));
    }

    /// The chart as SVG: groups from left to right, values from zero.
    ///
    /// # Errors
    /// The chart cannot be drawn.
    pub fn svg(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        self.draw(&SVGBackend::with_string(&mut text, SIZE).into_drawing_area())
            .with_context(|| format!("the chart {:?}", self.title))?;
        text.push('\n');
        Ok(text)
    }

    fn draw(&self, area: &Area<'_>) -> anyhow::Result<()> {
        area.fill(&WHITE)?;
        let area = area.margin(MARGIN / 2, MARGIN / 2, MARGIN, MARGIN);
        let area = area.titled(&format!("{}, {}", self.title, self.unit), text(17))?;
        let (legend, plot) = area.split_vertically(LEGEND);
        self.legend(&legend)?;
        self.bars(&plot)?;
        area.present()?;
        Ok(())
    }

    fn legend(&self, area: &Area<'_>) -> anyhow::Result<()> {
        let mut x = MARGIN;
        for (number, name) in self.series.iter().enumerate() {
            area.draw(&Rectangle::new([(x, 6), (x + 12, 18)], self.colour(number).filled()))?;
            area.draw(&Text::new(name.clone(), (x + 18, 12), anchored(13, HPos::Left, VPos::Center)))?;
            x += 44 + LETTER * i32::try_from(name.chars().count())?;
        }
        Ok(())
    }

    fn bars(&self, area: &Area<'_>) -> anyhow::Result<()> {
        let top = nice_top(self.values().fold(0.0, f64::max));
        let centres = (0..self.groups.len()).map(|group| group as f64 + 0.5).collect();
        let quarters = (0..=4).map(|step| top * f64::from(step) / 4.0).collect();
        let mut chart = ChartBuilder::on(area)
            .margin_top(MARGIN)
            .x_label_area_size(26)
            .y_label_area_size(76)
            .build_cartesian_2d(
                Axis::new(self.groups.len().max(1) as f64, centres),
                Axis::new(top, quarters),
            )?;
        let name = |x: &f64| self.groups.get(*x as usize).map(|(name, _)| name.clone()).unwrap_or_default();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style(text(13))
            .x_label_formatter(&name)
            .y_label_formatter(&|value| short(*value))
            .draw()?;
        let room = f64::from(chart.plotting_area().dim_in_pixel().0) / self.groups.len().max(1) as f64;
        let bars: Vec<_> = self.places().collect();
        chart.draw_series(bars.iter().filter(|bar| bar.value.is_finite()).map(|bar| {
            let gap = 0.06 * (bar.right - bar.left);
            Rectangle::new([(bar.left + gap, 0.0), (bar.right - gap, bar.value)], bar.colour.filled())
        }))?;
        let labelled = bars.iter().filter(|bar| (bar.right - bar.left) * room >= VALUE_WIDTH);
        chart.draw_series(labelled.map(|bar| {
            let at =
                (f64::midpoint(bar.left, bar.right), if bar.value.is_finite() { bar.value } else { 0.0 });
            Text::new(short(bar.value), at, anchored(12, HPos::Center, VPos::Bottom))
        }))?;
        Ok(())
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.groups.iter().flat_map(|(_, values)| values.iter().copied()).filter(|value| value.is_finite())
    }

    /// The place of each bar. A group is 1 wide.
    fn places(&self) -> impl Iterator<Item = Bar> {
        self.groups.iter().enumerate().flat_map(move |(group, (_, values))| {
            let width = (0.8 / values.len().max(1) as f64).min(0.3);
            let left = group as f64 + (1.0 - width * values.len() as f64) / 2.0;
            values.iter().enumerate().map(move |(number, &value)| {
                let left = width.mul_add(number as f64, left);
                Bar { left, right: left + width, value, colour: self.colour(number) }
            })
        })
    }

    /// Grey for a floor. The other series have the same colours with a floor as without.
    fn colour(&self, series: usize) -> RGBColor {
        let is_floor = |name: &String| name.starts_with("floor") || name.starts_with("bare");
        if self.series.get(series).is_some_and(is_floor) {
            return GREY;
        }
        let floors = self.series.iter().take(series).filter(|name| is_floor(name)).count();
        COLOURS.into_iter().cycle().nth(series - floors).unwrap_or(INK)
    }
}

/// An axis from zero, with lines and labels at the given marks.
struct Axis {
    whole: RangedCoordf64,
    marks: Vec<f64>,
}

impl Axis {
    fn new(end: f64, marks: Vec<f64>) -> Self {
        Self { whole: (0.0..end).into(), marks }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.whole.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.whole.range()
    }
}

struct Bar {
    left: f64,
    right: f64,
    value: f64,
    colour: RGBColor,
}

fn text(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn anchored(size: i32, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    text(size).pos(Pos::new(horizontal, vertical))
}

/// The least of 1, 2, 4, 6, 8 times a power of ten that is at least `highest`: its quarters are round. 1 for nothing.
fn nice_top(highest: f64) -> f64 {
    if highest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= highest)
        .unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_drawn_as_before() {
        let mut chart = Chart::new("CPU per delivery, <1 & 16>", "µs", ["floor", "fanfare"]);
        chart.group("100", [3.7, 4.1]);
        chart.group("1,000", [3.6, f64::NAN]);
        insta::assert_snapshot!(chart.svg().unwrap());
    }

    #[test]
    fn floors_are_grey_and_colours_differ() {
        let chart = Chart::new("", "", ["bare relay", "fanfare", "Redis", "load generator"]);
        assert_eq!(chart.colour(0), GREY);
        assert_eq!((1..4).map(|series| chart.colour(series)).collect::<Vec<_>>(), COLOURS[..3]);
    }

    #[test]
    fn the_highest_bar_fills_most_of_the_height() {
        for (highest, top) in [(0.0, 1.0), (0.9, 1.0), (1.0, 1.0), (4.1, 6.0), (2_000_001.0, 4e6)] {
            assert!(
                (nice_top(highest) - top).abs() < 1e-9 * top.max(1.0),
                "{highest}: {}",
                nice_top(highest)
            );
        }
    }
}
