use super::{Leftover, Reader, leftovers, of_error, of_report, signals::Signals};
use crate::{
    CommandError, Exit, Place,
    args::{OnInterrupt, Output, RunArgs},
    output::Story,
};
use deploy_core::{
    engine::{Engine, EngineError, Options, Report, Request},
    model::{Payload, Plan, ReleaseId, ServiceName},
    strategy::Strategy,
};
use std::collections::{BTreeMap, BTreeSet};

/// What an engine is to do.
pub enum Work<'a> {
    /// Deploy these by a strategy.
    Deploy(&'a Request, &'a dyn Strategy),
    /// Run a plan that was made earlier.
    Run(Plan, &'a BTreeMap<ReleaseId, Payload>),
    /// Carry the interrupted deployment on.
    Resume,
    /// Take the interrupted deployment back.
    Abort,
}

/// Runs an engine, tells what happens, hears signals, and explains the end.
pub struct Conduct<'a> {
    place: &'a Place,
    output: Output,
    on_interrupt: OnInterrupt,
    options: Options,
    leftover: Option<Leftover>,
}

impl<'a> Conduct<'a> {
    /// A run in a place, told so.
    pub fn new(place: &'a Place, output: Output, args: &RunArgs) -> Self {
        let options = Options { lease_wait: args.lease_wait, ..Options::default() };
        Self { place, output, on_interrupt: args.on_interrupt, options, leftover: None }
    }

    /// The same, that says which services of the last deployment aren't wanted any more and stay.
    pub fn naming(self, leftover: Option<Leftover>) -> Self {
        Self { leftover, ..self }
    }

    /// Does the work. The exit status tells how it ended.
    ///
    /// # Cancellation
    /// May be dropped at any await, as a killed process may end anywhere: the next run carries on.
    ///
    /// # Errors
    /// Where there was no deployment to tell of, or the engine had to stop.
    pub async fn run(self, work: Work<'_>) -> Result<Exit, CommandError> {
        let last = self.place.last().await?;
        let wanted: BTreeSet<ServiceName> = work.services().cloned().collect();
        let plan_of_last = last.as_ref().and_then(|last| last.state.as_ref()).map(|state| state.plan());
        let mut services = wanted.clone();
        services.extend(plan_of_last.into_iter().flat_map(Plan::releases).map(|release| release.service.clone()));
        let (world, names) = self.place.observe(&services).await?;
        if let Some(say) = self.leftover {
            leftovers(plan_of_last, &wanted, &world).iter().for_each(|left| eprintln!("{}", say(left)));
        }
        let reader = Reader::new(self.output, Story::new(names, last.as_ref()));
        let engine = self.place.engine(reader.observer());

        let mut signals = Signals::listen().map_err(CommandError::Signals)?;
        let abort = matches!(work, Work::Abort);
        let mut running = Box::pin(run(&engine, work, &self.options));
        let mut wished = false;
        let result = loop {
            tokio::select! {
                biased;
                result = &mut running => break result,
                () = signals.next() => {
                    if wished || reader.story().deployment().is_none() {
                        reader.clear();
                        eprintln!("{}", farewell(&reader.story()));
                        return Ok(Exit::Interrupted);
                    }
                    wished = true;
                    reader.say(self.wish());
                }
            }
        };
        let story = reader.story();
        match result {
            Ok(report) => {
                let exit = of_report(&report.finish, &story, wished, abort);
                let world = self.place.observe(&services).await.ok().map(|(world, _)| world);
                reader.finish(&report, exit, world.as_ref());
                Ok(exit)
            }
            Err(error) => {
                reader.clear();
                Err(CommandError::Engine { exit: of_error(&error, story.is_touched()), source: error })
            }
        }
    }

    /// Passes the first signal on, and says what it does.
    fn wish(&self) -> &'static str {
        match self.on_interrupt {
            OnInterrupt::Back => {
                self.options.interrupt.go_back();
                "Interrupted: going back. Once more leaves at once."
            }
            OnInterrupt::Halt => {
                self.options.interrupt.halt();
                "Interrupted: stopping where it stands. Once more leaves at once."
            }
        }
    }
}

impl Work<'_> {
    fn services(&self) -> impl Iterator<Item = &ServiceName> {
        let specs = match self {
            Self::Deploy(request, _) => request.services.as_slice(),
            Self::Run(plan, _) => plan.services.as_slice(),
            Self::Resume | Self::Abort => &[],
        };
        specs.iter().map(|spec| &spec.release.service)
    }
}

async fn run(engine: &Engine, work: Work<'_>, options: &Options) -> Result<Report, EngineError> {
    match work {
        Work::Deploy(request, strategy) => engine.deploy(request, strategy, options).await,
        Work::Run(plan, payloads) => engine.run_plan(plan, payloads, options).await,
        Work::Resume => engine.resume(options).await,
        Work::Abort => engine.abort(options).await,
    }
}

/// What is said when a signal ends the command at once.
fn farewell(story: &Story) -> String {
    match story.deployment() {
        None => "Interrupted before anything was changed.".into(),
        Some(number) => format!(
            "Left deployment {number} where it stands. `deploy resume` (or the same command) carries on, `deploy abort` goes back."
        ),
    }
}
