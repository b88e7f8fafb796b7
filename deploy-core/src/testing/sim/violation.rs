use crate::model::{Fence, Millis, ServiceName, WorkloadRef};
use std::fmt;

/// A promise of every deployment that was broken, when, and in which call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Since the world began.
    pub at: Millis,
    /// The call that was being answered, or `time passed`.
    pub call: String,
    /// What was broken.
    pub breach: Breach,
}

/// What was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// Fewer instances serve than was promised. Those that fell by themselves are not counted against the deployer.
    BelowPromise {
        /// Whose.
        service: ServiceName,
        /// How many serve.
        serving: u32,
        /// How many should.
        promised: u32,
    },
    /// An instance got traffic that no probe had seen healthy since its start.
    UnseenHealthy {
        /// Its name.
        instance: String,
    },
    /// An instance was stopped while requests came, or were in flight.
    LostRequests {
        /// Its name.
        instance: String,
    },
    /// A count was written that belongs to somebody else.
    ForeignCount {
        /// Of which set.
        workload: WorkloadRef,
        /// What its owner asked for.
        owned: u32,
        /// What was written.
        written: u32,
    },
    /// Instances of two releases were alive at once where that does harm.
    TwoAtOnce {
        /// Whose.
        service: ServiceName,
    },
    /// Three releases of a service were asked for at once: an interrupted deployment wasn't unwound first.
    Crowded {
        /// Whose.
        service: ServiceName,
    },
    /// What a service's requests came through was taken away while they were sent to somebody.
    Unanswered {
        /// Whose requests.
        service: ServiceName,
    },
    /// A deployer whose predecessor may still live made a change before it adopted.
    Unadopted {
        /// Under this fence.
        fence: Fence,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BelowPromise { service, serving, promised } => {
                write!(f, "{serving} instances of {service} serve, and {promised} were promised")
            }
            Self::UnseenHealthy { instance } => write!(f, "{instance} got traffic and was never seen healthy"),
            Self::LostRequests { instance } => write!(f, "{instance} was stopped while it had requests"),
            Self::ForeignCount { workload, owned, written } => {
                write!(f, "the count of {workload} was written as {written}, and its owner asks for {owned}")
            }
            Self::TwoAtOnce { service } => write!(f, "two releases of {service} were alive at once"),
            Self::Crowded { service } => write!(f, "three releases of {service} were asked for at once"),
            Self::Unanswered { service } => write!(f, "the proxy of {service} was taken away while requests came"),
            Self::Unadopted { fence } => write!(f, "a change was made under {fence} before it had adopted"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {}, {}: {}", self.at, self.call, self.breach)
    }
}
