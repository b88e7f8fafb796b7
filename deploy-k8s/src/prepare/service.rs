use super::{PrepareError, notes::notes, refused, versioned::Configs};
use crate::{
    content::Content,
    hold::Hold,
    identity,
    kinds::Deployment,
    manifest::{
        Manifest,
        merge::{ApplyPatch, last_applied, patch},
    },
    names::LAST_APPLIED,
    objects::{asked, covers, kind_name, settings},
    shared::Shared,
    site::Leads,
    state::Key,
};
use deploy_core::{
    model::{
        BasisPoints, Batch, Clocks, Count, Millis, Named, Object, ObjectRef, Order, Payload, ServiceName, ServiceSpec,
    },
    target::TargetError,
};
use k8s_openapi::api::core::v1::Service;
use kube::{ResourceExt, core::TypeMeta};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// As long as Kubernetes itself waits for progress, where the Deployment doesn't say.
const PROGRESS_BY: u64 = 600;
/// As long as Kubernetes itself gives a pod to stop, where the template doesn't say.
const STOP_BY: u64 = 30;
/// The pause between two looks, at most: they cost no request, and what they see was counted by the kubelet already.
const LOOK: Millis = Millis(200);

/// What stands beside a Deployment.
pub(super) struct Surroundings<'a> {
    pub(super) objects: Vec<Object>,
    /// What the Secrets among them hold.
    pub(super) secrets: BTreeMap<String, Value>,
    /// The Services that are there already.
    pub(super) services: Vec<Arc<Service>>,
    /// The services of which a release is held: a deployment was interrupted.
    pub(super) held: BTreeMap<ServiceName, Hold>,
    /// How many Deployments the input has.
    pub(super) of: usize,
    pub(super) key: &'a Key,
    /// The ConfigMaps and Secrets of the input, and those of them that are there as they are to be.
    pub(super) configs: Configs,
    pub(super) unchanged: BTreeSet<(&'static str, String)>,
    /// The whole input.
    pub(super) input: &'a [Manifest],
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
    let hold = there.as_ref().and_then(|there| around.held.get(&name).filter(|hold| hold.is_on(there)));
    if let Some(there) = &there
        && there.is_paused()
        && hold.is_none()
    {
        let why = "it is paused; run `kubectl rollout resume` first".into();
        return Err(PrepareError::Unsuitable { service: name.to_string(), why });
    }
    let there = there.as_deref();
    let referred = around.configs.referred(&meant["spec"]["template"]);
    let (mut versioned, mut copies) = (meant.clone(), Vec::new());
    let would_be = match there.filter(|there| around.configs.referred(there.template()) == referred) {
        // brought there by its names as they are: another release only if something is another
        Some(there) if !referred.is_empty() && around.unchanged.is_superset(&referred.iter().cloned().collect()) => {
            let plain = try_out(shared, manifest, Some(there), &meant).await?;
            (plain.template() == there.template()).then_some(plain)
        }
        _ => None,
    };
    let would_be = match would_be {
        Some(plain) => plain,
        None => {
            copies = around.configs.version(&mut versioned["spec"]["template"], around.key);
            try_out(shared, manifest, there, &versioned).await?
        }
    };
    let missing = match there {
        // pods like these run already
        Some(there) if there.template() == would_be.template() => Vec::new(),
        _ => shared.check_references(manifest, around.input).await?,
    };
    let would_be = match (there, hold) {
        (Some(there), Some(hold)) => hold.undone(there, would_be),
        _ => would_be,
    };
    let of = Content::of(&would_be);
    let content = Content { last_applied: Some(last_applied(&meant)), copies, secrets: around.secrets.clone(), ..of };
    let id = identity::release_id(&name, &content.template, |text| around.key.hex16(text));
    let release = identity::release(&name, id, &content.template);
    let led = around.services.iter().map(|service| (service.name_any(), Leads::of(service, &would_be.spec)));
    let led: BTreeMap<_, _> =
        led.chain(around.objects.iter().filter_map(|object| leads(object, &would_be.spec))).collect();
    let is_routed = led.values().any(|leads| *leads == Leads::Here);
    let mut objects = around.objects.clone();
    if let Some(there) = there {
        objects.extend(shared.settings(there, &meant)?);
    }
    let replicas = there.map(Deployment::replicas).zip(meant["spec"]["replicas"].as_u64());
    let seconds = |value: &Value, default: u64| Millis::from_secs(value.as_u64().unwrap_or(default));
    let healthy_by = seconds(&would_be.spec["progressDeadlineSeconds"], PROGRESS_BY);
    let clocks = Clocks {
        interval: LOOK,
        healthy_for: seconds(&would_be.spec["minReadySeconds"], 0),
        healthy_by,
        progress_by: healthy_by,
        ..Clocks::default()
    };
    let spec = ServiceSpec {
        release,
        count: Count::Leave,
        router: is_routed.then(|| shared.router.clone()),
        order: order(&would_be),
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
        objects,
        keep_failed: false,
        notes: [notes(&would_be, there, &led, replicas), missing].concat(),
    };
    Ok((spec, content.payload()))
}

