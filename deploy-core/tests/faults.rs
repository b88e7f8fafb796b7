//! Each fault does to a call what it says.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use deploy_core::{
    lease::{Lease, LeaseEnd, LeaseError},
    model::{DeploymentId, Fence, Millis, Payload, Release, StepId},
    target::{Cx, TargetError},
    testing::{
        Deployer, SimSettings, SimWorld,
        faults::{Call, CallKind, Fault, Faults},
        virtual_time,
    },
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const MINUTE: Duration = Duration::from_secs(60);

fn release() -> Release {
    Release { id: "web-1".into(), service: "web".into(), version: String::new(), artifact: String::new() }
}

fn cx(step: &str) -> Cx {
    let deadline = Instant::now() + MINUTE;
    Cx { deployment: DeploymentId(1), step: StepId::new(step), fence: Fence(1), deadline }
}

fn is_store(call: &Call) -> bool {
    call.kind == CallKind::Store
}

async fn store(deployer: &Deployer) -> Result<(), TargetError> {
    deployer.target.store(&cx("store"), &release(), &Payload::new("")).await
}

/// What became of storing a payload under a fault: the answer, if one came in time, and the effect.
fn under(fault: Fault) -> (Option<Result<(), TargetError>>, bool) {
    virtual_time(async {
        let world = SimWorld::new(SimSettings::host());
        let faults = Faults::default();
        faults.once(is_store, fault);
        let deployer = faults.wrap(world.deployer());
        let answer = timeout(MINUTE, faults.run(store(&deployer))).await.ok().flatten();
        (answer, world.snapshot(&["web".into()]).stored.contains(&release().id))
    })
    .unwrap()
}

#[test]
fn effects_and_answers_are_as_told() {
    assert!(matches!(under(Fault::FailBefore), (Some(Err(TargetError::Unreachable { .. })), false)));
    assert!(matches!(under(Fault::FailAfter), (Some(Err(TargetError::Unreachable { .. })), true)));
    assert!(matches!(under(Fault::Refuse), (Some(Err(TargetError::Rejected { .. })), false)));
    assert!(matches!(under(Fault::HangBefore), (None, false)));
    assert!(matches!(under(Fault::HangAfter), (None, true)));
    assert!(matches!(under(Fault::Late(Millis::from_secs(30))), (Some(Ok(())), true)));
    assert!(matches!(under(Fault::Stray(Millis::from_secs(30))), (None, true)));
    assert!(matches!(under(Fault::Stray(Millis::from_secs(90))), (None, false)));
    assert!(matches!(under(Fault::Twice), (Some(Ok(())), true)));
    assert!(matches!(under(Fault::CrashBefore), (None, false)));
    assert!(matches!(under(Fault::CrashDuring(Millis::ZERO)), (None, false)));
    assert!(matches!(under(Fault::CrashAfter), (None, true)));
    assert!(matches!(under(Fault::Freeze(Millis::from_secs(30))), (Some(Ok(())), true)));
}

#[test]
fn nothing_goes_through_after_a_crash() {
    virtual_time(async {
        let world = SimWorld::new(SimSettings::host());
        let faults = Faults::default();
        faults.once(|call| call.kind == CallKind::Observe, Fault::CrashBefore);
        let deployer = faults.wrap(world.deployer());
        let both = async {
            let observe = deployer.target.observe(&[]);
            let later = async {
                sleep(Duration::from_secs(1)).await;
                store(&deployer).await
            };
            futures_util::future::join(observe, later).await.1
        };
        assert!(faults.run(both).await.is_none() && faults.is_crashed());
        assert!(timeout(MINUTE, store(&deployer)).await.is_err(), "a dead deployer's call was answered");
        assert!(world.snapshot(&["web".into()]).stored.is_empty());
    })
    .unwrap();
}

#[test]
fn a_rule_counts_only_the_calls_it_means() {
    virtual_time(async {
        let world = SimWorld::new(SimSettings::host());
        let faults = Faults::default();
        faults.nth(1, is_store, Fault::Refuse);
        let deployer = faults.wrap(world.deployer());
        let mut answers = Vec::new();
        for _ in 0..3 {
            deployer.target.observe(&[]).await.unwrap();
            answers.push(store(&deployer).await.is_ok());
        }
        assert_eq!(answers, [true, false, true]);
        let kinds: Vec<_> = faults.calls().iter().map(|call| call.kind).collect();
        assert_eq!(kinds, [CallKind::Observe, CallKind::Store].repeat(3));
        assert_eq!(faults.calls()[1].to_string(), "call 1: Store web-1 for store");
    })
    .unwrap();
}

/// A deployer that is frozen past its lease, with a removal on its way, comes too late.
#[test]
fn a_frozen_deployer_wakes_up_fenced() {
    virtual_time(async {
        let world = SimWorld::new(SimSettings::host());
        world.runs(&release(), 2);
        let (faults, set) = (Faults::default(), world.workload(&"web".into(), &"web-1".into()));
        faults.once(|call| call.kind == CallKind::Remove, Fault::Freeze(MINUTE.into()));
        let frozen = faults.wrap(world.deployer());
        let late = faults.run(async {
            let mine = frozen.lease.take("the frozen one").await.unwrap().fence;
            frozen.target.remove(&Cx { fence: mine, ..cx("stop") }, &set, true).await
        });
        let other = async {
            sleep(Duration::from_secs(5)).await;
            let held = world.lease().take("another").await;
            assert!(matches!(held, Err(LeaseError::Held { holder, .. }) if holder == "the frozen one"));
            sleep(Duration::from_secs(15)).await;
            let other = world.deployer();
            let grant = other.lease.take("another").await.unwrap();
            assert_eq!(grant.before, LeaseEnd::Expired);
            other.target.adopt(&Cx { fence: grant.fence, ..cx("adopt") }, grant.before).await.unwrap();
        };
        let (late, ()) = futures_util::future::join(late, other).await;
        assert!(matches!(late, Some(Err(TargetError::Fenced { .. }))), "{late:?}");
        assert_eq!((world.serving(&"web".into()), world.violations()), (2, vec![]));
    })
    .unwrap();
}
