use crate::case::{At, Case};
use deploy_core::{
    engine::{Finish, Options, Report, State},
    model::{End, Event, OnFailure, Plan, Undo},
    observer::Notice,
    testing::{
        Owned, SimWorld,
        faults::{CallKind, Fault, Faults},
        loops::{Scene, SimScene},
    },
};
use proptest::sample::Index;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Longer than any run may take.
const PATIENCE: Duration = Duration::from_secs(3600);

fn owned(world: &SimWorld) -> Owned {
    Owned::of(&world.snapshot(&["web".into()]))
}

/// What is owned, without the counts where they belong to somebody else.
fn comparable(case: &Case, mut owned: Owned) -> Owned {
    if case.is_scaled() {
        owned.asked.values_mut().for_each(|asked| *asked = 1);
    }
    owned
}

/// Without those of `before` that nothing was routed to: leftovers, which nobody wants back.
fn without_leftovers(mut owned: Owned, before: &Owned) -> Owned {
    owned.asked.retain(|set, _| {
        let routed = before.routes.values().any(|shares| shares.of(set).is_some());
        routed || !before.asked.contains_key(set)
    });
    owned
}

async fn is_interrupted(scene: &SimScene) -> bool {
    let journal = scene.deployer().await.unwrap().journal;
    let Some(last) = journal.deployments().await.unwrap().last().copied() else { return false };
    let state = State::replay(&journal.read(last).await.unwrap()).unwrap();
    state.is_some_and(|state| state.end().is_none())
}

/// The runs that something goes wrong in, each carrying on or undoing what the one before left, and one that nothing
/// disturbs.
pub(crate) async fn all_runs(case: &Case) -> Vec<String> {
    let scene = case.scene();
    let mut complaints = Vec::new();
    let (mut before, mut has_changed) = (comparable(case, owned(scene.world())), false);
    for wrong in case.runs.iter().copied().map(Some).chain([None]) {
        let is_interrupted = is_interrupted(&scene).await;
        if !is_interrupted {
            (before, has_changed) = (comparable(case, owned(scene.world())), false);
        }
        let faults = Faults::default();
        match wrong {
            Some((At::Call(index), fault)) => faults.at(index, fault),
            Some((At::Change(number), fault)) => faults.nth(number, |call| call.kind.mutates(), fault),
            None => {}
        }
        let engine = faults.wrap(scene.deployer().await.unwrap()).engine().build();
        let options = Options::default();
        let request = scene.request();
        let run = async {
            match is_interrupted && case.goes_back {
                true => engine.abort(&options).await,
                false => engine.deploy(&request, case.strategy(), &options).await,
            }
        };
        let ended = timeout(PATIENCE, faults.run(run)).await;
        has_changed |= faults.calls().iter().any(|call| changes(call.kind));
        match ended {
            Ok(Some(Ok(report))) => {
                complaints.extend(misfit(case, &scene, &before, has_changed, &report));
                let is_done = matches!(report.finish, Finish::Ended(End::Succeeded) | Finish::Unchanged);
                if wrong.is_none() && !is_interrupted && case.is_good() && !is_done {
                    complaints.push(format!("nothing was wrong with the last run: {:?}", report.finish));
                }
            }
            Ok(Some(Err(error))) if wrong.is_none() => complaints.push(format!("the last run: {error}")),
            Ok(Some(Err(_)) | None) => {}
            Err(_) => complaints.push(format!("{wrong:?}: it hung")),
        }
    }
    complaints.extend(scene.complaints().await.unwrap());
    complaints
}

/// Whether such a call changes what runs, or where requests go.
fn changes(kind: CallKind) -> bool {
    kind.mutates() && !matches!(kind, CallKind::Store | CallKind::Adopt | CallKind::Discard | CallKind::Prune)
}

