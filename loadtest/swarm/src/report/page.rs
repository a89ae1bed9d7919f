//! The page, as text.

use std::fmt::Write as _;

use crate::{
    machine::Machine,
    suite::{Case, Judged},
    table::Table,
};

/// The name of a chart's file.
pub(super) fn figure(case: &Case, number: usize) -> String {
    format!("{}-{}.svg", case.name, number + 1)
}

/// The section of a case.
pub(super) fn section(case: &Case, folder: &str) -> String {
    let mut text = format!("## {}\n\n{}\n\n", case.title, case.about);
    // Writing to a string cannot fail.
    let _ = write!(text, "`{}`, on {}.\n\n", case.command, case.machine);
    if is_busy(&case.machine) {
        let _ = writeln!(text, "{BUSY}\n");
    }
    let _ = writeln!(text, "{}", markdown(&case.grid));
    if !case.judged.is_empty() {
        let _ = writeln!(text, "{}", markdown(&Judged::table(&case.judged)));
    }
    for (number, chart) in case.charts.iter().enumerate() {
        let _ = writeln!(text, "![{}]({folder}/{})", chart.title, figure(case, number));
    }
    text
}

/// The warning beside figures of a busy machine.
const BUSY: &str = "**Others used the machine meanwhile**: ratios of CPU are a hint, latencies and rates say nothing of \
                    the server.";

/// Whether other processes used the machine: the suite alone has about one running process for each processor.
fn is_busy(machine: &Machine) -> bool {
    machine.load > machine.cores as f32 + 0.5
}

/// The table of figures with a budget.
pub(super) fn budgets(cases: &[Case]) -> String {
    let all: Vec<_> = cases.iter().flat_map(|case| case.judged.clone()).collect();
    let within = all.iter().filter(|judged| judged.is_within()).count();
    let busy = cases.iter().any(|case| is_busy(&case.machine));
    let busy = if busy { format!("{BUSY}\n\n") } else { String::new() };
    format!("{busy}{within} of {} within budget.\n\n{}", all.len(), markdown(&Judged::table(&all)))
}

fn markdown(grid: &Table) -> String {
    let mut text = String::new();
    for (number, row) in grid.rows.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if number == 0 {
            let rule = row.iter().skip(1).map(|_| "---:|").collect::<String>();
            let _ = writeln!(text, "|---|{rule}");
        }
    }
    text
}

/// The page with this text between the markers of that name. Without the markers, they are added at the end.
pub(super) fn with_section(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- figures: {name} -->"), format!("<!-- end: {name} -->"));
    let section = format!("{begin}\n{}\n{end}", text.trim_end());
    let found = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match found {
        Some((before, after)) => format!("{before}{section}{after}"),
        None => format!("{}\n\n{section}\n", page.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_between_the_markers_changes() {
        let page = "# P\n\nWords.\n\n<!-- figures: a -->\nold\n<!-- end: a -->\n\nMore words.\n";
        let new = with_section(page, "a", "new\n");
        assert_eq!(new, "# P\n\nWords.\n\n<!-- figures: a -->\nnew\n<!-- end: a -->\n\nMore words.\n");
        assert_eq!(with_section(&new, "a", "new\n"), new);
    }

    #[test]
    fn a_case_without_markers_is_added() {
        let page = with_section("# P\n", "a", "text");
        assert_eq!(page, "# P\n\n<!-- figures: a -->\ntext\n<!-- end: a -->\n");
    }

    #[test]
    fn figures_of_a_busy_machine_have_a_warning() {
        let case = |load| Case {
            name: "a".to_owned(),
            title: "A".to_owned(),
            about: String::new(),
            command: String::new(),
            machine: Machine { cpu: String::new(), cores: 2, kernel: String::new(), load },
            judged: Vec::new(),
            grid: Table::default(),
            charts: Vec::new(),
            raw: serde_json::Value::Null,
        };
        for (load, is_said) in [(0.1, false), (2.4, false), (5.0, true)] {
            assert_eq!(section(&case(load), "").contains(BUSY), is_said);
            assert_eq!(budgets(&[case(0.1), case(load)]).contains(BUSY), is_said);
        }
    }

    #[test]
    fn a_table_has_a_head_and_all_columns() {
        let mut grid = Table::new(["what", "µs"]);
        grid.row(["floor".to_owned(), "3.7".to_owned()]);
        assert_eq!(markdown(&grid), "| what | µs |\n|---|---:|\n| floor | 3.7 |\n");
    }
}
