//! Deploys the Compose file of the current folder on the Docker Engine, and prints what happens.
//! Interrupted or killed, it carries on when it is run again.

use deploy_compose::Loader;
use deploy_core::engine::{Engine, Finish, Options, Request};
use deploy_core::{model::End, model::Event, observer::Notice, strategy::Rolling};
use deploy_docker::{ConnectOptions, DockerHost, OpenOptions};
use std::{error::Error, sync::Arc};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    deploy_proxy::hook(); // in its containers, this executable is the proxy before each service
    let project = Loader::new(".").env(std::env::vars()).load()?;
    let host = DockerHost::connect(&ConnectOptions::from_env()).await?;
    let place = host.open(project.name.as_str(), OpenOptions::default());
    let prepared = place.prepare(&project, &|progress| println!("{progress:?}")).await?;
    let engine = Engine::builder(place.target(), place.lease().await?, place.journal().await?)
        .router(place.router())
        .observer(Arc::new(print))
        .build();
    let request = Request { services: prepared.services, payloads: prepared.payloads };
    let report = engine.deploy(&request, &Rolling, &Options::default()).await?;
    match report.finish {
        Finish::Ended(End::Succeeded) | Finish::Unchanged => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn print(notice: &Notice) {
    let Notice::Event { record, .. } = notice else { return };
    match &record.event {
        Event::Planned { plan } => plan.steps.iter().for_each(|step| println!("{}: will {}", step.id, step.op)),
        Event::StepStarted { step } => println!("{step} …"),
        Event::StepEnded { step, outcome } => println!("{step}: {outcome:?}"),
        other => println!("{other:?}"),
    }
}