/// What is wrong with the world after such an end.
fn misfit(case: &Case, scene: &SimScene, before: &Owned, has_changed: bool, report: &Report) -> Option<String> {
    let now = comparable(case, owned(scene.world()));
    match &report.finish {
        Finish::Ended(End::Succeeded) | Finish::Unchanged => {
            let asked = scene.world().asked(&"web".into());
            let alone = asked.keys().map(|release| release.as_str()).eq(["web-2"]);
            let counted = case.is_cluster() || asked.values().eq([&case.count]);
            let shares = scene.world().shares(&"web".into());
            let routed =
                shares.iter().count() == 1 && shares.iter().all(|share| share.workload.release.as_str() == "web-2");
            let fits = alone && counted && routed;
            (!fits).then(|| format!("{:?} with {now}", report.finish))
        }
        Finish::Ended(End::Cancelled { .. }) if has_changed => Some(format!("{:?} after a change", report.finish)),
        Finish::Ended(End::RolledBack { why } | End::Cancelled { why }) => {
            let (now, before) = (without_leftovers(now, before), without_leftovers(before.clone(), before));
            let fits = now == before && !why.is_empty();
            (!fits).then(|| format!("{:?}: expected {before}, but found {now}", report.finish))
        }
        Finish::Ended(End::Halted { why } | End::Stuck { why }) => why.is_empty().then(|| "no reason".into()),
        Finish::Suspended(why) => Some(format!("it waits, and nobody said so: {why}")),
    }
}

/// One run with a barrier at one step, in which another step fails. `change` may tamper with the plan.
pub(crate) async fn to_the_barrier(
    case: &Case,
    fails: Index,
    barrier: Index,
    change: impl FnOnce(&mut Plan),
) -> Vec<String> {
    let scene = case.scene();
    let world = scene.world().clone();
    let planner = scene.deployer().await.unwrap().engine().build();
    let request = scene.request();
    let mut plan = planner.plan(&request.services, case.strategy()).await.unwrap();
    if plan.steps.is_empty() {
        return Vec::new();
    }
    let (fails, barrier) = (fails.index(plan.steps.len()), barrier.index(plan.steps.len()));
    plan.steps[barrier].undo = Undo::Barrier { why: "no way back".into() };
    let mut last = None;
    for step in &mut plan.steps {
        step.on_failure = OnFailure::Unwind;
        // one after the other, so that what comes after the barrier is all that isn't before it
        step.after = last.replace(step.id.clone()).into_iter().collect();
    }
    let (failing, at) = (plan.steps[fails].id.clone(), plan.steps[barrier].id.clone());

    change(&mut plan);

    // what it must come back to: the world after the barrier's step, or before everything
    let goal = Arc::new(Mutex::new((owned(&world), false)));
    let (seen, watched) = (goal.clone(), world.clone());
    let observer = move |notice: &Notice| {
        let Notice::Event { record, .. } = notice else { return };
        // a barrier holds from its step's start: nobody knows how much of it was done
        if matches!(&record.event, Event::StepStarted { step } | Event::StepEnded { step, .. } if *step == at) {
            *seen.lock().unwrap() = (owned(&watched), true);
        }
    };
    let faults = Faults::default();
    faults.when(move |call| call.kind != CallKind::Observe && call.step.as_ref() == Some(&failing), Fault::Refuse);
    let engine = faults.wrap(scene.deployer().await.unwrap()).engine().observer(Arc::new(observer)).build();
    let report = engine.run_plan(plan, &request.payloads, &Options::default()).await.unwrap();
    sleep(Duration::from_secs(1)).await;

    let (goal, passed) = goal.lock().unwrap().clone();
    let (goal, now) = (comparable(case, goal), comparable(case, owned(&world)));
    let fits = match &report.finish {
        Finish::Ended(End::Succeeded) | Finish::Unchanged => true,
        Finish::Ended(End::RolledBack { .. } | End::Cancelled { .. }) => !passed && goal == now,
        Finish::Ended(End::Halted { why }) => passed && goal == now && why.contains("no way back"),
        Finish::Ended(End::Stuck { .. }) | Finish::Suspended(_) => false,
    };
    let mut complaints: Vec<_> = scene.complaints().await.unwrap();
    if !fits {
        complaints.push(format!("{:?}, barrier passed: {passed}: expected {goal}, but found {now}", report.finish));
    }
    complaints
}
