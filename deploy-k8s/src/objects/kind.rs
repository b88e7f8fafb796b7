use crate::api::{Api, CallError, answered};
use deploy_core::target::TargetError;
use kube::{
    core::{ApiResource, DynamicObject, GroupVersionKind},
    discovery::{Scope, pinned_kind},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Kinds that every server has in this version: they needn't be asked for.
const KNOWN: [(&str, &str, &str); 6] = [
    ("v1", "Service", "services"),
    ("v1", "ConfigMap", "configmaps"),
    ("v1", "Secret", "secrets"),
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("apps/v1", "Deployment", "deployments"),
];

/// How a kind's objects are reached.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    resource: ApiResource,
    is_namespaced: bool,
}

/// The kinds that were asked for so far.
#[derive(Default)]
pub(crate) struct Kinds(Mutex<BTreeMap<(String, String), Resolved>>);

/// What people call a kind: as `kubectl` does, `ingress.networking.k8s.io`, or `service` alone in the core group.
pub(crate) fn kind_name(api_version: &str, kind: &str) -> String {
    let kind = kind.to_lowercase();
    match api_version.split_once('/') {
        Some((group, _)) => format!("{kind}.{group}"),
        None => kind,
    }
}

impl Kinds {
    /// How the server has a kind, in the version that is named.
    ///
    /// # Errors
    /// [`TargetError::Rejected`] where it doesn't know it.
    pub(crate) async fn resolve(&self, api: &Api, api_version: &str, kind: &str) -> Result<Resolved, TargetError> {
        let found = self.find(api, api_version, kind).await?;
        found.ok_or_else(|| TargetError::Rejected {
            why: format!(
                "expected a kind that the cluster knows, but found {kind} of {api_version}; look at `kubectl api-resources`"
            ),
        })
    }

    /// The same; none where it doesn't know it, so that there are no objects of it either.
    pub(crate) async fn find(&self, api: &Api, api_version: &str, kind: &str) -> Result<Option<Resolved>, TargetError> {
        let key = (api_version.to_owned(), kind.to_owned());
        let lately = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(resolved) = lately {
            return Ok(Some(resolved));
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let named = GroupVersionKind::gvk(group, version, kind);
        let known = KNOWN.iter().find(|(version, known, _)| *version == api_version && *known == kind);
        let resolved = match known {
            Some((_, _, plural)) => {
                Resolved { resource: ApiResource::from_gvk_with_plural(&named, plural), is_namespaced: true }
            }
            None => {
                let doing = format!("find the kind {kind} of {api_version}");
                match answered(doing, pinned_kind(api.client(), &named)).await {
                    Ok((resource, can)) => Resolved { resource, is_namespaced: can.scope == Scope::Namespaced },
                    Err(CallError::Refused { status, .. }) if status.code == 404 => return Ok(None),
                    Err(CallError::Silent { source, .. }) if source.to_string().contains("Unable to discover kind") => {
                        return Ok(None);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, resolved.clone());
        Ok(Some(resolved))
    }
}

impl Resolved {
    /// What its objects are called on the way to them: `deployments`.
    pub(crate) fn plural(&self) -> &str {
        &self.resource.plural
    }

    pub(crate) fn is_namespaced(&self) -> bool {
        self.is_namespaced
    }

    /// A kind that every server has in this version.
    pub(crate) fn known(group: &str, version: &str, kind: &str, plural: &str, is_namespaced: bool) -> Self {
        let named = GroupVersionKind::gvk(group, version, kind);
        Self { resource: ApiResource::from_gvk_with_plural(&named, plural), is_namespaced }
    }

    /// The way to its objects.
    pub(crate) fn of(&self, api: &Api) -> kube::Api<DynamicObject> {
        match self.is_namespaced {
            true => kube::Api::namespaced_with(api.client().clone(), api.namespace(), &self.resource),
            false => kube::Api::all_with(api.client().clone(), &self.resource),
        }
    }
}
