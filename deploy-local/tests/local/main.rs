//! Deployments on real processes. This executable takes every role: tests, deployers, agents, proxies, the service.

mod conformance;
mod deployer;
mod deployments;
mod instances;
mod load;
mod service;
mod stage;

use std::error::Error;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// What a test comes to.
type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    deploy_proxy::hook();
    if let Ok(role) = std::env::var("LOCAL_TEST_ROLE") {
        return match role.as_str() {
            "service" => service::main(),
            "deployer" => deployer::main(),
            other => {
                eprintln!("expected a role, but found {other:?}");
                ExitCode::from(2)
            }
        };
    }
    let trials = vec![
        trial("conformance", conformance::passes),
        trial("rolling_loses_nothing", deployments::rolling_loses_nothing),
        trial("blue_green_loses_nothing", deployments::blue_green_loses_nothing),
        trial("recreate_converges", deployments::recreate_converges),
        trial("broken_versions_are_taken_back", deployments::broken_versions_are_taken_back),
        trial("rolling_survives_every_kill", deployments::rolling_survives_every_kill),
        trial("blue_green_survives_every_kill", deployments::blue_green_survives_every_kill),
        trial("another_release_follows_every_kill", deployments::another_release_follows_every_kill),
        trial("a_frozen_deployer_changes_nothing", deployments::a_frozen_deployer_changes_nothing_when_it_wakes),
        trial("an_orphan_is_adopted", instances::an_orphan_is_adopted),
        trial("one_never_started_is_not_asked_for", instances::one_that_was_never_started_is_not_asked_for),
        trial("another_process_is_left_alone", instances::another_process_of_the_same_number_is_left_alone),
        trial("one_that_is_deaf_is_killed", instances::one_that_is_deaf_is_killed_at_its_deadline),
        trial("one_that_was_being_stopped_starts_again", instances::one_that_was_being_stopped_starts_again),
        trial("a_rebuilt_executable_is_another_release", instances::a_rebuilt_executable_is_another_release),
        trial("a_taken_port_is_told", instances::a_taken_port_is_told),
        trial("a_killed_proxy_comes_back", instances::a_killed_proxy_comes_back_with_its_routes),
        trial("down_leaves_nothing", instances::down_leaves_nothing),
        trial("a_restart_of_the_machine", instances::a_restart_of_the_machine_stops_all_and_deploys_again),
        trial("kills_at_any_moment", deployments::survives_kills_at_any_moment),
        trial("two_deployers_at_once", deployments::two_deployers_at_once),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test in a runtime of its own.
fn trial<F: Future<Output = Outcome>>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(test()).map_err(|error| Failed::from(error.to_string()))
    })
}
