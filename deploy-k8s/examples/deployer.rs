//! A deployer as a process of its own, for the tests on a real cluster that kill, freeze and disturb it.
//!
//! `deployer deploy` and `deployer abort`, told by the environment: `KUBECONFIG`, `NAMESPACE`, `INPUT` (a file), `STRATEGY`,
//! `SETTLE_MS`, `TTL_MS`, `BAKE_MS`.
//! Exit status 0: deployed or unchanged; 3: taken back, or nothing to take back; 4: halted or stuck; 1: anything else. What
//! happens is told on standard error.

use deploy_core::{
    engine::{EngineError, Finish, Options, Request},
    model::{End, Millis},
    observer::{Notice, Progress},
    strategy,
};
use deploy_k8s::{Cluster, ClusterOptions, Input, Namespace, NamespaceOptions};
use std::{env, error::Error, process::ExitCode, sync::Arc, time::Duration};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(Finish::Ended(End::Succeeded) | Finish::Unchanged) => ExitCode::SUCCESS,
        Ok(finish) => {
            eprintln!("{finish:?}");
            match finish {
                Finish::Ended(End::RolledBack { .. } | End::Cancelled { .. }) => ExitCode::from(3),
                Finish::Ended(End::Halted { .. } | End::Stuck { .. }) => ExitCode::from(4),
                _ => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            let mut source = Some(&*error as &dyn Error);
            while let Some(error) = source {
                eprintln!("failed: {error}");
                source = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<Finish, Box<dyn Error>> {
    let cluster = Cluster::connect(&ClusterOptions::default()).await?;
    let (ttl, settle) = (time("TTL_MS")?, time("SETTLE_MS")?);
    let namespace = cluster.open(&env::var("NAMESPACE")?, &NamespaceOptions { ttl, settle, ..Default::default() });
    let engine = namespace.engine().observer(Arc::new(tell)).build();
    if env::args().nth(1).as_deref() == Some("abort") {
        return match engine.abort(&Options::default()).await {
            Ok(report) => Ok(report.finish),
            Err(EngineError::NothingInterrupted) => {
                Ok(Finish::Ended(End::Cancelled { why: "nothing was interrupted".into() }))
            }
            Err(error) => Err(error.into()),
        };
    }
    let strategy = strategy::by_name(&env::var("STRATEGY")?).ok_or("expected a strategy's name")?;
    let request = request(&namespace).await?;
    Ok(engine.deploy(&request, strategy, &Options::default()).await?.finish)
}

async fn request(namespace: &Namespace) -> Result<Request, Box<dyn Error>> {
    let input = Input { paths: vec![env::var("INPUT")?.into()], kind: None };
    let prepared = namespace.prepare(&input.load(None, &env::var("NAMESPACE")?).await?).await?;
    let mut services = prepared.services;
    for service in &mut services {
        service.bake = Millis::from(time("BAKE_MS")?);
    }
    Ok(Request { services, payloads: prepared.payloads })
}

fn time(name: &str) -> Result<Duration, Box<dyn Error>> {
    Ok(Duration::from_millis(env::var(name)?.parse()?))
}

fn tell(notice: &Notice) {
    match notice {
        Notice::Progress(Progress::Health { .. } | Progress::Watched { .. }) => {}
        notice => eprintln!("{}", serde_json::to_string(notice).unwrap_or_default()),
    }
}
