//! What a proxy is asked, and what it answers.

use deploy_core::model::{DeploymentId, Fence, ReleaseId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::listener::ListenerSpec;
use super::probe::{Probe, ProbeOutcome};
use super::routes::{BadRoutes, InstanceName, RouteState, Routes};

/// A question to a proxy. Those that carry a fence are refused when it is lower than the highest seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Command {
    /// The routes in force. Answered with [`Answer::Routes`].
    GetRoutes,
    /// Replaces the routes. Answered with [`Answer::Routes`] once the new ones are durable and in force: a request
    /// that is accepted after the answer follows them.
    SetRoutes {
        /// The asker's fence.
        fence: Fence,
        /// The revision that this change was made from.
        expected_revision: u64,
        /// The deployment that asks, for the log and for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deployment: Option<DeploymentId>,
        /// The routes to be.
        routes: Routes,
    },
    /// Raises the highest fence seen, durably, and changes nothing else. A new holder of the lease asks this before
    /// anything, so that the one before it is refused from then on. Answered with [`Answer::Routes`].
    RaiseFence {
        /// The asker's fence.
        fence: Fence,
    },
    /// Waits until nothing is in flight to an instance that gets no new requests (not in the routes, or of weight 0).
    /// At the deadline byte connections and upgraded ones are closed. Answered with [`Answer::Drained`], after the
    /// idle connections to the instance were closed. An instance that isn't known has nothing in flight.
    Drain {
        /// The asker's fence.
        fence: Fence,
        /// Which instance.
        instance: InstanceName,
        /// How long to wait, in milliseconds.
        deadline_ms: u64,
    },
    /// Counters. Answered with [`Answer::Stats`].
    Stats,
    /// Looks at an address from here. Answered with [`Answer::Probed`].
    Probe {
        /// What to look at.
        probe: Probe,
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Opens a further port, until the process ends. Answered with [`Answer::Listening`].
    Listen {
        /// The asker's fence.
        fence: Fence,
        /// What to open. Port 0 takes a free one.
        listener: ListenerSpec,
    },
    /// Closes a port to new connections, until the process ends; those that exist go on. Answered with
    /// [`Answer::Listening`].
    Unlisten {
        /// The asker's fence.
        fence: Fence,
        /// The listening port.
        port: u16,
    },
    /// Ends the process in good order: no new connections, those in flight finish. Answered with
    /// [`Answer::ShuttingDown`] before that begins.
    Shutdown {
        /// The asker's fence.
        fence: Fence,
        /// How long those in flight have, in milliseconds.
        grace_ms: u64,
    },
}

impl Command {
    /// The asker's fence, of a command that carries one.
    #[must_use]
    pub fn fence(&self) -> Option<Fence> {
        match self {
            Self::GetRoutes | Self::Stats | Self::Probe { .. } => None,
            Self::SetRoutes { fence, .. }
            | Self::RaiseFence { fence }
            | Self::Drain { fence, .. }
            | Self::Listen { fence, .. }
            | Self::Unlisten { fence, .. }
            | Self::Shutdown { fence, .. } => Some(*fence),
        }
    }
}

/// What a proxy answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// The routes in force.
    Routes(RouteState),
    /// The drain is over.
    Drained {
        /// Requests still in flight; 0 unless the deadline passed.
        remaining: u64,
        /// Byte connections and upgraded ones that were closed at the deadline.
        closed: u64,
    },
    /// Counters.
    Stats(Stats),
    /// What a probe found.
    Probed(ProbeOutcome),
    /// The ports that are open, with free ones filled in.
    Listening(Vec<ListenerSpec>),
    /// The process is about to end.
    ShuttingDown {
        /// How long those in flight have, in milliseconds.
        grace_ms: u64,
    },
}

/// Counters of one proxy process since its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// The ports that are open, with free ones filled in.
    pub listeners: Vec<ListenerSpec>,
    /// Client connections that are open.
    pub clients: u64,
    /// Every backend in the routes, and those gone that something is still in flight to.
    pub backends: Vec<BackendStats>,
}

/// Counters of one instance since it became a backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendStats {
    /// Which instance.
    pub instance: InstanceName,
    /// The release that it runs.
    pub release: ReleaseId,
    /// Whether new requests may go to it.
    pub receiving: bool,
    /// Requests, byte connections and upgraded ones in flight.
    pub in_flight: u64,
    /// Requests and byte connections that were sent to it.
    pub sent: u64,
    /// Connections to it that failed.
    pub connect_failures: u64,
}

/// Why a proxy did not do what it was asked. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// Somebody else holds the lease by now.
    #[error("expected at least {highest}, but found {found}; another deployer has taken over: stop")]
    StaleFence {
        /// The highest fence seen.
        highest: Fence,
        /// The asker's.
        found: Fence,
    },
    /// The routes were changed in between.
    #[error("expected revision {expected}, but found {found}; read the routes again and decide anew")]
    WrongRevision {
        /// The revision that the asker named.
        expected: u64,
        /// The revision in force.
        found: u64,
    },
    /// The routes can't be served.
    #[error(transparent)]
    BadRoutes(BadRoutes),
    /// The instance still gets new requests, so it would never be drained.
    #[error("expected {instance} to be out of the routes, but it still gets requests; set routes without it first")]
    StillRouted {
        /// Which instance.
        instance: InstanceName,
    },
    /// The state couldn't be made durable.
    #[error("could not make the routes durable: {reason}; the routes before are still in force: free or mend the disk")]
    Storage {
        /// What the system said.
        reason: String,
    },
    /// A port couldn't be opened, or isn't open.
    #[error("could not change listener {port}: {reason}; choose another port or close what holds it")]
    Listener {
        /// The listening port.
        port: u16,
        /// What the system said.
        reason: String,
    },
    /// The question isn't one that this version knows.
    #[error("expected a command of protocol {protocol}, but found another: {reason}; upgrade the proxy first")]
    NotUnderstood {
        /// The protocol spoken here.
        protocol: u32,
        /// What didn't parse.
        reason: String,
    },
}
