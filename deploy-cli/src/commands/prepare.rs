use crate::{
    CommandError, Place, SmokeCheck,
    args::{Globals, StrategyArgs},
    output::Preparing,
    wiring,
};
use deploy_core::{engine::Request, strategy::Strategy};

/// A Compose project that can be planned.
pub(super) struct Prepared {
    pub(super) place: Place,
    pub(super) request: Request,
    /// What people should know of the project as a whole.
    pub(super) notes: Vec<String>,
}

/// Loads the Compose file, finds the Engine, and pulls and builds what isn't there.
pub(super) async fn prepare(globals: &Globals, args: &StrategyArgs) -> Result<Prepared, CommandError> {
    let project = wiring::compose(globals)?;
    let names = project.services.keys().map(|name| name.as_str());
    args.smoke.iter().try_for_each(|smoke| smoke.is_of(names.clone()))?;
    let opened = wiring::project(globals, &project.name).await?;
    let telling = Preparing::new(globals.output);
    let prepared = opened.prepare(&project, &|progress| telling.tell(progress)).await;
    telling.clear();
    let prepared = prepared?;
    let mut services = prepared.services;
    for spec in &mut services {
        spec.bake = args.bake.unwrap_or(spec.bake);
        spec.drain_by = args.drain_timeout.unwrap_or(spec.drain_by);
        if let Some(timeout) = args.health_timeout {
            (spec.clocks.healthy_by, spec.clocks.progress_by) = (timeout, timeout);
        }
        let smoke = args.smoke.iter().filter(|smoke| smoke.service == spec.release.service);
        spec.smoke.extend(smoke.map(SmokeCheck::named));
        spec.keep_failed |= args.keep_failed;
    }
    let ignored = project.ignored.iter().map(|ignored| format!("Without effect: {ignored}."));
    let notes = prepared.notes.into_iter().chain(ignored).collect();
    let place = wiring::docker(&project.name, opened).await?;
    Ok(Prepared { place, request: Request { services, payloads: prepared.payloads }, notes })
}

/// The strategy that was asked for, or the usual one.
pub(super) fn strategy(args: &StrategyArgs) -> &'static dyn Strategy {
    let name = args.strategy.unwrap_or_default().as_str();
    deploy_core::strategy::by_name(name).unwrap_or(&deploy_core::strategy::Rolling)
}
