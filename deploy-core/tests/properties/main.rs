//! Whatever the world, the plan, the faults and the crashes: what a deployment promises is kept.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod careless;
mod case;
mod play;

use case::case;
use deploy_core::{model::Undo, testing::virtual_time};
use proptest::{prelude::*, test_runner::RngSeed};

/// The same cases in every run, unless `PROPTEST_CASES` or `PROPTEST_RNG_SEED` asks for others.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let is_asked = |name| std::env::var_os(name).is_some();
    ProptestConfig {
        cases: if is_asked("PROPTEST_CASES") { asked.cases } else { 256 },
        rng_seed: if is_asked("PROPTEST_RNG_SEED") { asked.rng_seed } else { RngSeed::Fixed(2026) },
        failure_persistence: None,
        max_shrink_iters: 200,
        ..asked
    }
}

proptest! {
    #![proptest_config(config())]

    /// Serving instances never fall below what was promised, traffic never goes to one that wasn't seen healthy, and
    /// whatever else a world writes down never happens; each run ends at the new releases, at the old ones, before any
    /// change, waiting, or loudly; and the last run, which nothing disturbs, finishes the work.
    #[test]
    fn promises_are_kept_and_every_run_ends(case in case()) {
        let complaints = virtual_time(play::all_runs(&case)).unwrap();
        prop_assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// Whichever step fails, the unwind brings routes, running releases and objects back to the last barrier.
    #[test]
    fn an_unwind_ends_at_the_last_barrier(case in case(), fails in any::<prop::sample::Index>(), barrier in any::<prop::sample::Index>()) {
        let complaints = virtual_time(play::to_the_barrier(&case, fails, barrier, |_| {})).unwrap();
        prop_assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

/// A way back that leaves a step out is found: the property can fail.
#[test]
fn a_step_that_is_not_undone_is_caught() {
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let indexes = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let found = runner.run(&(case(), indexes), |(case, (fails, barrier))| {
        let forget = |plan: &mut deploy_core::model::Plan| {
            plan.steps.iter_mut().for_each(|step| step.undo = Undo::Nothing);
        };
        let complaints = virtual_time(play::to_the_barrier(&case, fails, barrier, forget)).unwrap();
        prop_assert!(complaints.is_empty(), "{complaints:#?}");
        Ok(())
    });
    assert!(found.is_err(), "a way back without a step wasn't noticed");
}
