use std::process::ExitCode;

/// How the command ended, for scripts: the same for every subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// It is as asked for.
    Done = 0,
    /// It failed, and nothing was changed.
    Failed = 1,
    /// A flag, a file or a name in it is wrong.
    BadInput = 2,
    /// The new releases were no good, and the old ones serve again.
    TakenBack = 3,
    /// Halted or Stuck: it stands where it is, and a person is needed.
    Stopped = 4,
    /// Suspended: it waits to be carried on.
    Suspended = 5,
    /// Somebody else changed what the plan was made from, or has taken over.
    Stale = 6,
    /// A signal ended it.
    Interrupted = 130,
}

impl Exit {
    /// Every one, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::BadInput,
        Self::TakenBack,
        Self::Stopped,
        Self::Suspended,
        Self::Stale,
        Self::Interrupted,
    ];

    /// The number.
    pub const fn status(self) -> u8 {
        self as u8
    }

    /// What it means, as `deploy --help` and `docs/exit-statuses.md` say it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or unchanged",
            Self::Failed => "failed before anything was changed",
            Self::BadInput => "bad input: a flag, a file, a name",
            Self::TakenBack => "the new releases failed and were taken back; the old ones serve",
            Self::Stopped => "halted or stuck: it stands where it is, and a person is needed",
            Self::Suspended => "suspended: `deploy resume` carries on",
            Self::Stale => "the plan is stale, or somebody else changed things or took over",
            Self::Interrupted => "interrupted by a signal",
        }
    }

    /// All of them as lines of a table, for `--help`.
    pub fn table() -> String {
        let lines = Self::ALL.map(|exit| format!("  {:>3}  {}", exit.status(), exit.meaning()));
        format!("Exit status:\n{}", lines.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_tells_every_status() {
        let page = include_str!("../../docs/exit-statuses.md");
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.status(), exit.meaning());
            assert!(page.contains(&row), "docs/exit-statuses.md lacks the row {row}");
        }
    }
}
