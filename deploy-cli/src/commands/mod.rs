//! One file a subcommand. Each works in a [`Place`](crate::Place), whatever its backend.

mod abort;
mod demo;
mod demo_app;
mod demo_load;
mod down;
mod history;
mod lease;
mod logs;
mod plan;
mod plan_file;
mod prepare;
mod rbac;
mod resume;
mod rollback;
mod status;
mod up;

pub use abort::abort;
pub use demo::demo;
pub use demo_app::demo_app;
pub use demo_load::demo_load;
pub use down::{down, is_down, tear_down};
pub use history::history;
pub use logs::logs;
pub use plan::plan;
pub use rbac::rbac;
pub use resume::resume;
pub use rollback::rollback;
pub use status::status;
pub use up::up;

use crate::args::Output;
use deploy_core::{
    engine::Deployment,
    model::{Plan, ServiceName},
};
use serde::Serialize;
use std::{collections::BTreeSet, io::Write};

/// The services of these deployments.
fn services_of(deployments: &[Deployment]) -> BTreeSet<ServiceName> {
    let plans = deployments.iter().filter_map(|deployment| deployment.state.as_ref()).map(|state| state.plan());
    plans.flat_map(Plan::releases).map(|release| release.service.clone()).collect()
}

/// What was asked for goes to standard output; whoever reads it may have gone away.
fn print(text: &str, output: Output) {
    let _ = match output {
        Output::Text => write!(anstream::stdout(), "{text}"),
        Output::Plain | Output::Json => write!(std::io::stdout(), "{}", anstream::adapter::strip_str(text)),
    };
}

fn print_json(value: &impl Serialize) {
    // nothing of ours can't be written as JSON
    let text = serde_json::to_string(value).unwrap_or_default();
    let _ = writeln!(std::io::stdout(), "{text}");
}
