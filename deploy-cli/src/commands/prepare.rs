use crate::{
    CommandError, Place, SmokeCheck,
    args::{Globals, StrategyArgs},
    run::Leftover,
    wiring::{self, Intent, Wanted},
};
use deploy_core::{engine::Request, strategy::Strategy};

/// What can be planned.
pub(super) struct Prepared {
    pub(super) place: Place,
    pub(super) request: Request,
    /// What people should know of it as a whole.
    pub(super) notes: Vec<String>,
    /// How what is left over is said, where it wasn't yet.
    pub(super) leftover: Option<Leftover>,
}

/// Reads the files, and has the target ready for what they and the command line say. What is to be done with it says whether
/// that must be allowed.
pub(super) async fn prepare(globals: &Globals, args: &StrategyArgs, intent: Intent) -> Result<Prepared, CommandError> {
    let Wanted { place, mut services, payloads, notes, leftover } =
        wiring::prepare(globals, &args.smoke, intent).await?;
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
    Ok(Prepared { place, request: Request { services, payloads }, notes, leftover })
}

/// The strategy that was asked for, or the usual one.
pub(super) fn strategy(args: &StrategyArgs) -> &'static dyn Strategy {
    let name = args.strategy.unwrap_or_default().as_str();
    deploy_core::strategy::by_name(name).unwrap_or(&deploy_core::strategy::Rolling)
}
