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

fn in_settings(settings: impl Iterator<Item = Setting>, run: impl AsyncFn(Setting) -> Result<LoopReport, String>) {
    for setting in settings {
        let report = virtual_time(run(setting)).unwrap();
        let report = report.unwrap_or_else(|why| panic!("{setting:?}: {why}"));
        assert!(report.is_passed(), "{setting:?}\n{report}");
    }
}

/// A loop in every setting, a test a personality.
macro_rules! in_every_setting {
    ($($(#[$doc:meta])* $name:ident: |$make:ident| $run:expr;)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn run(setting: Setting) -> Result<LoopReport, String> {
                let $make = async || setting.scene().await;
                $run.await
            }

            #[test]
            fn on_a_host() {
                in_settings(SCENES.into_iter().filter(|setting| !setting.is_cluster()), run);
            }

            #[test]
            fn in_a_cluster() {
                in_settings(SCENES.into_iter().filter(Setting::is_cluster), run);
            }
        }
    )*};
}

/// Beyond the lease, which holds for 15 s.
const LONG: Millis = Millis::from_secs(60);
/// Later than all that comes after it.
const MUCH_LATER: Millis = Millis::from_secs(7200);

in_every_setting! {
    any_call_may_fail: |make| fail_at_each_step(make);
    any_change_may_be_made_twice: |make| repeat_each_step(make);
    /// Whatever a deployment left that ended stuck or halted.
    what_ended_badly_is_deployed_again: |make| stick_at_each_step(make, Then::Again);
    after_a_bad_end_the_earlier_release_comes_back: |make| stick_at_each_step(make, Then::Earlier);
    a_change_that_was_given_up_has_no_effect_afterwards: |make| stray_at_each_change(make, MUCH_LATER);
    after_a_crash_the_same_command_carries_on: |make| crash_after_each_entry(make, Then::Again);
    after_a_crash_another_machine_carries_on: |make| crash_after_each_entry(make, Then::Resume);
    after_a_crash_abort_goes_back: |make| crash_after_each_entry(make, Then::Abort);
    after_a_crash_another_release_is_deployed: |make| crash_after_each_entry(make, Then::Another);
    a_deployer_may_freeze_while_another_goes_back: |make| freeze_at_each_change(make, Then::Abort, LONG);
    a_deployer_may_freeze_while_another_deploys_another_release:
        |make| freeze_at_each_change(make, Then::Another, LONG);
    a_deployer_may_freeze_while_another_carries_on: |make| freeze_at_each_change(make, Then::Again, LONG);
    /// Without a freeze, the other one waits, and finds all done.
    of_two_deployers_the_second_waits: |make| freeze_at_each_change(make, Then::Again, Millis::ZERO);
}

#[test]
fn a_crash_at_any_call_is_survived() {
    // every other one, for the sake of time
    let settings = SCENES.into_iter().step_by(2);
    in_settings(settings, async |setting| crash_at_each_call(async || setting.scene().await, Then::Again).await);
}
