//! The loops: a deployment is run again and again, each time with another fault, on a new world. Whatever happens, it must
//! end well, and so must the run after it.
//!
//! - [`fail_at_each_step`]: each call fails, before and after its effect or for good, and each call of a step hangs.
//! - [`stick_at_each_step`]: each change is refused, and on the way back each change again.
//! - [`repeat_each_step`]: each change is made twice.
//! - [`crash_after_each_entry`]: the deployer is gone after each journal entry.
//! - [`crash_at_each_call`]: the deployer is gone before, during or after each call.
//! - [`stray_at_each_change`]: each change is given up by its caller, and made long afterwards.
//! - [`freeze_at_each_change`]: the deployer freezes before each change, while another one waits for the lease.
//!
//! A round is good when no promise was broken ([`Scene::complaints`]), when the world is as the deployment's end says (as
//! before, or as after a run without faults), and when the next run, without faults, comes to what a run without faults
//! comes to.

mod report;
mod round;
mod scene;

pub use report::{LoopReport, Round};
pub use scene::{Scene, SimScene};

use super::faults::{CallKind, Fault};
use crate::model::Millis;
use round::{Clean, Plot};

/// What comes after a crash, or after an end that is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The same request again.
    Again,
    /// [`Engine::resume`](crate::engine::Engine::resume), from another machine: without the payloads.
    Resume,
    /// [`Engine::abort`](crate::engine::Engine::abort).
    Abort,
    /// [Another release](Scene::another).
    Another,
    /// [The release that ran before](Scene::earlier).
    Earlier,
}

/// Each call fails, in each way; those on behalf of a step hang too. Of calls that only look, the first of its kind and
/// object.
///
/// # Errors
/// Where the scene can't be set, or a run without faults doesn't end well.
pub async fn fail_at_each_step<S: Scene>(make: impl AsyncFn() -> Result<S, String>) -> Result<LoopReport, String> {
    const WAYS: [Fault; 5] = [Fault::FailBefore, Fault::FailAfter, Fault::Refuse, Fault::HangBefore, Fault::HangAfter];
    let clean = Clean::run(&make().await?).await?;
    let mut report = LoopReport::new("fail at each step");
    for key in clean.keys.iter().filter(|key| key.kind.mutates() || key.nth == 0 || key.kind == CallKind::Append) {
        // only steps have deadlines, and only a target refuses for good
        let applies = |fault: &&Fault| match fault {
            Fault::HangBefore | Fault::HangAfter => key.step.is_some(),
            Fault::Refuse => key.kind.mutates() || key.kind == CallKind::Observe,
            _ => true,
        };
        for fault in WAYS.iter().filter(applies).copied() {
            report.rounds.push(Plot::one(key, fault).play(&make().await?, &clean).await?);
        }
    }
    Ok(report)
}

/// Each change is refused for good, and so is each change of the way back, or of what happens without the first refusal: most
/// rounds end stuck or halted. What was left then is all that the next run has, and it must come to the same as ever:
/// [the same](Then::Again) to what a run without faults comes to, [the release before](Then::Earlier) to its own.
///
/// # Errors
/// Where the scene can't be set, or a run without faults doesn't end well.
pub async fn stick_at_each_step<S: Scene>(
    make: impl AsyncFn() -> Result<S, String>,
    then: Then,
) -> Result<LoopReport, String> {
    let mut clean = Clean::run(&make().await?).await?;
    clean.prepare(then, &make).await?;
    let mut report = LoopReport::new("stick at each step");
    let changes =
        clean.keys.iter().filter(|key| key.kind.mutates() && key.step.is_some() && key.kind != CallKind::Prune);
    for refused in changes.map(Some).chain([None]) {
        let back = Plot::refused(refused, None).undoing(&make().await?).await?;
        for undo in &back {
            report.rounds.push(Plot::refused(refused, Some(undo)).then(then).play(&make().await?, &clean).await?);
        }
    }
    Ok(report)
}

