use super::{Down, Wanted, journal};
use crate::{
    CommandError, Place, SmokeCheck, Teardown,
    args::{Globals, InputName},
};
use async_trait::async_trait;
use deploy_core::{
    model::{Fence, Millis},
    target::TargetError,
};
use deploy_k8s::{Cluster, ClusterOptions, Input, InputKind, Manifests, Namespace, NamespaceOptions};
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
async fn input(globals: &Globals, cluster: &Cluster) -> Result<Manifests, CommandError> {
    if globals.files.is_empty() {
        return Err(CommandError::NoInput);
    }
    let kind = globals.input.map(|kind| match kind {
        InputName::Manifests => InputKind::Manifests,
        InputName::Kustomize => InputKind::Kustomize,
    });
    let input = Input { paths: globals.files.clone(), kind };
    Ok(input.load(globals.namespace.as_deref(), cluster.namespace()).await?)
}

/// What the input says, with the cluster's word for it.
pub(super) async fn prepare(globals: &Globals, smoke: &[SmokeCheck]) -> Result<Wanted, CommandError> {
    let cluster = connect(globals).await?;
    let manifests = input(globals, &cluster).await?;
    let deployments = manifests.objects().iter().filter(|one| one.group() == "apps" && one.kind() == "Deployment");
    let names = deployments.map(|one| one.name());
    smoke.iter().try_for_each(|smoke| smoke.is_of(names.clone()))?;
    cluster.answers().await?;
    let namespace = namespace(&cluster, manifests.namespace(), globals);
    let prepared = namespace.prepare(&manifests).await.map_err(CommandError::PrepareObjects)?;
    let place = kubernetes(manifests.namespace(), namespace);
    Ok(Wanted { place, services: prepared.services, payloads: prepared.payloads, notes: prepared.notes })
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
            let name = input(globals, &cluster).await?.namespace().to_owned();
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

/// The namespace that a plan was made for.
pub(super) async fn place_of_plan(globals: &Globals, home: &str) -> Result<Place, CommandError> {
    let name = globals.namespace.as_deref().unwrap_or(home);
    Ok(kubernetes(name, namespace(&cluster(globals).await?, name, globals)))
}

/// As [`place`], for what takes everything away.
pub(super) async fn place_to_take_down(globals: &Globals, volumes: bool) -> Result<Down, CommandError> {
    let (project, namespace, _) = meant(globals).await?;
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
