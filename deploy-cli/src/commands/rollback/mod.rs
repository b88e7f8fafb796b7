mod choose;

use crate::{
    CommandError, Exit, Place,
    args::{Output, RollbackArgs},
    run::{Conduct, Work},
};
use choose::choose;
use deploy_core::{
    engine::{Request, history},
    model::{DeploymentId, ServiceSpec, World},
    strategy,
};
use std::collections::{BTreeMap, BTreeSet};

/// How far back one can go, where as much is kept.
const REMEMBERED: usize = 200;
/// Among so many of the newest is mostly what served before.
const NEWEST: usize = 8;

/// Brings the releases of an earlier deployment back. Their configurations lie in the target's store: nothing is read,
/// pulled or built.
///
/// # Errors
/// Where there is no such deployment, or its releases aren't kept any more; nothing was changed then.
pub async fn rollback(place: &Place, args: &RollbackArgs, output: Output) -> Result<Exit, CommandError> {
    let asked = args.to.as_deref();
    let mut deployments = history(&*place.journal, if asked.is_none() { NEWEST } else { REMEMBERED }).await?;
    if asked.is_none() && choose(&deployments, asked).is_err() {
        deployments = history(&*place.journal, REMEMBERED).await?;
    }
    let chosen = choose(&deployments, asked)?;
    let services = chosen.plan.services.iter().map(|spec| spec.release.service.clone()).collect();
    let (world, _) = place.observe(&services).await?;
    is_kept(chosen.number, &chosen.plan.services, &world)?;
    stays(place, &chosen.plan.services, &world).iter().for_each(|note| eprintln!("{note}"));
    let name = args.strategy.map_or(chosen.plan.strategy.as_str(), |strategy| strategy.as_str());
    let strategy = strategy::by_name(name).unwrap_or(&strategy::Rolling);
    let request = Request { services: chosen.plan.services.clone(), payloads: BTreeMap::new() };
    Conduct::new(place, output, &args.run).run(Work::Deploy(&request, strategy)).await
}

/// What the releases stood on in another form, and that stays as it is now: a sentence each.
fn stays(place: &Place, services: &[ServiceSpec], world: &World) -> BTreeSet<String> {
    let fixed = place.target.capabilities().fixed;
    let asked = services.iter().flat_map(|spec| &spec.objects).filter(|asked| fixed.contains(&asked.object.kind));
    let otherwise = asked
        .filter(|asked| world.objects.iter().any(|there| there.object == asked.object && there.spec != asked.spec));
    otherwise.map(|asked| format!("The {} stays as it is now: it was another one then.", asked.object)).collect()
}

/// Refuses before any change what can't be started again.
fn is_kept(number: DeploymentId, services: &[ServiceSpec], world: &World) -> Result<(), CommandError> {
    let runs = |spec: &ServiceSpec| {
        world.of_service(&spec.release.service).any(|there| there.workload.release == spec.release.id)
    };
    match services.iter().find(|spec| !world.stored.contains(&spec.release.id) && !runs(spec)) {
        None => Ok(()),
        Some(spec) => {
            let missing = format!("{} {}", spec.release.service, spec.release.version);
            Err(CommandError::NotKept { number, missing: missing.trim_end().to_owned() })
        }
    }
}
