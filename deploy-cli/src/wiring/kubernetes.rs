use super::{Down, Intent, Wanted, journal};
use crate::{
    CommandError, Place, SmokeCheck, Teardown,
    args::{Globals, InputName},
};
use async_trait::async_trait;
use deploy_core::{
    model::{Fence, Millis, Plan, ServiceName},
    target::TargetError,
};
use deploy_k8s::{
    Cluster, ClusterOptions, Input, InputKind, Manifests, Namespace, NamespaceOptions, Permissions, Roles,
};
use std::sync::Arc;

/// The cluster that the command line means, once it has answered.
///
/// # Errors
/// Where none answers.
pub async fn cluster(globals: &Globals) -> Result<Cluster, CommandError> {
    let cluster = connect(globals).await?;
    cluster.answers().await?;
    Ok(cluster)
}

/// The same, before anything is sent to it.
async fn connect(globals: &Globals) -> Result<Cluster, CommandError> {
    let options = ClusterOptions {
        kubeconfig: globals.kubeconfig.clone(),
        context: globals.context.clone(),
        namespace: globals.namespace.clone(),
    };
    Ok(Cluster::connect(&options).await?)
}

/// A namespace by its name, used as the command line says.
pub fn namespace(cluster: &Cluster, name: &str, globals: &Globals) -> Namespace {
    let usual = NamespaceOptions::default();
    let settle = globals.settle.map_or(usual.settle, Millis::duration);
    cluster.open(name, &NamespaceOptions { settle, ..usual })
}

/// The objects that the command line means: read and checked, nothing is sent.
async fn input(globals: &Globals, context: &str) -> Result<Manifests, CommandError> {
    if globals.files.is_empty() {
        return Err(CommandError::NoInput);
    }
    let kind = globals.input.map(|kind| match kind {
        InputName::Manifests => InputKind::Manifests,
        InputName::Kustomize => InputKind::Kustomize,
    });
    let input = Input { paths: globals.files.clone(), kind };
    Ok(input.load(globals.namespace.as_deref(), context).await?)
}

/// What the input says, with the cluster's word for it.
pub(super) async fn prepare(globals: &Globals, smoke: &[SmokeCheck], intent: Intent) -> Result<Wanted, CommandError> {
    let cluster = connect(globals).await?;
    let manifests = input(globals, cluster.namespace()).await?;
    are_of(smoke, &manifests)?;
    cluster.answers().await?;
    let namespace = namespace(&cluster, manifests.namespace(), globals);
    if intent == Intent::Change {
        namespace.may(&needed(&manifests, smoke)).await?;
    }
    let prepared = namespace.prepare(&manifests).await.map_err(CommandError::PrepareObjects)?;
    let place = kubernetes(manifests.namespace(), namespace);
    Ok(Wanted {
        place,
        services: prepared.services,
        payloads: prepared.payloads,
        notes: prepared.notes,
        leftover: Some(leftover),
    })
}

fn leftover(service: &ServiceName) -> String {
    format!(
        "Deployment {service} isn't in the input any more, and stays. `kubectl delete deployment {service}` takes it away; \
         `deploy down` does so with everything else."
    )
}

/// Refuses smoke checks of what isn't in the input.
fn are_of(smoke: &[SmokeCheck], manifests: &Manifests) -> Result<(), CommandError> {
    let deployments = manifests.objects().iter().filter(|one| one.group() == "apps" && one.kind() == "Deployment");
    let names = deployments.map(|one| one.name());
    smoke.iter().try_for_each(|smoke| smoke.is_of(names.clone()))
}

/// What a deployment of an input must be allowed.
fn needed(manifests: &Manifests, smoke: &[SmokeCheck]) -> Permissions {
    let needed = Permissions::of(manifests);
    if smoke.is_empty() { needed } else { needed.with_smoke_checks() }
}

