//! A table that is printed while it grows, and says PASS or FAIL a line.

/// Prints rows under their headings as they come.
#[derive(Debug)]
pub struct Table {
    widths: Vec<usize>,
    rows: usize,
    failed: usize,
}

/// What is wrong with a row; nothing, for a good one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Notes a fault unless that holds.
    pub fn unless(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.0.push(fault());
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Table {
    /// Prints a title and headings. A column is as wide as its heading, and two more for each `_` at its end.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        let widths: Vec<_> =
            columns.iter().map(|column| column.trim_end_matches('_').len() + 2 * underscores(column)).collect();
        println!("\n{title}");
        let table = Self { widths, rows: 0, failed: 0 };
        let headings: Vec<_> = columns.iter().map(|column| column.trim_end_matches('_').to_owned()).collect();
        println!("{}", table.line(&headings).trim_end());
        table
    }

    fn line(&self, cells: &[String]) -> String {
        let padded = cells.iter().zip(&self.widths).map(|(cell, width)| format!("{cell:<width$}  ", width = *width));
        padded.collect()
    }

    /// Prints a row and whether it is good.
    pub fn row(&mut self, cells: &[String], faults: &Faults) {
        self.rows += 1;
        self.failed += usize::from(!faults.is_empty());
        let verdict = if faults.is_empty() { "PASS".into() } else { format!("FAIL: {}", faults.0.join("; ")) };
        println!("{}{verdict}", self.line(cells));
    }

    /// Prints a row that isn't judged, and why.
    pub fn aside(&self, cells: &[String], why: &str) {
        println!("{}{why}", self.line(cells));
    }

    /// Prints how many rows were good. Whether all were, and there were some.
    pub fn finish(self) -> bool {
        let passed = self.failed == 0 && self.rows > 0;
        let verdict = if passed { "PASS" } else { "FAIL" };
        println!("{verdict}: {} of {} rows are good", self.rows - self.failed, self.rows);
        passed
    }
}

fn underscores(column: &str) -> usize {
    column.len() - column.trim_end_matches('_').len()
}

/// The middle one, or the mean of the two in the middle; 0 of none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!([median(&[]), median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0])], [0.0, 2.0, 2.5]);
    }

    #[test]
    fn one_bad_row_or_none_at_all_is_no_pass() {
        let mut bad = Faults::default();
        bad.unless(true, || "fine".into());
        assert!(bad.is_empty());
        bad.unless(false, || "lost 1".into());
        let (mut good, mut mixed) = (Table::new("t", &["a"]), Table::new("t", &["a__"]));
        good.row(&["1".into()], &Faults::default());
        mixed.row(&["1".into()], &Faults::default());
        mixed.row(&["2".into()], &bad);
        assert!(good.finish() && !mixed.finish() && !Table::new("t", &["a"]).finish());
    }
}
