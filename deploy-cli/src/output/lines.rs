use super::{Story, deed, paint, text};
use deploy_core::{
    model::{Event, Millis, Op, Outcome, StepId},
    observer::{Notice, Progress},
};
use std::{collections::BTreeMap, time::Duration};

/// How often the same waiting is told again.
const AGAIN: Millis = Millis::from_secs(10);

/// Turns notices into lines for people, one for each thing that is worth one.
#[derive(Debug, Default)]
pub struct Lines {
    /// What was last told of each check: how many were healthy, and the time left.
    told: BTreeMap<StepId, (u32, Millis)>,
    held: Option<(String, Millis)>,
    trouble: Option<String>,
}

impl Lines {
    /// The lines that a notice is worth, each with its line end. The story has heard it already. `at`: since the run
    /// began.
    pub fn tell(&mut self, story: &Story, at: Duration, notice: &Notice) -> String {
        match notice {
            Notice::Event { deployment, record } => match &record.event {
                Event::Planned { plan } => {
                    let wanted: Vec<_> = super::letter::changing(plan)
                        .map(|spec| format!("{} {}", spec.release.service, story.names.of(&spec.release.id)))
                        .collect();
                    format!("Deployment {deployment} of {}, {}: {}\n", plan.home, plan.strategy, text::list(&wanted))
                }
                Event::LeaseTaken { .. } if story.is_touched() => {
                    format!("Deployment {deployment} was interrupted, and goes on\n")
                }
                Event::StepStarted { step } => self.begins(story, at, step),
                Event::StepEnded { step, outcome } => self.ended(story, at, step, outcome),
                Event::GuardFailed { guard, reason } => line(at, paint::bad("✗"), "", &format!("{guard}: {reason}")),
                Event::Unwinding { .. } => line(at, paint::warn("↩"), "", "going back"),
                _ => String::new(),
            },
            Notice::Progress(progress) => self.passing(story, at, progress),
        }
    }

    /// A wait is told when it begins: nothing else would be for its whole length.
    fn begins(&self, story: &Story, at: Duration, id: &StepId) -> String {
        match story.step(id) {
            Some(step) if matches!(step.op, Op::Wait { .. }) => {
                of_step(story, at, paint::dim("…"), id, &deed(step, &story.names))
            }
            _ => String::new(),
        }
    }

    fn ended(&mut self, story: &Story, at: Duration, id: &StepId, outcome: &Outcome) -> String {
        self.told.remove(id);
        let Some(step) = story.step(id) else { return String::new() };
        let deed = deed(step, &story.names);
        match outcome {
            Outcome::Applied => of_step(story, at, paint::good("✓"), id, &deed),
            Outcome::Resumed => of_step(story, at, paint::good("✓"), id, &format!("{deed} (done before)")),
            Outcome::Coincided => of_step(story, at, paint::good("✓"), id, &format!("{deed} (it was so already)")),
            Outcome::Failed { reason } => of_step(story, at, paint::bad("✗"), id, &format!("{deed}: {reason}")),
            Outcome::Conflict { expected, found } => {
                let said = format!("{deed}: expected {expected}, but found {found}");
                of_step(story, at, paint::bad("✗"), id, &said)
            }
        }
    }

    fn passing(&mut self, story: &Story, at: Duration, progress: &Progress) -> String {
        match progress {
            Progress::LeaseHeld { holder, left, wait } => {
                if let Some((who, then)) = &self.held
                    && who == holder
                    && wait.plus(AGAIN) > *then
                {
                    return String::new();
                }
                self.held = Some((holder.clone(), *wait));
                let said = format!(
                    "{holder} deploys; waiting for at most {} (its lease ends in {} unless renewed)",
                    whole(*wait),
                    whole(*left)
                );
                line(at, paint::warn("…"), "", &said)
            }
            Progress::Health { step, healthy, of, last, left } => {
                // that nobody is healthy yet is said a little later
                let unsaid = (0, left.plus(Millis(AGAIN.0 / 2)));
                let (told, then) = *self.told.entry(step.clone()).or_insert(unsaid);
                if told == *healthy && left.plus(AGAIN) > then || healthy == of {
                    return String::new();
                }
                self.told.insert(step.clone(), (*healthy, *left));
                let last = last.as_ref().map(|last| format!("; {last}")).unwrap_or_default();
                let said = match story.step(step).map(|step| &step.op) {
                    Some(Op::Await { object, .. }) => format!("waiting for {object}, {} left{last}", whole(*left)),
                    _ => format!("{healthy} of {of} healthy, {} left{last}", whole(*left)),
                };
                of_step(story, at, paint::dim("…"), step, &said)
            }
            Progress::Watched { guard, trouble } => {
                if *trouble == self.trouble {
                    return String::new();
                }
                self.trouble.clone_from(trouble);
                let said = trouble.as_deref().unwrap_or("well again");
                line(at, paint::warn("!"), "", &format!("{guard}: {said}"))
            }
            Progress::Retry { step, why } => {
                of_step(story, at, paint::warn("!"), step, &format!("trying again: {why}"))
            }
            Progress::Warning { text } => line(at, paint::warn("!"), "", text),
            // the screen that explains a failure has it
            Progress::Log { .. } => String::new(),
        }
    }
}

fn of_step(story: &Story, at: Duration, mark: String, id: &StepId, said: &str) -> String {
    let service = story.step(id).and_then(|step| story.service_of(step));
    line(at, mark, service.map_or("", |service| service.as_str()), said)
}

/// A time in whole seconds, so that it doesn't flicker.
fn whole(time: Millis) -> String {
    match time.0.next_multiple_of(1000) {
        0 => "0 s".into(),
        ms => text::time(Millis(ms)),
    }
}

/// One line, whatever line ends a foreign answer brought along.
fn line(at: Duration, mark: String, service: &str, said: &str) -> String {
    let said = said.lines().map(str::trim_end).collect::<Vec<_>>().join(" ");
    let service = if service.is_empty() { String::new() } else { format!("{service}  ") };
    format!("{:>6.1} s  {mark} {service}{said}\n", at.as_secs_f64())
}