impl Shared {
    /// A Deployment's settings as they are to be, unless they are so already.
    fn settings(&self, there: &Deployment, meant: &Value) -> Result<Option<Object>, PrepareError> {
        let spec = settings(&serde_json::from_str(&last_applied(meant)).unwrap_or_default());
        let object =
            ObjectRef { target: self.target.clone(), kind: kind_name("apps/v1", "Deployment"), name: there.name_any() };
        // what is listed doesn't say what it is
        let types = Some(TypeMeta { api_version: "apps/v1".into(), kind: "Deployment".into() });
        let there = &Deployment { types, ..there.clone() };
        let now = serde_json::to_value(there).and_then(serde_json::from_value);
        let now = settings(&asked(&now.map_err(|error| TargetError::unreachable("the API server", error))?));
        // what nobody applied says more than a manifest does
        let is_applied = there.annotations().contains_key(LAST_APPLIED);
        let is_so = now == spec || !is_applied && covers(&now, &spec);
        Ok((!is_so).then_some(Object { object, spec }))
    }
}

/// Which goes first, whatever the strategy: side by side unless the Deployment ends old pods first and both would write to the
/// same volume.
fn order(deployment: &Deployment) -> Order {
    match deployment.is_recreate() && deployment.writes_to().next().is_some() {
        true => Order::StopFirst,
        false => Order::StartFirst,
    }
}

/// What the server would make of a Deployment.
async fn try_out(
    shared: &Shared,
    manifest: &Manifest,
    there: Option<&Deployment>,
    meant: &Value,
) -> Result<Deployment, PrepareError> {
    let would_be = match there {
        Some(there) => {
            let last = there.annotations().get(LAST_APPLIED).and_then(|text| serde_json::from_str(text).ok());
            let (ApplyPatch::Strategic(body) | ApplyPatch::Merge(body)) = patch(last.as_ref(), meant);
            shared.api.would_be::<Deployment>(manifest.name(), &body).await
        }
        None => match serde_json::from_value(meant.clone()) {
            Ok(new) => shared.api.would_be_new::<Deployment>(&new).await,
            Err(error) => {
                let (at, object) = (manifest.place().to_string(), format!("Deployment {}", manifest.name()));
                return Err(PrepareError::Refused { at, object, said: error.to_string() });
            }
        },
    };
    would_be.map_err(|error| refused(manifest, error))
}

/// How an object stands to a Deployment, if it is a Service.
fn leads(object: &Object, deployment: &Value) -> Option<(String, Leads)> {
    let service: Service =
        serde_json::from_value(object.spec.clone()).ok().filter(|_| object.object.kind == "service")?;
    Some((object.object.name.clone(), Leads::of(&service, deployment)))
}
