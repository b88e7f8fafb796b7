use super::{NETWORK, spec, spec_label};
use crate::{
    error::{if_there, message, status},
    handle::Handle,
    labels,
    shared::{Shared, Tried},
};
use bollard::{
    models::{Ipam, NetworkCreateRequest},
    query_parameters::ListNetworksOptions,
};
use deploy_core::{
    model::{Object, ObjectRef, TargetId},
    target::{Cx, TargetError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is asked of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NetworkSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) driver: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) internal: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) attachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enable_ipv4: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enable_ipv6: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ipam: Option<Ipam>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
}

/// A network as an object of a plan.
pub(crate) fn network_object(target: &TargetId, name: &str, network: &NetworkSpec) -> Object {
    let object = ObjectRef { target: target.clone(), kind: NETWORK.to_owned(), name: name.to_owned() };
    Object { object, spec: spec(network) }
}

impl Handle {
    pub(super) async fn apply_network(
        &self,
        cx: &Cx,
        name: &str,
        wanted: &NetworkSpec,
        spec: &Value,
    ) -> Result<(), TargetError> {
        self.admit(cx.fence).await?;
        let there = if_there(self.docker().inspect_network(name, None).await);
        if let Some(there) = there.tried(|| format!("look at the network {name}"))? {
            let there = there.labels.unwrap_or_default();
            return match spec_label(&there) {
                Some(found) if found == *spec => Ok(()),
                Some(_) => Err(TargetError::Rejected {
                    why: format!(
                        "expected the network {name} as the file describes it now, but found it as it was made before, and a network can't be changed while it is in use: run `deploy down` first, or give the network another name"
                    ),
                }),
                None => Err(TargetError::Conflict {
                    expected: format!("no network {name}"),
                    found: "one that somebody else made; declare it `external: true` to use it".to_owned(),
                }),
            };
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some(wanted.driver.clone().unwrap_or_else(|| "bridge".to_owned())),
            internal: Some(wanted.internal),
            attachable: Some(wanted.attachable),
            enable_ipv4: wanted.enable_ipv4,
            enable_ipv6: wanted.enable_ipv6,
            ipam: wanted.ipam.clone(),
            options: Some(wanted.options.clone().into_iter().collect()),
            labels: Some(self.object_labels(cx, &wanted.labels, spec)),
            ..NetworkCreateRequest::default()
        };
        match self.docker().create_network(request).await {
            Err(error) if message(&error).contains("could not find an available") => Err(TargetError::Rejected {
                why: format!(
                    "expected an address range for the network {name}, but the Engine has none left: remove unused networks (`docker network prune`)"
                ),
            }),
            answer => answer.tried(|| format!("make the network {name}")).map(|_| ()),
        }
    }

    pub(crate) async fn delete_network(&self, name: &str) -> Result<(), TargetError> {
        match self.docker().remove_network(name).await {
            // gone already
            Err(error) if status(&error) == Some(404) => Ok(()),
            // somebody else's containers use it, or the Engine has lost count of them
            Err(error) if matches!(status(&error), Some(403 | 409)) => {
                self.warnings.note(format!(
                    "the network {name} stays, because something still uses it: later, `docker network rm {name}` removes it"
                ));
                Ok(())
            }
            answer => answer.tried(|| format!("remove the network {name}")),
        }
    }
}

impl Shared {
    /// The networks that we made, as they were asked for.
    pub(crate) async fn networks(&self) -> Result<Vec<Object>, TargetError> {
        let options = ListNetworksOptions { filters: Some(labels::filter(&self.project)) };
        let found = self.docker().list_networks(Some(options)).await;
        let found = found.tried(|| format!("list the networks of {}", self.project))?;
        let objects = found.into_iter().filter_map(|network| {
            let spec = spec_label(&network.labels.unwrap_or_default())?;
            Some(self.object(NETWORK, &network.name?, spec))
        });
        Ok(objects.collect())
    }
}
