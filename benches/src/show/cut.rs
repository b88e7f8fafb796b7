//! When a deployer is killed.

use super::{Ask, Project, ShowError, deployer::Ended, project::LIMIT};
use deploy_core::model::Event;
use rand::{SeedableRng, rngs::StdRng, seq::index};
use std::time::Duration;
use tokio::time::sleep;

/// When a deployer is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// As soon as this record of the deployment's journal is durable, before anybody hears of it.
    Record(u64),
    /// So long after the process's start.
    Moment(Duration),
}

/// Starts a deployer, and kills it. What it did until then, and whether it was still there to be killed.
///
/// # Errors
/// Where it can't be started or read.
pub async fn cut_short(project: &Project, ask: &Ask, cut: Cut) -> Result<(Ended, bool), ShowError> {
    let ended = match cut {
        Cut::Record(seq) => project.run(&ask.clone().killed_after(seq)).await?,
        Cut::Moment(time) => {
            let mut deployer = project.start(ask)?;
            tokio::select! {
                () = sleep(time) => {}
                ended = deployer.until(LIMIT, |_| false) => drop(ended?),
            }
            deployer.kill().await?
        }
    };
    let killed = ended.status.code().is_none();
    Ok((ended, killed))
}

/// After what a deployer was killed, for a table: `7 ended web/check`. What the record was is told by `whole`, an
/// undisturbed run of the same.
pub fn last_record(cut: Cut, ended: &Ended, whole: &Ended) -> String {
    let last = match cut {
        Cut::Record(seq) => whole.records().find(|(_, record)| record.seq == seq),
        Cut::Moment(_) => ended.records().last(),
    };
    let Some((_, record)) = last else { return "0 before the plan".into() };
    let what = match &record.event {
        Event::Planned { .. } => "planned".into(),
        Event::LeaseTaken { .. } => "lease-taken".into(),
        Event::StepStarted { step } => format!("started {step}"),
        Event::StepEnded { step, .. } => format!("ended {step}"),
        Event::GuardFailed { guard, .. } => format!("guard-failed {guard}"),
        Event::Unwinding { .. } => "unwinding".into(),
        Event::Suspended { .. } => "suspended".into(),
        Event::Ended(_) => "ended".into(),
        Event::Unknown(_) => "unknown".into(),
    };
    format!("{} {what}", record.seq)
}

/// All of `from..=to`, or so many of them that the seed chooses, in order.
pub fn sample(from: u64, to: u64, most: Option<usize>, seed: u64) -> Vec<u64> {
    let all: Vec<_> = (from..=to).collect();
    let Some(most) = most.filter(|most| *most < all.len()) else { return all };
    let mut chosen = index::sample(&mut StdRng::seed_from_u64(seed), all.len(), most).into_vec();
    chosen.sort_unstable();
    chosen.into_iter().map(|index| all[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_seeds_in_order_and_without_repeats() {
        assert_eq!(sample(3, 5, None, 1), [3, 4, 5]);
        assert_eq!(sample(3, 5, Some(3), 1), [3, 4, 5]);
        let some = sample(1, 100, Some(10), 7);
        assert_eq!((some.len(), &some), (10, &sample(1, 100, Some(10), 7)));
        assert!(some.is_sorted_by(|a, b| a < b) && some != sample(1, 100, Some(10), 8));
    }
}
