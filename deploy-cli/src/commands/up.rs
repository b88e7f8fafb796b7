use super::{
    plan_file::read_plan,
    prepare::{Prepared, prepare, strategy},
};
use crate::{
    CommandError, Exit,
    args::{Globals, UpArgs},
    run::{Conduct, Work},
    wiring::{self, Intent},
};
use std::{collections::BTreeMap, path::Path};

/// Deploys what the files say, or runs a plan that was made earlier.
///
/// # Errors
/// What kept it from being deployed; a deployment that failed is an exit status.
pub async fn up(globals: &Globals, args: &UpArgs) -> Result<Exit, CommandError> {
    if let Some(path) = &args.plan {
        return run_plan(globals, args, path).await;
    }
    let Prepared { place, request, notes, leftover } = prepare(globals, &args.strategy, Intent::Change).await?;
    notes.iter().for_each(|note| eprintln!("{note}"));
    let conduct = Conduct::new(&place, globals.output, &args.run).naming(leftover);
    conduct.run(Work::Deploy(&request, strategy(&args.strategy))).await
}

/// The configurations lie in the target's store since the plan was made.
async fn run_plan(globals: &Globals, args: &UpArgs, path: &Path) -> Result<Exit, CommandError> {
    let plan = read_plan(path)?;
    let place = wiring::place_of_plan(globals, &plan).await?;
    Conduct::new(&place, globals.output, &args.run).run(Work::Run(plan, &BTreeMap::new())).await
}
