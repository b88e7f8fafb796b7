use super::{
    lease::under_lease,
    plan_file::write_plan,
    prepare::{Prepared, prepare, strategy},
    print, print_json,
};
use crate::{
    CommandError, Exit, Place,
    args::{Globals, Output, PlanArgs},
    output::letter,
    run::{leftovers, of_error},
    wiring::Intent,
};
use deploy_core::{
    engine::Request,
    model::{DeploymentId, Millis, Plan, StepId},
    target::Cx,
};
use std::{collections::BTreeSet, sync::Arc};

/// How long somebody else's deployment is waited for before configurations are stored.
const LEASE_WAIT: Millis = Millis::from_secs(300);

/// Shows what `up` would do. Images are pulled and built, because a plan names releases by what they are made of, and the
/// project gets its state volume with the key of their hashes; nothing else changes, except that `--out` stores the
/// configurations, so that the plan can be run without its files.
///
/// # Errors
/// What keeps it from being planned.
pub async fn plan(globals: &Globals, args: &PlanArgs) -> Result<Exit, CommandError> {
    let intent = if args.out.is_some() { Intent::Change } else { Intent::Look };
    let Prepared { place, request, notes, leftover } = prepare(globals, &args.strategy, intent).await?;
    if args.out.is_some() {
        store(&place, &request).await?;
    }
    let engine = place.engine(Arc::new(|_| {}));
    let made = engine.plan(&request.services, strategy(&args.strategy)).await;
    let plan = made.map_err(|source| CommandError::Engine { exit: of_error(&source, false), source })?;
    let services: BTreeSet<_> = plan.releases().map(|release| release.service.clone()).collect();
    let (_, mut names) = place.observe(&services).await?;
    names.know_plan(&plan);
    if let Some(path) = &args.out {
        write_plan(path, &plan)?;
        eprintln!("Stored the configurations and wrote {}; `deploy up --plan` runs it.", path.display());
    }
    match globals.output {
        Output::Json => print_json(&plan),
        output => print(&letter(&plan, &names), output),
    }
    // beside the plan, so that whoever reads JSON hears of them as well
    notes.iter().for_each(|note| eprintln!("{note}"));
    if let Some(say) = leftover {
        let last = place.last().await?;
        let last = last.as_ref().and_then(|last| last.state.as_ref()).map(|state| state.plan());
        let of_last = last.into_iter().flat_map(Plan::releases).map(|release| release.service.clone()).collect();
        let (world, _) = place.observe(&of_last).await?;
        leftovers(last, &services, &world).iter().for_each(|left| eprintln!("{}", say(left)));
    }
    Ok(Exit::Done)
}

/// Puts the configurations into the target's store, so that the plan needs no files.
async fn store(place: &Place, request: &Request) -> Result<(), CommandError> {
    under_lease(place, LEASE_WAIT, async |grant| {
        for spec in &request.services {
            let Some(payload) = request.payloads.get(&spec.release.id) else { continue };
            let deadline = tokio::time::Instant::now() + grant.ttl.duration() * 4;
            let cx = Cx { deployment: DeploymentId(0), step: StepId::new("plan"), fence: grant.fence, deadline };
            place.target.store(&cx, &spec.release, payload).await?;
        }
        Ok(())
    })
    .await
}
