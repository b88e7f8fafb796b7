use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    env,
    fmt::{self, Write},
    fs, io,
    path::Path,
};

/// Where reports are recorded: a folder.
const FOLDER: &str = "DEPLOY_CONFORMANCE";

/// What the suite found, in the order of its cases. Prints a line a case, those that passed too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The target's name.
    pub name: String,
    /// A line a case.
    pub lines: Vec<Line>,
}

/// One case's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is about: `sets`, `routes`.
    pub about: Cow<'static, str>,
    /// What must be true.
    pub case: Cow<'static, str>,
    /// Whether it is.
    pub verdict: Verdict,
}

/// Whether it is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It is.
    Passed,
    /// It isn't, for this reason.
    Failed(String),
    /// It can't be asked here, for this reason.
    NotApplicable(String),
}

impl Report {
    /// Whether no case failed.
    pub fn is_passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The lines of the cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| matches!(line.verdict, Verdict::Failed(_)))
    }

    /// Writes the report to the folder that `DEPLOY_CONFORMANCE` names, if it names one, for [`Report::recorded`].
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn record(&self) -> io::Result<()> {
        let Some(folder) = env::var_os(FOLDER) else { return Ok(()) };
        fs::create_dir_all(&folder)?;
        let name: String = self.name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        fs::write(Path::new(&folder).join(format!("{name}.json")), serde_json::to_string(self)?)
    }

    /// The reports that were written to a folder, in the order of their names.
    ///
    /// # Errors
    /// Where one of them can't be read.
    pub fn recorded(folder: &Path) -> io::Result<Vec<Self>> {
        let mut reports = Vec::new();
        for entry in fs::read_dir(folder)? {
            reports.push(serde_json::from_str::<Self>(&fs::read_to_string(entry?.path())?)?);
        }
        reports.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(reports)
    }

    /// Several reports as one table: a line a case, a column a target.
    pub fn side_by_side(reports: &[Self]) -> String {
        let mut table = String::new();
        let mut line = |case: &str, cells: Vec<&str>| {
            // writing to a string can't fail
            let _ = write!(table, "{case:<WIDE$}");
            for (cell, report) in cells.iter().zip(reports) {
                let _ = write!(table, "  {cell:<width$}", width = report.name.len().max(6));
            }
            table.truncate(table.trim_end().len());
            table.push('\n');
        };
        line("", reports.iter().map(|report| report.name.as_str()).collect());
        for first in reports.first().into_iter().flat_map(|report| &report.lines) {
            let cell = |report: &Self| {
                report.lines.iter().find(|line| line.case == first.case).map(|line| line.verdict.mark())
            };
            let title = format!("{}: {}", first.about, first.case);
            line(&title, reports.iter().map(|report| cell(report).unwrap_or("?")).collect());
        }
        table
    }
}

const WIDE: usize = 76;

impl Verdict {
    /// One word.
    fn mark(&self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed(_) => "FAILED",
            Self::NotApplicable(_) => "n/a",
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<6}  {}: {}", self.verdict.mark(), self.about, self.case)?;
        match &self.verdict {
            Verdict::Passed => Ok(()),
            Verdict::Failed(why) | Verdict::NotApplicable(why) => write!(f, " ({why})"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        let failed = self.failures().count();
        let asked = self.lines.iter().filter(|line| !matches!(line.verdict, Verdict::NotApplicable(_))).count();
        write!(f, "{} of {asked} cases passed, {} not applicable", asked - failed, self.lines.len() - asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, verdicts: [Verdict; 3]) -> Report {
        let cases = ["a set starts", "a set ends", "a set is kept"];
        let line = |(case, verdict): (&'static str, _)| Line { about: "sets".into(), case: case.into(), verdict };
        Report { name: name.into(), lines: cases.into_iter().zip(verdicts).map(line).collect() }
    }

    #[test]
    fn reads_line_by_line_and_side_by_side() {
        let one = report("one", [Verdict::Passed, Verdict::Failed("it runs".into()), Verdict::Passed]);
        let other = report("another", [Verdict::Passed, Verdict::Passed, Verdict::NotApplicable("no disk".into())]);
        assert_eq!(
            one.to_string(),
            "one\n  ok      sets: a set starts\n  FAILED  sets: a set ends (it runs)\n  ok      sets: a set is kept\n\
             2 of 3 cases passed, 0 not applicable"
        );
        assert!(!one.is_passed() && other.is_passed());
        let table = Report::side_by_side(&[one, other]);
        let cells: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().rev().take(2).collect()).collect();
        assert_eq!(cells, [["another", "one"], ["ok", "ok"], ["ok", "FAILED"], ["n/a", "ok"]]);
    }
}
