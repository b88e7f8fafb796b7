//! The loops, for each strategy in both personalities.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod scenes;

use deploy_core::{
    model::Millis,
    testing::{
        loops::{
            LoopReport, Then, crash_after_each_entry, crash_at_each_call, fail_at_each_step, freeze_at_each_change,
            repeat_each_step, stick_at_each_step, stray_at_each_change,
        },
        virtual_time,
    },
};
use scenes::{SCENES, Setting};

/// Runs a loop in every setting.
fn in_every_setting(run: impl AsyncFn(Setting) -> Result<LoopReport, String>) {
    in_settings(SCENES, run);
}

fn in_settings(settings: impl IntoIterator<Item = Setting>, run: impl AsyncFn(Setting) -> Result<LoopReport, String>) {
    for setting in settings {
        let report = virtual_time(run(setting)).unwrap();
        let report = report.unwrap_or_else(|why| panic!("{setting:?}: {why}"));
        assert!(report.is_passed(), "{setting:?}\n{report}");
    }
}

#[test]
fn any_call_may_fail() {
    in_every_setting(async |setting| fail_at_each_step(async || setting.scene()).await);
}

#[test]
fn any_change_may_be_made_twice() {
    in_every_setting(async |setting| repeat_each_step(async || setting.scene()).await);
}

/// Whatever a deployment left that ended stuck or halted.
#[test]
fn what_ended_badly_is_deployed_again() {
    in_every_setting(async |setting| stick_at_each_step(async || setting.scene(), Then::Again).await);
}

#[test]
fn after_a_bad_end_the_earlier_release_comes_back() {
    in_every_setting(async |setting| stick_at_each_step(async || setting.scene(), Then::Earlier).await);
}

/// Later than all that comes after it.
const MUCH_LATER: Millis = Millis::from_secs(7200);

#[test]
fn a_change_that_was_given_up_has_no_effect_afterwards() {
    in_every_setting(async |setting| stray_at_each_change(async || setting.scene(), MUCH_LATER).await);
}

#[test]
fn after_a_crash_the_same_command_carries_on() {
    in_every_setting(async |setting| crash_after_each_entry(async || setting.scene(), Then::Again).await);
}

#[test]
fn after_a_crash_another_machine_carries_on() {
    in_every_setting(async |setting| crash_after_each_entry(async || setting.scene(), Then::Resume).await);
}

#[test]
fn after_a_crash_abort_goes_back() {
    in_every_setting(async |setting| crash_after_each_entry(async || setting.scene(), Then::Abort).await);
}

#[test]
fn after_a_crash_another_release_is_deployed() {
    in_every_setting(async |setting| crash_after_each_entry(async || setting.scene(), Then::Another).await);
}

#[test]
fn a_crash_at_any_call_is_survived() {
    // every other one, for the sake of time
    let settings = SCENES.into_iter().step_by(2);
    in_settings(settings, async |setting| crash_at_each_call(async || setting.scene(), Then::Again).await);
}

/// Beyond the lease, which holds for 15 s.
const LONG: Millis = Millis::from_secs(60);

#[test]
fn a_deployer_may_freeze_while_another_goes_back() {
    in_every_setting(async |setting| freeze_at_each_change(async || setting.scene(), Then::Abort, LONG).await);
}

#[test]
fn a_deployer_may_freeze_while_another_deploys_another_release() {
    in_every_setting(async |setting| freeze_at_each_change(async || setting.scene(), Then::Another, LONG).await);
}

#[test]
fn a_deployer_may_freeze_while_another_carries_on() {
    in_every_setting(async |setting| freeze_at_each_change(async || setting.scene(), Then::Again, LONG).await);
}

/// Without a freeze, the other one waits, and finds all done.
#[test]
fn of_two_deployers_the_second_waits() {
    in_every_setting(async |setting| freeze_at_each_change(async || setting.scene(), Then::Again, Millis::ZERO).await);
}
