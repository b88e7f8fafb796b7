use super::{PrepareError, refused};
use crate::{
    content::Content,
    identity,
    kinds::Deployment,
    manifest::{
        Manifest,
        merge::{ApplyPatch, last_applied, patch},
    },
    names::LAST_APPLIED,
    shared::Shared,
    site::leads_to,
};
use deploy_core::model::{
    BasisPoints, Batch, Clocks, Count, Millis, Named, Object, Order, Payload, ServiceName, ServiceSpec,
};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// As long as Kubernetes itself waits for progress, where the Deployment doesn't say.
const PROGRESS_BY: u64 = 600;
/// As long as Kubernetes itself gives a pod to stop, where the template doesn't say.
const STOP_BY: u64 = 30;

/// What stands beside a Deployment.
pub(super) struct Surroundings<'a> {
    pub(super) objects: Vec<Object>,
    /// What the Secrets among them hold.
    pub(super) secrets: BTreeMap<String, Value>,
    /// The Services that are there already.
    pub(super) services: Vec<Arc<Service>>,
    /// How many Deployments the input has.
    pub(super) of: usize,
    pub(super) hash: &'a (dyn Fn(&str) -> String + Sync),
}

/// What is to run of one Deployment, and its configuration.
pub(super) async fn service(
    shared: &Shared,
    manifest: &Manifest,
    around: &Surroundings<'_>,
) -> Result<(ServiceSpec, Payload), PrepareError> {
    let name = ServiceName::new(manifest.name());
    let meant = shared.meant(manifest);
    let there = shared.view.part(&name, around.of).await?.deployments.get(name.as_str());
    let would_be = match &there {
        Some(there) => {
            if there.is_paused() && !crate::hold::Hold::is_on(there) {
                let why = "it is paused; run `kubectl rollout resume` first".into();
                return Err(PrepareError::Unsuitable { service: name.to_string(), why });
            }
            let last = there.annotations().get(LAST_APPLIED).and_then(|text| serde_json::from_str(text).ok());
            let (ApplyPatch::Strategic(body) | ApplyPatch::Merge(body)) = patch(last.as_ref(), &meant);
            shared.api.would_be::<Deployment>(name.as_str(), &body).await
        }
        None => match serde_json::from_value(meant.clone()) {
            Ok(new) => shared.api.would_be_new::<Deployment>(&new).await,
            Err(error) => {
                let (at, object) = (manifest.place().to_string(), format!("Deployment {name}"));
                return Err(PrepareError::Refused { at, object, said: error.to_string() });
            }
        },
    };
    let would_be = would_be.map_err(|error| refused(manifest, error))?;
    let content =
        Content { last_applied: Some(last_applied(&meant)), secrets: around.secrets.clone(), ..Content::of(&would_be) };
    let id = identity::release_id(&name, &content.template, around.hash);
    let release = identity::release(&name, id, &content.template);
    let labels = &content.template["metadata"]["labels"];
    let is_routed = around.services.iter().any(|service| leads_to(service, labels))
        || around.objects.iter().any(|object| selects(object, labels));
    let seconds = |value: &Value, default: u64| Millis::from_secs(value.as_u64().unwrap_or(default));
    let healthy_by = seconds(&would_be.spec["progressDeadlineSeconds"], PROGRESS_BY);
    let clocks = Clocks {
        healthy_for: seconds(&would_be.spec["minReadySeconds"], 0),
        healthy_by,
        progress_by: healthy_by,
        ..Clocks::default()
    };
    let spec = ServiceSpec {
        release,
        count: Count::Leave,
        router: is_routed.then(|| shared.router.clone()),
        order: Order::StartFirst,
        // as fast as the Deployment's own strategy says
        batch: Batch::Share(BasisPoints(2500)),
        check: Named::new("own", json!({})),
        clocks,
        smoke: Vec::new(),
        bake: Millis::ZERO,
        drain_by: Millis::ZERO,
        stop_by: seconds(&content.template["spec"]["terminationGracePeriodSeconds"], STOP_BY),
        needs: Vec::new(),
        lives_in: Vec::new(),
        objects: around.objects.clone(),
        keep_failed: false,
        notes: Vec::new(),
    };
    Ok((spec, content.payload()))
}

/// Whether an object is a Service that selects pods with these labels.
fn selects(object: &Object, labels: &Value) -> bool {
    object.object.kind == "service"
        && serde_json::from_value(object.spec.clone()).is_ok_and(|service: Service| leads_to(&service, labels))
}
