//! What a generator that is a process of its own tells, a line of JSON each.

use super::{Progress, Report};
use serde::{Deserialize, Serialize};

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Line {
    /// What was counted so far.
    Progress(Progress),
    /// The last line: what became of all requests.
    Report(Report),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::load::Loss;

    #[test]
    fn a_line_tells_which_it_is_and_survives() {
        let progress = Progress { sent: 3, lost: [(Loss::Status(503), 1)].into(), ..Progress::default() };
        let line = Line::Progress(progress);
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.starts_with(r#"{"kind":"progress","#), "{text}");
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }
}
