//! Whole deployments under load, and what becomes of them when the deployer is killed or frozen.

use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

use crate::Outcome;
use crate::deployer::Order;
use crate::load::Load;
use crate::stage::{LONG, Stage};

pub(crate) async fn rolling_loses_nothing() -> Outcome {
    loses_nothing("rolling").await
}

pub(crate) async fn blue_green_loses_nothing() -> Outcome {
    loses_nothing("blue-green").await
}

async fn loses_nothing(strategy: &str) -> Outcome {
    let stage = Stage::new()?;
    // long answers, so that one is in flight whenever an instance leaves
    let order = |version| Order { count: 4, env: &[("ANSWER_MS", "150")], ..Order::new(version, strategy) };
    order("v1").succeeds(&stage).await?;
    let load = Load::start(stage.port);
    for version in ["v2", "v3", "v1"] {
        order(version).succeeds(&stage).await?;
    }
    let seen = load.lost_none().await?;
    let versions: Vec<_> = seen.versions.keys().map(String::as_str).collect();
    check(versions == ["v1", "v2", "v3"], "each version to have answered", &seen)?;
    converged(&stage, "v1", 4).await?;
    stage.down().await
}

/// Recreate has a gap, but nothing is left over, and all is well after it.
pub(crate) async fn recreate_converges() -> Outcome {
    let stage = Stage::new()?;
    for version in ["v1", "v2"] {
        Order::new(version, "recreate").succeeds(&stage).await?;
    }
    converged(&stage, "v2", 2).await?;
    stage.down().await
}

/// A version that is no good is taken back, and the old one never stops serving.
pub(crate) async fn broken_versions_are_taken_back() -> Outcome {
    let stage = Stage::new()?;
    Order::new("v1", "rolling").succeeds(&stage).await?;
    let load = Load::start(stage.port);
    let broken: [(&str, &[(&str, &str)]); 3] =
        [("exits", &[("EXIT", "3")]), ("errs", &[("STATUS", "500")]), ("hangs", &[("START_MS", "600000")])];
    for (version, env) in broken {
        for strategy in ["rolling", "blue-green"] {
            let status = Order { env, ..Order::new(version, strategy) }.run(&stage).await?;
            check(status.code() == Some(3), &format!("{version} to be taken back by {strategy}"), status)?;
            converged(&stage, "v1", 2).await?;
        }
    }
    let seen = load.lost_none().await?;
    check(seen.versions.keys().eq(["v1"]), "only v1 to have answered", &seen)?;
    stage.down().await
}

pub(crate) async fn rolling_survives_every_kill() -> Outcome {
    survives_every_kill("rolling").await
}

pub(crate) async fn blue_green_survives_every_kill() -> Outcome {
    survives_every_kill("blue-green").await
}

/// Killed after each journal record, and run again: it goes on, loses nothing, and leaves nothing over.
async fn survives_every_kill(strategy: &str) -> Outcome {
    let stage = Stage::new()?;
    Order::new("v0", strategy).succeeds(&stage).await?;
    let load = Load::start(stage.port);
    for record in 1.. {
        let version = format!("v{record}");
        let order = Order { kill_after: record, ..Order::new(&version, strategy) };
        let status = order.run(&stage).await?;
        if status.success() {
            check(record > 10, "a deployment of more than ten records", record)?;
            let stored = std::fs::read_dir(stage.state().join("payloads"))?.count();
            check(stored == 4, "the live release and three kept ones", stored)?;
            break;
        }
        check(status.signal() == Some(9), "the deployer to have killed itself", status)?;
        let about = |error: Box<dyn Error>| format!("after record {record}: {error}");
        Order::new(&version, strategy).succeeds(&stage).await.map_err(about)?;
        converged(&stage, &version, 2).await.map_err(about)?;
        check(load.seen().lost.is_empty(), &format!("nothing lost after record {record}"), load.seen())?;
    }
    load.lost_none().await?;
    stage.down().await
}

/// Killed after each journal record, and then another release: the interrupted one is unwound first.
pub(crate) async fn another_release_follows_every_kill() -> Outcome {
    let stage = Stage::new()?;
    Order::new("v0", "rolling").succeeds(&stage).await?;
    let load = Load::start(stage.port);
    for record in 1.. {
        let (killed, next) = (format!("killed-{record}"), format!("next-{record}"));
        let status = Order { kill_after: record, ..Order::new(&killed, "rolling") }.run(&stage).await?;
        if status.success() {
            break;
        }
        let about = |error: Box<dyn Error>| format!("after record {record}: {error}");
        Order::new(&next, "rolling").succeeds(&stage).await.map_err(about)?;
        converged(&stage, &next, 2).await.map_err(about)?;
        check(load.seen().lost.is_empty(), &format!("nothing lost after record {record}"), load.seen())?;
    }
    load.lost_none().await?;
    stage.down().await
}

