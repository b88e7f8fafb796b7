//! A deployer that is killed after any of its writes, journal records among them, and what comes after it.
//!
//! All of it: `CLUSTER_TEST_KILLS=all cargo test -p deploy-k8s --test cluster -- --include-ignored --test-threads 1 kills
//! disturbances`. It takes three quarters of an hour, and prints tables.

use crate::{
    deployer::Order,
    stage::{Stage, Table, rounds},
    web::Web,
};
use std::time::Duration;
use tokio::time::Instant;

/// What follows the kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The same command again.
    Same,
    /// Another release.
    Other,
}

/// Kills after each write of a deployment; then comes another command, which must converge. The versions are new ones or, on
/// the way back and forth between two, known ones.
async fn survives_kills(strategy: &str, then: Then, is_known: bool, sample: &[u64]) {
    let Some(stage) = Stage::new((strategy == "rolling").then_some(3)).await else { return };
    let mut table = Table::default();
    if is_known {
        stage.ends_with(0, &stage.deploy("1", strategy)).await;
    }
    for number in rounds(sample) {
        // back to 0 first, since 1 runs
        let version = if is_known { (number + 1) % 2 } else { number }.to_string();
        let load = stage.load(number / 2);
        let Ok(write) = stage.killed_after(&stage.deploy(&version, strategy), number).await else { break };
        let next = if then == Then::Same { version } else { format!("{number}-other") };
        let began = Instant::now();
        stage.ends_with(0, &stage.deploy(&next, strategy)).await;
        let took = began.elapsed();
        stage.converged(&next).await;
        table.add(number, write, took, stage.end(load).await);
    }
    table.lost_none(&format!(
        "{strategy}, killed after a write, then {then:?}{}",
        if is_known { ", known" } else { "" }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn blue_green_goes_on_after_kills_under_load() {
    survives_kills("blue-green", Then::Same, false, &[17]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn rolling_goes_on_after_kills_under_load() {
    survives_kills("rolling", Then::Same, false, &[9]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn a_rollback_goes_on_after_kills_under_load() {
    survives_kills("blue-green", Then::Same, true, &[22]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_release_follows_a_killed_blue_green_under_load() {
    survives_kills("blue-green", Then::Other, false, &[22]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn another_release_follows_a_killed_rolling_under_load() {
    survives_kills("rolling", Then::Other, false, &[9]).await;
}

/// The way back from the bake, killed after each of its writes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn an_abort_goes_on_after_kills_under_load() {
    let Some(stage) = Stage::new(None).await else { return };
    let mut table = Table::default();
    for number in rounds(&[7]) {
        let version = number.to_string();
        let order = Order { bake: Duration::from_secs(60), ..stage.deploy(&version, "blue-green") };
        let load = stage.load(number);
        let deployer = stage.start(&order);
        deployer.starts("web/bake").await;
        deployer.kill().await;
        let abort = Order { command: "abort", ..order };
        let Ok(write) = stage.killed_after(&abort, number).await else { break };
        let began = Instant::now();
        stage.ends_with(3, &abort).await;
        let took = began.elapsed();
        stage.converged("0").await;
        table.add(number, write, took, stage.end(load).await);
    }
    table.lost_none("abort in the bake, killed after a write, then the same");
}

/// A version whose image has no valid name, killed after each write there and back.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "in turn: .ci/run samples"]
async fn a_broken_version_is_taken_back_after_kills_under_load() {
    let Some(stage) = Stage::new(None).await else { return };
    let mut table = Table::default();
    for number in rounds(&[13]) {
        let version = number.to_string();
        let web = Web { image: Some("Web:1"), ..stage.web(&version) };
        let order = Order::deploy(web, "blue-green");
        let load = stage.load(number);
        let Ok(write) = stage.killed_after(&order, number).await else { break };
        let began = Instant::now();
        stage.ends_with(3, &order).await;
        let took = began.elapsed();
        stage.converged("0").await;
        table.add(number, write, took, stage.end(load).await);
    }
    table.lost_none("an invalid image, killed after a write, then the same");
}
