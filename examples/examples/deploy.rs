//! `deploy` deploys the Compose file of the current folder on the Docker Engine, `deploy app.yaml` those manifests on the
//! cluster, and prints what happens. Interrupted or killed, it carries on when it is run again.

use deploy_compose::Loader;
use deploy_core::engine::{Engine, EngineBuilder, Finish, Options, Request};
use deploy_core::{model::End, observer::Notice, strategy::Rolling};
use deploy_docker::{ConnectOptions, DockerHost, OpenOptions};
use deploy_k8s::{Cluster, ClusterOptions, Input, NamespaceOptions};
use std::{env, error::Error, path::PathBuf, sync::Arc};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    deploy_proxy::hook(); // in its containers, this executable is the proxy before each service
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let (engine, request) = if paths.is_empty() { docker().await? } else { cluster(paths).await? };
    let tell = |notice: &Notice| println!("{}", serde_json::to_string(notice).unwrap_or_default());
    let report = engine.observer(Arc::new(tell)).build().deploy(&request, &Rolling, &Options::default()).await?;
    match report.finish {
        Finish::Ended(End::Succeeded) | Finish::Unchanged => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

async fn docker() -> Result<(EngineBuilder, Request), Box<dyn Error>> {
    let project = Loader::new(".").env(env::vars()).load()?;
    let place = DockerHost::connect(&ConnectOptions::from_env()).await?.open(&project.name, OpenOptions::default());
    let prepared = place.prepare(&project, &|_| {}).await?;
    let engine = Engine::builder(place.target(), place.lease().await?, place.journal().await?).router(place.router());
    Ok((engine, Request { services: prepared.services, payloads: prepared.payloads }))
}

async fn cluster(paths: Vec<PathBuf>) -> Result<(EngineBuilder, Request), Box<dyn Error>> {
    let cluster = Cluster::connect(&ClusterOptions::default()).await?;
    let manifests = Input { paths, kind: None }.load(None, cluster.namespace()).await?;
    let place = cluster.open(manifests.namespace(), &NamespaceOptions::default());
    let prepared = place.prepare(&manifests).await?;
    Ok((place.engine(), Request { services: prepared.services, payloads: prepared.payloads }))
}
