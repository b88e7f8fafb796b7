//! Calls to the Engine that don't arrive, aren't answered, fail, hang or come late.

use crate::{
    ground::{Ground, assert_converged, free_port, web},
    load::{LONG, Load},
    way::{Call, Harm, Way},
};
use deploy_core::{
    engine::{Finish, Options},
    model::End,
    strategy::{BlueGreen, Rolling},
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{Instant, sleep};

/// How many calls of a deployment come to each kind of harm; `DEPLOY_TEST_CALLS` says another number.
const CALLS: usize = 4;

/// Some of `1..calls`, the same ones each time.
fn chosen(calls: usize, seed: u64) -> BTreeSet<usize> {
    let wanted = std::env::var("DEPLOY_TEST_CALLS").ok().and_then(|number| number.parse().ok()).unwrap_or(CALLS);
    if wanted >= calls - 1 {
        return (1..calls).collect();
    }
    let (mut state, mut chosen) = (seed, BTreeSet::new());
    while chosen.len() < wanted {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        chosen.insert(1 + (state >> 33) as usize % (calls - 1));
    }
    chosen
}

/// Whatever comes of it, the same command again comes to its end, nothing is left over, and no request is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_in_any_way_costs_no_request_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v0", ""), &Rolling).await;
    let load = Load::start(port);
    let Some(way) = Way::to(ground.host.address(), |_| Harm::None) else { return };
    ground.by(&way.address).await.succeeds(&web(port, "v1", ""), &Rolling).await;
    let calls = way.calls();
    for (seed, harm) in [(1, Harm::Cut), (2, Harm::Unanswered), (3, Harm::Refused)] {
        for number in chosen(calls, seed) {
            let text = web(port, &format!("{harm:?}-{number}"), "");
            let harmed = move |call: &Call| if call.number == number { harm } else { Harm::None };
            let Some(way) = Way::to(ground.host.address(), harmed) else { return };
            let ended = ground.by(&way.address).await.begin(&text, &Rolling).end().await;
            let about = format!("{harm:?} of call {number} of {calls}, which came to {ended:?}");
            let again = ground.begin(&text, &Rolling).end().await.unwrap_or_else(|error| panic!("{error}: {about}"));
            assert!(matches!(again.finish, Finish::Ended(End::Succeeded) | Finish::Unchanged), "{again:?}: {about}");
            assert_converged(&ground, port, &format!("{harm:?}-{number}"), &about).await;
            assert!(load.seen().lost.is_empty(), "{:?}: {about}", load.seen());
        }
    }
    load.lost_none().await;
    ground.clear().await;
}

/// Where no proxy runs yet, the agent has a container of its own.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_which_nobody_was_told_is_not_left_over() {
    let Some(ground) = Ground::new().await else { return };
    let text = web(free_port(), "v1", "");
    for verb in ["/create", "/attach", "/start"] {
        let mut is_first = true;
        let unanswered = move |call: &Call| {
            let is_meant = call.line.starts_with("POST /containers/") && call.line.ends_with(verb);
            if is_meant && std::mem::take(&mut is_first) { Harm::Unanswered } else { Harm::None }
        };
        let Some(way) = Way::to(ground.host.address(), unanswered) else { return };
        let ended = ground.by(&way.address).await.begin(&text, &Rolling).end().await;
        assert!(ended.is_err(), "without an answer to {verb}: {ended:?}");
        let until = Instant::now() + LONG;
        while !ground.everything().await.is_empty() {
            assert!(Instant::now() < until, "without an answer to {verb}: {:?}", ground.everything().await);
            sleep(Duration::from_millis(100)).await;
        }
    }
    ground.succeeds(&text, &Rolling).await;
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_slow_to_answer_costs_no_request_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    let load = Load::start(port);
    let slow = |_: &Call| Harm::Late(Duration::from_millis(300));
    let Some(way) = Way::to(ground.host.address(), slow) else { return };
    ground.by(&way.address).await.succeeds(&web(port, "v2", ""), &BlueGreen).await;
    load.lost_none().await;
    assert_converged(&ground, port, "v2", "after late answers").await;
    ground.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_hangs_is_given_up_and_made_again() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    let load = Load::start(port);
    let mut hung = false;
    let first_start = move |call: &Call| match call.line.ends_with("/start") && call.line.contains("containers") {
        true if !hung => {
            hung = true;
            Harm::Held
        }
        _ => Harm::None,
    };
    let Some(way) = Way::to(ground.host.address(), first_start) else { return };
    ground.by(&way.address).await.succeeds(&web(port, "v2", ""), &Rolling).await;
    assert_eq!(way.held().await.len(), 1);
    load.lost_none().await;
    assert_converged(&ground, port, "v2", "after a call that hung").await;
    ground.clear().await;
}

/// The Engine's calls know no fence: who takes over renames what a late one could name.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_arrives_after_another_went_back_misses_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    let load = Load::start(port);
    let stops = |call: &Call| if call.line.ends_with("/stop") { Harm::Held } else { Harm::None };
    let Some(way) = Way::to(ground.host.address(), stops) else { return };
    let deployer = ground.by(&way.address).await.begin(&web(port, "v2", ""), &Rolling);
    way.held().await;
    deployer.kill().await;
    let project = ground.open();
    let report = ground.engine(&project).await.abort(&Options::default()).await.unwrap();
    assert!(matches!(report.finish, Finish::Ended(End::RolledBack { .. })), "{report:?}");
    way.let_go();
    way.none_held().await;
    let seen = load.lost_none().await;
    assert!(seen.versions.contains_key("v2"), "it had come as far as the stop: {seen:?}");
    assert_converged(&ground, port, "v1", "after the late stop").await;
    drop(project);
    ground.clear().await;
}

/// Only silence tells: nothing closes. Its deployer ends by itself, and another one needn't wait for it to wake up.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_freezes_ends_its_deployer_and_its_lease_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    ground.succeeds(&web(port, "v1", ""), &Rolling).await;
    let load = Load::start(port);
    let Some(way) = Way::to(ground.host.address(), |_| Harm::None) else { return };
    let mut frozen = ground.by(&way.address).await.begin(&web(port, "v2", ""), &BlueGreen);
    frozen.started("web/route").await;
    way.freeze();
    ground.succeeds(&web(port, "v3", ""), &BlueGreen).await;
    let error = frozen.end().await.unwrap_err().to_string();
    assert!(error.contains("lease ended") || error.contains("taken over"), "{error}");
    way.let_go();
    sleep(Duration::from_secs(1)).await;
    load.lost_none().await;
    assert_converged(&ground, port, "v3", "after the thaw").await;
    ground.clear().await;
}
