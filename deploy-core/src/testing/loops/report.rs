use std::fmt;

/// What a loop found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopReport {
    /// Which loop.
    pub name: &'static str,
    /// Its rounds, in order.
    pub rounds: Vec<Round>,
}

/// One round of a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The fault and its place.
    pub at: String,
    /// How the run with the fault ended, and the one after it.
    pub ended: String,
    /// What was wrong; nothing in a good round.
    pub complaints: Vec<String>,
}

impl LoopReport {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    /// Whether there were rounds, and all of them were good.
    pub fn is_passed(&self) -> bool {
        !self.rounds.is_empty() && self.rounds.iter().all(|round| round.complaints.is_empty())
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.ended)?;
        self.complaints.iter().try_for_each(|complaint| write!(f, "\n    {complaint}"))
    }
}

impl fmt::Display for LoopReport {
    /// The rounds that weren't good, and how many were.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bad: Vec<_> = self.rounds.iter().filter(|round| !round.complaints.is_empty()).collect();
        bad.iter().try_for_each(|round| writeln!(f, "  {round}"))?;
        write!(f, "{}: {} of {} rounds were good", self.name, self.rounds.len() - bad.len(), self.rounds.len())
    }
}
