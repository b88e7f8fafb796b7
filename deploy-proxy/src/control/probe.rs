//! Looking at an instance once, from where the traffic flows.

use serde::{Deserialize, Serialize};

use super::Address;

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Probe {
    /// Whether a connection is accepted.
    Tcp {
        /// Where the instance listens.
        address: Address,
    },
    /// Whether one HTTP/1.1 request is answered with an expected status.
    Http {
        /// Where the instance listens.
        address: Address,
        /// The request's method, `GET` for most.
        method: String,
        /// The request's target, beginning with `/`.
        path: String,
        /// The Host header; the address where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// Further headers.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, String)>,
        /// Lowest and highest status that count as passed, both included.
        expect: (u16, u16),
    },
}

/// What a probe found. Times are microseconds from its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProbeOutcome {
    /// The connection was accepted; for HTTP, the answer had an expected status.
    Passed {
        /// The status; none for TCP.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// How long it took.
        micros: u64,
    },
    /// An answer came, but with another status.
    BadStatus {
        /// The status that was found.
        status: u16,
        /// At most the first 512 bytes of the answer's body, what isn't UTF-8 replaced.
        body: String,
        /// How long it took.
        micros: u64,
    },
    /// Nobody listens there.
    Refused {
        /// What the system said.
        reason: String,
    },
    /// No answer within the time given.
    TimedOut {
        /// Whether the connection had been accepted.
        connected: bool,
    },
    /// The connection broke, or what came wasn't HTTP.
    Broken {
        /// What went wrong.
        reason: String,
    },
    /// The probe itself makes no sense: a header or a path that can't be sent.
    Invalid {
        /// What can't be sent.
        reason: String,
    },
}

impl ProbeOutcome {
    /// Whether this is what was hoped for.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self, Self::Passed { .. })
    }
}
