//! What people do to containers beside a deployment.

use crate::{
    ground::{Ground, assert_converged, free_port, get, web},
    load::Load,
    under_way::taken_back,
    way::{Call, Harm, Way},
};
use bollard::query_parameters as query;
use deploy_core::{
    engine::{EngineError, Options},
    model::Plan,
    strategy::{BlueGreen, Rolling},
};
use std::collections::{BTreeMap, HashMap};

/// What somebody does to a container.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Stop,
    Restart,
    Kill,
    Remove,
}

impl Ground {
    async fn somebody(&self, deed: Deed, container: &str) {
        let docker = &self.docker;
        let done = match deed {
            Deed::Stop => docker.stop_container(container, None::<query::StopContainerOptions>).await,
            Deed::Restart => docker.restart_container(container, None::<query::RestartContainerOptions>).await,
            Deed::Kill => docker.kill_container(container, None::<query::KillContainerOptions>).await,
            Deed::Remove => {
                let force = query::RemoveContainerOptions { force: true, ..Default::default() };
                docker.remove_container(container, Some(force)).await
            }
        };
        done.unwrap_or_else(|error| panic!("{deed:?} {container}: {error}"));
    }

    /// `docker system prune`, on this project only. How many containers it took.
    async fn prune(&self) -> usize {
        let filters = || HashMap::from([("label".to_owned(), vec![format!("deploy.project={}", self.name)])]);
        let containers = query::PruneContainersOptions { filters: Some(filters()) };
        let taken = self.docker.prune_containers(Some(containers)).await.unwrap();
        let networks = query::PruneNetworksOptions { filters: Some(filters()) };
        self.docker.prune_networks(Some(networks)).await.unwrap();
        taken.containers_deleted.unwrap_or_default().len()
    }