/// Each change is made twice, one at a time and all of them.
///
/// # Errors
/// Where the scene can't be set, or a run without faults doesn't end well.
pub async fn repeat_each_step<S: Scene>(make: impl AsyncFn() -> Result<S, String>) -> Result<LoopReport, String> {
    let clean = Clean::run(&make().await?).await?;
    let mut report = LoopReport::new("repeat each step");
    report.rounds.push(Plot::everywhere(Fault::Twice).play(&make().await?, &clean).await?);
    for key in clean.keys.iter().filter(|key| key.kind.mutates()) {
        report.rounds.push(Plot::one(key, Fault::Twice).play(&make().await?, &clean).await?);
    }
    Ok(report)
}

/// Each change gets no answer, so that it is given up at its step's deadline; so much later, when others have deployed, it
/// is made all the same. Then nothing may come of it.
///
/// # Errors
/// Where the scene can't be set, or a run without faults doesn't end well.
pub async fn stray_at_each_change<S: Scene>(
    make: impl AsyncFn() -> Result<S, String>,
    time: Millis,
) -> Result<LoopReport, String> {
    let clean = Clean::run(&make().await?).await?;
    let mut report = LoopReport::new("stray at each change");
    for key in clean.keys.iter().filter(|key| key.kind.mutates() && key.step.is_some()) {
        report.rounds.push(Plot::one(key, Fault::Stray(time)).play(&make().await?, &clean).await?);
    }
    Ok(report)
}

/// The deployer is gone after its n-th journal entry, for every n.
///
/// # Errors
/// Where the scene can't be set, or a run without faults doesn't end well.
pub async fn crash_after_each_entry<S: Scene>(
    make: impl AsyncFn() -> Result<S, String>,
    then: Then,
) -> Result<LoopReport, String> {
    let mut clean = Clean::run(&make().await?).await?;
    clean.prepare(then, &make).await?;
    let mut report = LoopReport::new("crash after each journal entry");
    for key in clean.keys.iter().filter(|key| key.kind == CallKind::Append) {
        report.rounds.push(Plot::one(key, Fault::CrashAfter).then(then).play(&make().await?, &clean).await?);
    }
    Ok(report)
}

/// The deployer is gone before, during or after each call. Of calls that only look, the first of its kind and object.
///
/// # Errors
/// Where the scene can't be set, or a run without faults doesn't end well.
pub async fn crash_at_each_call<S: Scene>(
    make: impl AsyncFn() -> Result<S, String>,
    then: Then,
) -> Result<LoopReport, String> {
    let mut clean = Clean::run(&make().await?).await?;
    clean.prepare(then, &make).await?;
    let mut report = LoopReport::new("crash at each call");
    for key in clean.keys.iter().filter(|key| key.kind.mutates() || key.nth == 0) {
        for fault in [Fault::CrashBefore, Fault::CrashDuring(Millis(8)), Fault::CrashAfter] {
            report.rounds.push(Plot::one(key, fault).then(then).play(&make().await?, &clean).await?);
        }
    }
    Ok(report)
}

/// The deployer freezes for so long with each change on its way, and then goes on, while another one waits for the lease
/// from the beginning: to do the same ([`Then::Again`]), to go back, or to deploy another release. With a time beyond the
/// lease's, the other one takes over; with none, it must wait.
///
/// # Errors
/// Where the scene can't be set, or a run without faults doesn't end well.
pub async fn freeze_at_each_change<S: Scene>(
    make: impl AsyncFn() -> Result<S, String>,
    then: Then,
    time: Millis,
) -> Result<LoopReport, String> {
    let mut clean = Clean::run(&make().await?).await?;
    clean.prepare(then, &make).await?;
    let mut report = LoopReport::new("freeze at each change");
    for key in clean.keys.iter().filter(|key| key.kind.mutates()) {
        report.rounds.push(Plot::one(key, Fault::Freeze(time)).then(then).duel(&make().await?, &clean).await?);
    }
    Ok(report)
}
