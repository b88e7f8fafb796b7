use crate::model::StepId;
use std::fmt;

/// A call that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number among all calls, from 0.
    pub index: usize,
    /// What it does.
    pub kind: CallKind,
    /// What it is about, for people: a release, a service.
    pub about: String,
    /// On behalf of which step, where there is one.
    pub step: Option<StepId>,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the trait's method of that name")]
#[non_exhaustive]
pub enum CallKind {
    Observe,
    Store,
    Ensure,
    Remove,
    Replace,
    Apply,
    Delete,
    Look,
    Adopt,
    Discard,
    Prune,
    Logs,
    Probe,
    Route,
    Drain,
    Take,
    Renew,
    Free,
    Append,
    Read,
    Deployments,
}

impl CallKind {
    /// Whether it changes what a deployment is about, so that it may be called again in the same words.
    pub fn mutates(self) -> bool {
        use CallKind::{Adopt, Apply, Delete, Discard, Drain, Ensure, Prune, Remove, Replace, Route, Store};
        matches!(self, Store | Ensure | Remove | Replace | Apply | Delete | Adopt | Discard | Prune | Route | Drain)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}: {:?} {}", self.index, self.kind, self.about)?;
        self.step.iter().try_for_each(|step| write!(f, " for {step}"))
    }
}
