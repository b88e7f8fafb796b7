use crate::{journal::JournalError, lease::LeaseError, prober::ProbeError, target::TargetError};

const LOST: &str = "a fault was injected";

/// How a kind of call fails when it is told to.
pub(super) trait Fails {
    /// In a way that may pass.
    fn lost() -> Self;
    /// For good, where there is such a way.
    fn refused() -> Self;
}

impl Fails for TargetError {
    fn lost() -> Self {
        Self::unreachable("the backend", LOST)
    }

    fn refused() -> Self {
        Self::Rejected { why: LOST.into() }
    }
}

impl Fails for ProbeError {
    fn lost() -> Self {
        Self { why: LOST.into() }
    }

    fn refused() -> Self {
        Self::lost()
    }
}

impl Fails for LeaseError {
    fn lost() -> Self {
        Self::Unreachable(LOST.into())
    }

    fn refused() -> Self {
        Self::lost()
    }
}

impl Fails for JournalError {
    fn lost() -> Self {
        Self::Unreachable(LOST.into())
    }

    fn refused() -> Self {
        Self::lost()
    }
}