/// The roles that a deployment of the input needs. No cluster is asked, and none is needed where files or flags name the
/// namespace.
pub(super) async fn roles(globals: &Globals, smoke: &[SmokeCheck]) -> Result<Roles, CommandError> {
    let context = match &globals.namespace {
        Some(namespace) => Ok(namespace.clone()),
        None => connect(globals).await.map(|cluster| cluster.namespace().to_owned()),
    };
    let (namespace, needed) = match globals.files.is_empty() {
        true => (context.as_deref().unwrap_or_default().to_owned(), Permissions::always()),
        false => {
            let manifests = input(globals, context.as_deref().unwrap_or_default()).await?;
            are_of(smoke, &manifests)?;
            (manifests.namespace().to_owned(), needed(&manifests, smoke))
        }
    };
    match context {
        Err(error) if namespace.is_empty() => Err(error),
        _ if smoke.is_empty() => Ok(needed.roles(&namespace)),
        _ => Ok(needed.with_smoke_checks().roles(&namespace)),
    }
}

/// The namespace that is meant, opened: the input's where there is one, else that of flag and context.
async fn meant(globals: &Globals) -> Result<(String, Namespace, String), CommandError> {
    let (cluster, name) = match globals.files.is_empty() {
        true => {
            let cluster = cluster(globals).await?;
            let name = cluster.namespace().to_owned();
            (cluster, name)
        }
        false => {
            let cluster = connect(globals).await?;
            let name = input(globals, cluster.namespace()).await?.namespace().to_owned();
            cluster.answers().await?;
            (cluster, name)
        }
    };
    let namespace = namespace(&cluster, &name, globals);
    Ok((name, namespace, cluster.address().to_owned()))
}

/// The namespace that is meant, for what needs no input.
pub(super) async fn place(globals: &Globals) -> Result<Place, CommandError> {
    let (name, namespace, address) = meant(globals).await?;
    match namespace.is_there().await? {
        true => Ok(kubernetes(&name, namespace)),
        false => Err(CommandError::NotDeployedThere { namespace: name, address }),
    }
}

/// As [`place`], once it may be changed.
pub(super) async fn place_to_change(globals: &Globals) -> Result<Place, CommandError> {
    let (name, namespace, address) = meant(globals).await?;
    namespace.may_go_on().await?;
    match namespace.is_there().await? {
        true => Ok(kubernetes(&name, namespace)),
        false => Err(CommandError::NotDeployedThere { namespace: name, address }),
    }
}

/// The namespace that a plan was made for, once the plan may be run there.
pub(super) async fn place_of_plan(globals: &Globals, plan: &Plan) -> Result<Place, CommandError> {
    let name = globals.namespace.as_deref().unwrap_or(plan.home.as_str());
    let namespace = namespace(&cluster(globals).await?, name, globals);
    namespace.may(&Permissions::of_services(&plan.services)).await?;
    Ok(kubernetes(name, namespace))
}

/// As [`place`], for what takes everything away.
pub(super) async fn place_to_take_down(globals: &Globals, volumes: bool) -> Result<Down, CommandError> {
    let (project, namespace, _) = meant(globals).await?;
    namespace.may_go_on().await?;
    let data = namespace.data_volumes().await?;
    let place = match namespace.is_up(volumes).await? {
        true => Some(kubernetes(&project, namespace)),
        false => None,
    };
    Ok(Down { project, place, data })
}

/// A namespace of a cluster.
pub fn kubernetes(name: &str, namespace: Namespace) -> Place {
    Place {
        project: name.into(),
        target: namespace.target(),
        router: namespace.router(),
        lease: namespace.lease(),
        journal: journal(namespace.journal()),
        teardown: Arc::new(NamespaceTeardown(namespace)),
    }
}

struct NamespaceTeardown(Namespace);

#[async_trait]
impl Teardown for NamespaceTeardown {
    async fn down(&self, fence: Fence, volumes: bool) -> Result<Vec<String>, TargetError> {
        self.0.down(fence, volumes).await
    }
}
