//! What an agent is asked, and what it answers.

use std::fmt;
use std::path::{Path, PathBuf};

use deploy_core::journal::Record;
use deploy_core::lease::Grant;
use deploy_core::model::{DeploymentId, Fence, Millis, ReleaseId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::control;

/// A question to an agent. Those that change something name a fence, and are refused unless it is the newest and its
/// lease holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Request {
    /// A heartbeat. Answered with [`Answer::Done`].
    Beat,
    /// Takes the lease if it is free, abandoned or expired. Answered with [`Answer::Granted`].
    TakeLease {
        /// Who asks, for people.
        holder: String,
    },
    /// Goes on with a lease that the asker took through another agent. Answered with [`Answer::Granted`].
    RetakeLease {
        /// The asker's fence.
        fence: Fence,
    },
    /// Makes the lease hold for its time to live from now. Answered with [`Answer::Done`].
    RenewLease {
        /// The asker's fence.
        fence: Fence,
    },
    /// Gives the lease back; one that was lost stays lost. Answered with [`Answer::Done`].
    FreeLease {
        /// The asker's fence.
        fence: Fence,
    },
    /// Whether the fence is the newest and its lease holds. Answered with [`Answer::Done`].
    CheckFence {
        /// The asker's fence.
        fence: Fence,
    },
    /// Adds a record to a deployment's journal, durably; the fence is the record's own. Answered with [`Answer::Done`].
    Append {
        /// Whose journal.
        deployment: DeploymentId,
        /// What is added.
        record: Box<Record>,
    },
    /// A deployment's records. Answered with [`Answer::Records`].
    ReadJournal {
        /// Whose journal.
        deployment: DeploymentId,
    },
    /// The deployments with records. Answered with [`Answer::Deployments`].
    ListDeployments,
    /// Keeps a release's payload. Answered with [`Answer::Done`].
    StorePayload {
        /// The asker's fence.
        fence: Fence,
        /// Whose payload.
        release: ReleaseId,
        /// The payload's text.
        payload: Secret,
    },
    /// A release's payload. Answered with [`Answer::Payload`].
    LoadPayload {
        /// Whose payload.
        release: ReleaseId,
    },
    /// The releases with a payload. Answered with [`Answer::Payloads`].
    ListPayloads,
    /// Takes a payload away; it may be gone already. Answered with [`Answer::Done`].
    RemovePayload {
        /// The asker's fence.
        fence: Fence,
        /// Whose payload.
        release: ReleaseId,
    },
    /// The key of this folder, made when it is asked for first. Answered with [`Answer::Key`].
    Key,
    /// Looks at an address from here. Answered with [`Answer::Probed`].
    Probe {
        /// What to look at.
        probe: control::Probe,
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Passes a question on to a service's proxy. Answered with [`Answer::Proxy`].
    Proxy {
        /// Whose proxy.
        service: String,
        /// How long to wait until the proxy's socket answers, in milliseconds.
        wait_ms: u64,
        /// The question; one that carries a fence is refused here already where that is stale.
        command: control::Command,
    },
}

/// What an agent answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// It is done.
    Done,
    /// The lease was taken.
    Granted(Grant),
    /// A deployment's records, in order.
    Records(Vec<Record>),
    /// Deployments, oldest first.
    Deployments(Vec<DeploymentId>),
    /// A payload; none where none is kept.
    Payload(Option<Secret>),
    /// Releases, in order.
    Payloads(Vec<ReleaseId>),
    /// The folder's key.
    Key(Key),
    /// What a probe found.
    Probed(control::ProbeOutcome),
    /// The proxy's answer.
    Proxy(control::Answer),
}

