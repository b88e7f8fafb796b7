use deploy_core::model::{DeploymentId, Fence, Instance, InstanceState, Millis, Release, StepId, WorkloadRef};
use serde::{Deserialize, Serialize};

use crate::process::Process;

/// What is known of one instance, on disk: the only memory between deployers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InstanceRecord {
    pub(crate) workload: WorkloadRef,
    pub(crate) release: Release,
    pub(crate) ordinal: u32,
    pub(crate) phase: Phase,
    /// Where it listens, if it does.
    pub(crate) port: u16,
    pub(crate) process: Option<Process>,
    /// Which boot of the machine the process belongs to.
    pub(crate) boot_id: String,
    pub(crate) restarts: u32,
    /// How long it may take to stop by itself.
    pub(crate) stop_by: Millis,
    pub(crate) deployment: DeploymentId,
    pub(crate) step: StepId,
    pub(crate) fence: Fence,
}

/// How far an instance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// About to be started: its process, if there is one, is found by its mark.
    Created,
    /// Started.
    Running,
    /// Told to end. Until it has, it counts as asked for.
    Stopping,
    /// Stopped by us, and kept.
    Kept,
}

impl InstanceRecord {
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.workload.release, self.ordinal)
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.phase == Phase::Kept
    }

    /// Its process, if that lives.
    pub(crate) fn alive(&self) -> Option<Process> {
        self.process.filter(|process| process.is_alive())
    }

    /// As the engine sees it. `reason`: what is known of its end.
    pub(crate) fn observed(&self, reason: impl FnOnce(Process) -> Option<String>) -> Instance {
        let state = match self.phase {
            Phase::Kept | Phase::Created => InstanceState::Kept,
            Phase::Running | Phase::Stopping if self.alive().is_some() => InstanceState::Running,
            Phase::Running | Phase::Stopping => InstanceState::Failed {
                reason: self.process.and_then(reason).unwrap_or_else(|| "its process has ended".into()),
            },
        };
        Instance { name: self.name(), ordinal: self.ordinal, state, restarts: self.restarts }
    }
}
