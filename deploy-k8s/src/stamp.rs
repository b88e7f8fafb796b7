use crate::names;
use deploy_core::{
    model::{DeploymentId, Fence, ReleaseId, StepId},
    target::{Cx, TargetError},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

/// What stands on each object that a deployer has written to: under which fence and, on a Deployment, who made what runs.
/// Kubernetes copies it to the ReplicaSet, so that a set keeps its maker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) fence: Fence,
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<Made>,
    /// How many pods a Deployment had that we stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<u32>,
}

/// Who made a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) release: ReleaseId,
    pub(crate) deployment: DeploymentId,
    pub(crate) step: StepId,
}

impl Made {
    pub(crate) fn by(cx: &Cx, release: &ReleaseId) -> Self {
        Self { release: release.clone(), deployment: cx.deployment, step: cx.step.clone() }
    }
}

impl Stamp {
    /// The stamp as it is written.
    pub(crate) fn text(&self) -> String {
        // nothing of it can't be written as JSON
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The text on an object, if it has been written to by a deployer.
    pub(crate) fn text_on(meta: &ObjectMeta) -> Option<&str> {
        meta.annotations.as_ref()?.get(names::FENCE).map(String::as_str)
    }

    /// The stamp on an object; none on one that no deployer has written to, or where somebody has spoilt it.
    pub(crate) fn on(meta: &ObjectMeta) -> Option<Self> {
        serde_json::from_str(Self::text_on(meta)?).ok()
    }
}

/// Refuses to write to an object that was written to under a newer fence.
pub(crate) fn admit(cx: &Cx, meta: &ObjectMeta) -> Result<(), TargetError> {
    match Stamp::on(meta) {
        Some(Stamp { fence, .. }) if fence > cx.fence => Err(TargetError::Fenced { ours: cx.fence, newest: fence }),
        _ => Ok(()),
    }
}
