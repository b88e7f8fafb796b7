use crate::{names::MANAGER, patch::JsonPatch};
use deploy_core::target::TargetError;
use kube::{
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::{NamespaceResourceScope, Resource, Status},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fmt::Debug, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long the API server may take to answer one call.
pub(crate) const ANSWER_BY: Duration = Duration::from_secs(15);

/// Calls to the API server about one namespace: each with a deadline, and what it was for in its error.
#[derive(Clone)]
pub(crate) struct Api {
    client: kube::Client,
    namespace: Arc<str>,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// No answer, or a broken one: it may have had its effect.
    #[error("expected to {doing}, but the API server didn't answer")]
    Silent {
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It said no.
    #[error("expected to {doing}, but the API server said: {}", said(status))]
    Refused { doing: String, status: Box<Status> },
}

/// Objects of a kind that has a namespace.
pub(crate) trait Kind:
    Resource<Scope = NamespaceResourceScope, DynamicType: Default>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
{
}

impl<K> Kind for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType: Default>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
{
}

impl Api {
    pub(crate) fn new(client: kube::Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.into() }
    }

    pub(crate) fn client(&self) -> &kube::Client {
        &self.client
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The way to a kind's objects, for what is no single call: watches.
    pub(crate) fn of<K: Kind>(&self) -> kube::Api<K> {
        kube::Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The object of that name, if there is one.
    pub(crate) async fn get<K: Kind>(&self, name: &str) -> Result<Option<K>, CallError> {
        answered(format!("read {} {name}", kind::<K>()), self.of::<K>().get_opt(name)).await
    }

    /// Whether there is an object of that name, without what is in it.
    pub(crate) async fn has<K: Kind>(&self, name: &str) -> Result<bool, CallError> {
        let look = self.of::<K>();
        let found = answered(format!("look for {} {name}", kind::<K>()), look.get_metadata_opt(name)).await?;
        Ok(found.is_some())
    }

    /// Those that the selection means.
    pub(crate) async fn list<K: Kind>(&self, selection: &ListParams) -> Result<Vec<K>, CallError> {
        let list = answered(format!("list every {}", kind::<K>()), self.of::<K>().list(selection)).await?;
        Ok(list.items)
    }

    /// The same, without what is in them.
    pub(crate) async fn list_metadata<K: Kind>(
        &self,
        selection: &ListParams,
    ) -> Result<Vec<kube::core::PartialObjectMeta<K>>, CallError> {
        let list = answered(format!("list every {}", kind::<K>()), self.of::<K>().list_metadata(selection)).await?;
        Ok(list.items)
    }

    /// Makes an object that isn't there: 409 where it is.
    pub(crate) async fn create<K: Kind>(&self, object: &K) -> Result<K, CallError> {
        let name = object.meta().name.clone().unwrap_or_default();
        let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        answered(format!("create {} {name}", kind::<K>()), self.of::<K>().create(&params, object)).await
    }

    /// Changes an object by a JSON patch: 422 where one of its tests fails, 404 where it isn't there.
    pub(crate) async fn patch<K: Kind>(&self, name: &str, patch: JsonPatch) -> Result<K, CallError> {
        let doing = format!("change {} {name}", kind::<K>());
        let patch = serde_json::from_value(patch.into_value()).map_err(|error| silent(&doing, error))?;
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        answered(doing, self.of::<K>().patch(name, &params, &Patch::Json::<()>(patch))).await
    }

    /// What an object would be after a strategic merge patch; nothing is changed.
    pub(crate) async fn would_be<K: Kind>(&self, name: &str, patch: &Value) -> Result<K, CallError> {
        let params = PatchParams { dry_run: true, field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        let doing = format!("try a change of {} {name}", kind::<K>());
        answered(doing, self.of::<K>().patch(name, &params, &Patch::Strategic(patch))).await
    }

    /// What an object would be once it were created; nothing is changed.
    pub(crate) async fn would_be_new<K: Kind>(&self, object: &K) -> Result<K, CallError> {
        let name = object.meta().name.clone().unwrap_or_default();
        let params = PostParams { dry_run: true, field_manager: Some(MANAGER.into()) };
        answered(format!("try to create {} {name}", kind::<K>()), self.of::<K>().create(&params, object)).await
    }

    /// Takes an object away, if it is there and, where a version of it is named, still that one. What it owns follows.
    pub(crate) async fn delete<K: Kind>(&self, name: &str, version: Option<String>) -> Result<(), CallError> {
        let preconditions = version.map(|version| Preconditions { resource_version: Some(version), uid: None });
        let params = DeleteParams { preconditions, ..DeleteParams::background() };
        match answered(format!("delete {} {name}", kind::<K>()), self.of::<K>().delete(name, &params)).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(404) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A kind's name, for people.
fn kind<K: Kind>() -> String {
    K::kind(&K::DynamicType::default()).into_owned()
}

/// Waits for an answer, up to the deadline of a call.
pub(crate) async fn answered<T>(doing: String, call: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
    match timeout(ANSWER_BY, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(CallError::Refused { doing, status }),
        Ok(Err(error)) => Err(silent(&doing, error)),
        Err(elapsed) => Err(silent(&doing, elapsed)),
    }
}

fn silent(doing: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CallError {
    CallError::Silent { doing: doing.into(), source: source.into() }
}

fn said(status: &Status) -> &str {
    if status.message.is_empty() { &status.reason } else { &status.message }
}

impl CallError {
    /// The answer's status; none where there was no answer.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Silent { .. } => None,
            Self::Refused { status, .. } => Some(status.code),
        }
    }

    /// Whether the object isn't as the call had it: a test failed, another version is there, or it is there already.
    pub(crate) fn is_stale(&self) -> bool {
        match self {
            Self::Silent { .. } => false,
            Self::Refused { status, .. } => match status.code {
                409 => true,
                // an object that isn't valid is refused with the same status, and the fields are named
                422 => status.details.as_ref().is_none_or(|details| details.causes.is_empty()),
                _ => false,
            },
        }
    }
}

impl From<CallError> for TargetError {
    /// What the server refuses is certain, unless its status says that it may pass.
    fn from(error: CallError) -> Self {
        match error.code() {
            None | Some(409 | 429 | 500..) => Self::unreachable("the API server", error),
            Some(_) => Self::Rejected { why: error.to_string() },
        }
    }
}
