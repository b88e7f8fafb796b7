use super::{VOLUME, spec, spec_label};
use crate::{
    error::if_there,
    handle::Handle,
    labels,
    shared::{Shared, Tried},
};
use bollard::{models::VolumeCreateRequest, query_parameters::ListVolumesOptions};
use deploy_core::{
    model::{Object, ObjectRef, TargetId},
    target::{Cx, TargetError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is asked of a named volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VolumeSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) driver: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
}

/// A volume as an object of a plan.
pub(crate) fn volume_object(target: &TargetId, name: &str, volume: &VolumeSpec) -> Object {
    let object = ObjectRef { target: target.clone(), kind: VOLUME.to_owned(), name: name.to_owned() };
    Object { object, spec: spec(volume) }
}

impl Handle {
    pub(super) async fn apply_volume(
        &self,
        cx: &Cx,
        name: &str,
        wanted: &VolumeSpec,
        spec: &Value,
    ) -> Result<(), TargetError> {
        self.admit(cx.fence).await?;
        let doing = || format!("make the volume {name}");
        if let Some(there) = if_there(self.docker().inspect_volume(name).await).tried(doing)? {
            return match spec_label(&there.labels) {
                Some(found) if found != *spec => Err(TargetError::Rejected {
                    why: format!(
                        "expected the volume {name} as the file describes it now, but found it as it was made before, and what is in it can't be moved: give the volume another name"
                    ),
                }),
                _ => Ok(()),
            };
        }
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            driver: wanted.driver.clone(),
            driver_opts: Some(wanted.options.clone().into_iter().collect()),
            labels: Some(self.object_labels(cx, &wanted.labels, spec)),
            ..VolumeCreateRequest::default()
        };
        self.docker().create_volume(request).await.tried(doing).map(drop)
    }
}

impl Shared {
    /// The volumes that we made, as they were asked for.
    pub(crate) async fn volumes(&self) -> Result<Vec<Object>, TargetError> {
        let options = ListVolumesOptions { filters: Some(labels::filter(&self.project)) };
        let found = self.docker().list_volumes(Some(options)).await;
        let found = found.tried(|| format!("list the volumes of {}", self.project))?;
        let volumes = found.volumes.unwrap_or_default().into_iter();
        Ok(volumes.filter_map(|volume| Some(self.object(VOLUME, &volume.name, spec_label(&volume.labels)?))).collect())
    }
}