/// Why an agent did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// Somebody has the lease.
    #[error("{holder} holds the lease for at most another {left}; wait, or end that deployment")]
    Held {
        /// Who, for people.
        holder: String,
        /// Until it expires, if it isn't renewed.
        left: Millis,
    },
    /// The asker doesn't hold the lease, or not any more.
    #[error(
        "expected {ours} to hold the lease, but found {newest}, {state}; stop, and look at what the newest one did"
    )]
    NotHeld {
        /// The asker's.
        ours: Fence,
        /// The newest.
        newest: Fence,
        /// How that one's lease stands: `held`, `freed`, `abandoned`, `expired`.
        state: String,
    },
    /// The asker's lease has ended, and nobody has taken it since.
    #[error("expected {ours} to hold the lease, but its lease has ended ({state}); run the same command again")]
    Ended {
        /// The asker's, which is still the newest.
        ours: Fence,
        /// How it ended: `freed`, `abandoned`, `expired`.
        state: String,
    },
    /// The state couldn't be read or written; what was there before is still there.
    #[error("could not {doing} {path}: {reason}; free or mend the disk, then try again")]
    Storage {
        /// What was tried.
        doing: String,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A state file was written by a newer version.
    #[error(
        "expected {path} in format {newest} or older, but found one that needs format {needed}; use a newer deploy"
    )]
    NewerState {
        /// The file.
        path: PathBuf,
        /// The newest format that is read here.
        newest: u16,
        /// The format that it needs.
        needed: u16,
    },
    /// A state file is damaged.
    #[error(
        "expected a whole state file, but found {path} damaged: {reason}; restore it, or move it away to start anew"
    )]
    DamagedState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process holds the folder's lock and doesn't let go.
    #[error(
        "expected {path} to be free within {waited}, but found it locked; wake or end the agent that is frozen there"
    )]
    Locked {
        /// The lock.
        path: PathBuf,
        /// How long was waited.
        waited: Millis,
    },
    /// A journal's next record is another one.
    #[error("expected record {expected}, but found record {found}; read the journal again")]
    OutOfOrder {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A journal is damaged in the middle.
    #[error(
        "expected a whole record at line {line} of the journal of deployment {deployment}, but {reason}; restore it"
    )]
    DamagedJournal {
        /// Whose journal.
        deployment: DeploymentId,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A journal was written by a newer version.
    #[error(
        "expected a journal that this agent can read, but found one that needs format {needed}; use a newer deploy"
    )]
    NewerJournal {
        /// The format that it needs.
        needed: u16,
    },
    /// A name that can't be a file's.
    #[error("expected a name of letters, digits, '-', '_' and '.', but found {name:?}; choose another name")]
    BadName {
        /// The name.
        name: String,
    },
    /// No proxy answers for the service.
    #[error("expected a proxy of {service}, but none answered: {reason}; apply the service's proxy first")]
    NoProxy {
        /// Which service.
        service: String,
        /// What was found.
        reason: String,
    },
    /// The connection to the proxy broke; the question may have been acted on.
    #[error("expected an answer from the proxy of {service}, but {reason}; ask for its routes before repeating")]
    ProxyLost {
        /// Which service.
        service: String,
        /// What went wrong.
        reason: String,
    },
    /// The proxy refused.
    #[error(transparent)]
    Proxy(control::Refusal),
    /// The question isn't one that this version knows.
    #[error("expected a request of protocol {protocol}, but found another: {reason}; upgrade the agent first")]
    NotUnderstood {
        /// The protocol spoken here.
        protocol: u32,
        /// What didn't parse.
        reason: String,
    },
}

impl Refusal {
    /// A failed access to the state folder.
    pub fn storage(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::Storage { doing: doing.into(), path: path.to_owned(), reason: error.to_string() }
    }

    /// Whether the asker's lease is lost, so that it must stop.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::NotHeld { .. } | Self::Ended { .. } | Self::Proxy(control::Refusal::StaleFence { .. }))
    }
}

/// Text that isn't shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A folder's random key: releases are named by hashes under it, so that a weak secret can't be guessed from a name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub(super) [u8; 32]);

impl Key {
    /// The key's bytes.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}