/// A deployer that is frozen before a step, and woken after another one has gone back, changes nothing any more.
pub(crate) async fn a_frozen_deployer_changes_nothing_when_it_wakes() -> Outcome {
    let stage = Stage::new()?;
    Order::new("v1", "blue-green").succeeds(&stage).await?;
    let load = Load::start(stage.port);
    for step in ["web/start", "web/route", "web/stop"] {
        let mut frozen = Order { freeze_at: step, ..Order::new("v2", "blue-green") }.spawn(&stage)?;
        let pid =
            frozen.id().and_then(|pid| pid.try_into().ok()).and_then(Pid::from_raw).ok_or("expected a process")?;
        let stopped = async {
            while !std::fs::read_to_string(format!("/proc/{pid}/stat"))?.contains(") T ") {
                sleep(Duration::from_millis(20)).await;
            }
            Ok::<_, Box<dyn Error>>(())
        };
        timeout(LONG, stopped).await.map_err(|_| format!("expected it to stop before {step}"))??;
        Order::new("v1", "blue-green").succeeds(&stage).await?;
        converged(&stage, "v1", 2).await?;
        kill_process(pid, Signal::CONT)?;
        let status = timeout(LONG, frozen.wait()).await??;
        check(status.code() == Some(1), &format!("the one frozen before {step} to give up"), status)?;
        converged(&stage, "v1", 2).await?;
    }
    load.lost_none().await?;
    stage.down().await
}

/// Killed from outside at some moment, its agent with it or not, and run again. `LOCAL_TEST_KILLS` says how often.
pub(crate) async fn survives_kills_at_any_moment() -> Outcome {
    let kills = std::env::var("LOCAL_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let stage = Stage::new()?;
    Order::new("v0", "rolling").succeeds(&stage).await?;
    let load = Load::start(stage.port);
    let mut seed = 20_261_121_u64;
    for kill in 1..=kills {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (moment, with_agent) = ((seed >> 33) % 900, (seed >> 20).is_multiple_of(2));
        let strategy = if (seed >> 40).is_multiple_of(2) { "rolling" } else { "blue-green" };
        let version = format!("v{kill}");
        let order = Order::new(&version, strategy);
        let mut deployer = order.spawn(&stage)?;
        sleep(Duration::from_millis(moment)).await;
        let agent = deployer.id().and_then(agent_of).filter(|_| with_agent);
        deployer.start_kill()?;
        if let Some(agent) = agent {
            // it may have ended by itself already
            let _ = kill_process(agent, Signal::KILL);
        }
        deployer.wait().await?;
        let about = |error: Box<dyn Error>| format!("{strategy} killed after {moment} ms ({with_agent}): {error}");
        order.succeeds(&stage).await.map_err(about)?;
        converged(&stage, &version, 2).await.map_err(about)?;
        check(load.seen().lost.is_empty(), &format!("nothing lost after {moment} ms"), load.seen())?;
    }
    load.lost_none().await?;
    stage.down().await
}

/// The agent of a deployer.
fn agent_of(deployer: u32) -> Option<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{deployer}/task")).ok()?.flatten();
    let children: Vec<_> =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok()).collect();
    let is_agent = |pid: &&str| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(2) == Some(b"agent")
    };
    let agent = children.iter().flat_map(|line| line.split_whitespace()).find(is_agent)?;
    agent.parse().ok().and_then(Pid::from_raw)
}

/// One deploys after the other, and the last one's release serves.
pub(crate) async fn two_deployers_at_once() -> Outcome {
    let stage = Stage::new()?;
    Order::new("v0", "rolling").succeeds(&stage).await?;
    let load = Load::start(stage.port);
    let (one, two) = (Order::new("v1", "rolling"), Order::new("v2", "rolling"));
    let (mut first, mut second) = (one.spawn(&stage)?, two.spawn(&stage)?);
    let (first, second) = (first.wait().await?, second.wait().await?);
    check(first.success() && second.success(), "both to succeed", (first, second))?;
    let seen = stage.versions(1).await?;
    let last = seen.keys().next().ok_or("expected an answer")?;
    check(last != "v0", "a new version", last)?;
    converged(&stage, last, 2).await?;
    load.lost_none().await?;
    stage.down().await
}

/// All requests go to one version, and nothing else runs.
async fn converged(stage: &Stage, version: &str, count: usize) -> Outcome {
    let seen = stage.versions(20).await?;
    check(seen.keys().eq([version]), &format!("only {version} to answer"), &seen)?;
    let running = stage.running()?;
    check(running == vec![version.to_owned(); count], &format!("{count} processes of {version}"), running)
}

pub(crate) fn check(is: bool, expected: &str, found: impl std::fmt::Debug) -> Outcome {
    match is {
        true => Ok(()),
        false => Err(format!("expected {expected}, but found {found:?}").into()),
    }
}