    /// Instances that run, in order.
    async fn instances(&self) -> Vec<String> {
        let running = self.containers().await.into_iter().filter(|(_, state)| state == "running");
        running.map(|(name, _)| name).filter(|name| !name.contains("-proxy")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_an_old_instance_the_deployment_goes_on_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v0", ""), &Rolling).await;
    let load = Load::start(port);
    for deed in [Deed::Stop, Deed::Restart, Deed::Kill, Deed::Remove] {
        let old = ground.instances().await;
        let version = format!("{deed:?}");
        let mut deployer = ground.begin(&web(port, &version, "START_MS: '1500'"), &Rolling);
        deployer.checked().await;
        ground.somebody(deed, &old[0]).await;
        let report = deployer.end().await.unwrap();
        assert_converged(&ground, port, &version, &format!("{report:?}")).await;
    }
    load.lost_none().await;
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_instance_that_somebody_takes_away_is_missed_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v0", ""), &Rolling).await;
    let load = Load::start(port);
    for deed in [Deed::Stop, Deed::Remove] {
        let old = ground.instances().await;
        let text = web(port, &format!("{deed:?}"), "START_MS: '3000'");
        let mut deployer = ground.begin(&text, &BlueGreen);
        deployer.checked().await;
        let new = ground.instances().await.into_iter().find(|name| !old.contains(name)).unwrap();
        ground.somebody(deed, &new).await;
        let why = taken_back(deployer.end().await);
        assert!(why.contains("exited") || why.contains("2 instances"), "{why}");
        assert_converged(&ground, port, "v0", &why).await;
    }
    let seen = load.lost_none().await;
    assert!(seen.versions.keys().eq(["v0"]), "{seen:?}");
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_stopped_or_removed_is_there_again_after_the_same_command() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let text = web(port, "v1", "");
    ground.succeeds(&text, &Rolling).await;
    for deed in [Deed::Stop, Deed::Kill, Deed::Remove] {
        ground.somebody(deed, &ground.instances().await[0]).await;
        assert_eq!(get(port).await.as_deref(), Some("v1"), "the other one serves");
        ground.succeeds(&text, &Rolling).await;
        assert_converged(&ground, port, "v1", &format!("{deed:?} of an instance")).await;
    }
    for deed in [Deed::Stop, Deed::Kill, Deed::Remove] {
        ground.somebody(deed, &format!("{}-web-proxy", ground.name)).await;
        ground.succeeds(&text, &Rolling).await;
        assert_converged(&ground, port, "v1", &format!("{deed:?} of the proxy")).await;
    }
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nightly_prune_takes_no_way_back_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    for version in ["v1", "v2"] {
        ground.succeeds(&web(port, version, ""), &Rolling).await;
    }
    let load = Load::start(port);
    assert_eq!(ground.prune().await, 2, "what is kept");
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    assert_converged(&ground, port, "v1", "after what is kept was pruned").await;

    let mut deployer = ground.begin(&web(port, "v3", "START_MS: '1500'"), &BlueGreen);
    deployer.checked().await;
    assert_eq!(ground.prune().await, 2, "what is kept of v2");
    deployer.end().await.unwrap();
    assert_converged(&ground, port, "v3", "after a prune meanwhile").await;
    load.lost_none().await;
    ground.clear().await;
}

/// To a prune, what was made and not started yet is as good as left over.
#[tokio::test(flavor = "multi_thread")]
async fn instances_that_were_pruned_before_their_start_are_made_again_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    let load = Load::start(port);
    let starts = |call: &Call| match call.line.contains("/containers/") && call.line.ends_with("/start") {
        true => Harm::Held,
        false => Harm::None,
    };
    let Some(way) = Way::to(ground.host.address(), starts) else { return };
    let deployer = ground.by(&way.address).await.begin(&web(port, "v2", ""), &Rolling);
    way.held().await;
    assert!(ground.prune().await > 0, "new instances that wait for their start");
    way.let_go();
    let report = deployer.end().await.unwrap();
    assert_converged(&ground, port, "v2", &format!("{report:?}")).await;
    load.lost_none().await;
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_version_dies_while_the_new_one_starts_and_what_is_healthy_serves() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    let load = Load::start(port);
    // one of two, and the new version is no good either
    let old = ground.instances().await;
    let mut deployer = ground.begin(&web(port, "v2", "START_MS: '60000', EXIT_MS: '1500'"), &BlueGreen);
    deployer.checked().await;
    ground.somebody(Deed::Kill, &old[0]).await;
    let why = taken_back(deployer.end().await);
    assert!(why.contains("exited with status 3"), "{why}");
    assert_eq!(ground.instances().await, old[1..], "nothing was stopped");
    load.lost_none().await;

    // all of them
    let mut deployer = ground.begin(&web(port, "v3", "START_MS: '1500'"), &BlueGreen);
    deployer.checked().await;
    ground.somebody(Deed::Kill, &old[1]).await;
    deployer.end().await.unwrap();
    assert_converged(&ground, port, "v3", "after the end of all of the old").await;
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_refused_once_somebody_changed_what_it_was_made_from() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    let project = ground.open();
    let prepared = ground.prepare(&project, &web(port, "v2", "")).await;
    let engine = ground.engine(&project).await;
    let plan = engine.plan(&prepared.services, &Rolling).await.unwrap();
    let plan: Plan = serde_json::from_value(serde_json::to_value(plan).unwrap()).unwrap();
    ground.somebody(Deed::Remove, &ground.instances().await[1]).await;
    let before = ground.containers().await;
    let refused = engine.run_plan(plan, &BTreeMap::new(), &Options::default()).await.unwrap_err();
    let EngineError::Stale { expected, found } = &refused else { panic!("{refused}") };
    assert!(
        expected.starts_with("2 of web-") && found.starts_with("1 of web-"),
        "expected {expected}, but found {found}"
    );
    assert_eq!(ground.containers().await, before);
    drop(project);
    ground.clear().await;
}
