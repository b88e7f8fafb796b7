//! What else may happen to a deployer: it is frozen and woken up late, another one is at work, somebody writes to the same
//! objects, the API server isn't reached.

use crate::{
    deployer::Order,
    gate::{Fate, Gate},
    stage::{Stage, Table, rounds},
};
use rustix::process::Signal;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A lease that soon expires: whoever is frozen hasn't ended.
const TTL: Duration = Duration::from_secs(5);

/// A deployer is frozen at a write until another one has deployed something else, which stays.
async fn woken_late(title: &str, fate: impl Fn(u64) -> Fate, sample: &[u64]) {
    let Some(stage) = Stage::new(None).await else { return };
    let (others, mut table) = (Gate::new().await, Table::default());
    // from here on the first write is the one that takes the lease
    stage.ends_with(0, &stage.deploy("first", "blue-green")).await;
    for number in rounds(sample) {
        let (version, next) = (number.to_string(), format!("{number}-other"));
        let (load, before) = (stage.load(number), stage.journals().await.len());
        stage.gate.begin(Some(fate(number)));
        let order = Order { ttl: TTL, ..stage.deploy(&version, "blue-green") };
        let mut frozen = order.start(&stage.site, &stage.gate);
        tokio::select! {
            () = stage.gate.reached() => {}
            _ = frozen.ended() => break,
        }
        frozen.signal(Signal::STOP);
        // whoever wakes up then has succeeded
        let journals = stage.journals().await;
        let is_over = journals.len() > before && journals.iter().all(|head| head.ends_with("/ended"));
        let began = Instant::now();
        stage.deploy(&next, "blue-green").ends_with(0, &stage.site, &others).await;
        let took = began.elapsed();
        stage.converged(&next).await;
        let mut write = stage.gate.writes().pop().unwrap_or_default();
        stage.gate.let_go();
        if let Fate::Late(_) = fate(number) {
            write = format!("{write}: {}", stage.gate.late().await);
            stage.converged(&next).await;
        }
        frozen.signal(Signal::CONT);
        if number == 1 {
            // it hasn't begun, and may do so now
            frozen.kill().await;
            continue;
        }
        let ended = frozen.ended().await;
        assert!(ended.success() == is_over, "{write}: {ended}\n{}", frozen.told());
        stage.converged(&next).await;
        table.add(number, write, took, stage.end(load).await);
    }
    table.lost_none(title);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_write_changes_nothing_under_load() {
    woken_late("a write that comes late", Fate::Late, &[21]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn a_deployer_that_wakes_up_late_changes_nothing_under_load() {
    woken_late("frozen after a write", Fate::AnswerLate, &[18]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn of_two_deployers_at_once_one_waits_under_load() {
    let Some(stage) = Stage::new(None).await else { return };
    let (others, load) = (Gate::new().await, stage.load(0));
    let (one, two) = (stage.deploy("1", "blue-green"), stage.deploy("2", "blue-green"));
    let (first, second) = (stage.start(&one), two.start(&stage.site, &others));
    tokio::join!(first.ends_with(0), second.ends_with(0));
    let last = stage.site.ground.get("deployment", "web").await["spec"]["template"]["spec"]["containers"][0]["env"][0]
        ["value"]
        .clone();
    stage.converged(last.as_str().unwrap()).await;
    load.lost_none().await;
}

/// Somebody writes to the Deployment in the bake; the deployer ends so, and the same command again converges.
async fn written_in_the_bake(write: impl AsyncFn(&Stage), status: i32) {
    // whatever rolls it out, the app is one that can be
    let Some(stage) = Stage::new(Some(3)).await else { return };
    let load = stage.load(0);
    let order = Order { bake: Duration::from_secs(4), ..stage.deploy("1", "blue-green") };
    let deployer = stage.start(&order);
    deployer.starts("web/bake").await;
    write(&stage).await;
    deployer.ends_with(status).await;
    stage.site.is_as_the_users(&stage.before).await;
    if status != 0 {
        stage.site.ground.rolled_out("web").await;
        stage.ends_with(0, &order).await;
    }
    stage.converged("1").await;
    load.lost_none().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_image_in_the_bake_wins_under_load() {
    let set = async |stage: &Stage| {
        stage.site.ground.kubectl(&["set", "env", "deployment/web", "VERSION=theirs"]).await;
    };
    written_in_the_bake(set, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn another_version_applied_in_the_bake_wins_under_load() {
    let apply = async |stage: &Stage| {
        stage.site.ground.apply(&stage.web("theirs").deployment(&stage.site.ground)).await;
    };
    written_in_the_bake(apply, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn another_size_in_the_bake_is_followed_under_load() {
    let Some(stage) = Stage::new(None).await else { return };
    let load = stage.load(0);
    let order = Order { bake: Duration::from_secs(4), ..stage.deploy("1", "blue-green") };
    let deployer = stage.start(&order);
    deployer.starts("web/bake").await;
    stage.site.ground.kubectl(&["scale", "deployment/web", "--replicas=3"]).await;
    deployer.ends_with(0).await;
    let now = stage.site.ground.shown("deployment", "web").await;
    assert_eq!(now["spec"]["replicas"], 3);
    stage.site.ground.rolled_out("web").await;
    let seen = load.lost_none().await;
    assert!(seen.versions.contains_key("1"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_no_failure_under_load() {
    let Some(stage) = Stage::new(None).await else { return };
    let mut table = Table::default();
    for number in rounds(&[15]) {
        let version = number.to_string();
        let order = stage.deploy(&version, "blue-green");
        let load = stage.load(number);
        stage.gate.begin(Some(Fate::AnswerLost(number)));
        let began = Instant::now();
        let mut deployer = order.start(&stage.site, &stage.gate);
        let ended = deployer.ended().await;
        let took = began.elapsed();
        let writes = stage.gate.writes();
        let Some(write) = writes.get(number as usize - 1) else { break };
        // nothing has begun while it isn't known whether the lease is ours
        assert!(ended.success() || write.contains("leases"), "{write}: {ended}\n{}", deployer.told());
        // the lease isn't given back where something may still be under way; whoever is next takes it
        stage.ends_with(0, &order).await;
        stage.converged(&version).await;
        table.add(number, write.clone(), took, stage.end(load).await);
    }
    table.lost_none("a write's answer is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_are_made_again_under_load() {
    let Some(stage) = Stage::new(None).await else { return };
    let load = stage.load(0);
    let deployer = stage.start(&stage.deploy("1", "blue-green"));
    // what it reads before it changes anything isn't read again
    deployer.starts("web/store").await;
    let cut = async {
        loop {
            sleep(Duration::from_millis(700)).await;
            stage.gate.cut();
        }
    };
    tokio::select! {
        () = cut => {}
        () = deployer.ends_with(0) => {}
    }
    // answers may have been lost: then the lease is still to be taken from somebody who has ended
    stage.ends_with(0, &stage.deploy("1", "blue-green")).await;
    stage.converged("1").await;
    load.lost_none().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn an_api_server_that_is_away_for_a_while_is_waited_for_under_load() {
    let Some(stage) = Stage::new(None).await else { return };
    let load = stage.load(0);
    for (version, step) in [("1", "web/check"), ("2", "web/stop")] {
        let deployer = stage.start(&stage.deploy(version, "blue-green"));
        deployer.starts(step).await;
        stage.gate.open(false);
        sleep(Duration::from_secs(5)).await;
        stage.gate.open(true);
        deployer.ends_with(0).await;
        stage.ends_with(0, &stage.deploy(version, "blue-green")).await;
        stage.converged(version).await;
    }
    load.lost_none().await;
}

/// `CLUSTER_TEST_RESTART` names a program that restarts the API server of a cluster that nobody else uses, and ends once it
/// answers. Where that takes longer than a lease lasts, the deployer ends, and the same command goes on.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it restarts the API server: CLUSTER_TEST_RESTART"]
async fn an_api_server_that_is_restarted_is_waited_for_under_load() {
    let Some(restart) = std::env::var_os("CLUSTER_TEST_RESTART") else {
        eprintln!("skipped, because CLUSTER_TEST_RESTART names no program");
        return;
    };
    let Some(stage) = Stage::new(None).await else { return };
    let load = stage.load(0);
    // not often: a node that can't report for 40 s is taken for lost, with all its pods
    for (version, step) in [("1", "web/start"), ("2", "web/check"), ("3", "web/route")] {
        let mut deployer = stage.start(&stage.deploy(version, "blue-green"));
        deployer.starts(step).await;
        assert!(tokio::process::Command::new(&restart).status().await.unwrap().success());
        let ended = deployer.ended().await;
        assert!(matches!(ended.code(), Some(0 | 1)), "{ended}\n{}", deployer.told());
        stage.ends_with(0, &stage.deploy(version, "blue-green")).await;
        stage.converged(version).await;
    }
    load.lost_none().await;
}
