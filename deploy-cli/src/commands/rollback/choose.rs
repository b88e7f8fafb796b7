use crate::{CommandError, output::Entry};
use deploy_core::{
    engine::Deployment,
    model::{DeploymentId, End, Plan, ReleaseId},
};
use std::collections::BTreeSet;

/// A deployment to go back to.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub(super) number: DeploymentId,
    pub(super) plan: &'a Plan,
}

/// Finds the deployment that is meant. `deployments`: newest first. Nothing asked: what served before what serves now.
pub(super) fn choose<'a>(deployments: &'a [Deployment], asked: Option<&str>) -> Result<Chosen<'a>, CommandError> {
    let done: Vec<_> = deployments.iter().filter_map(done).collect();
    let Some(asked) = asked else { return before(&done) };
    let mut meant: Vec<&Chosen<'a>> = Vec::new();
    let by_number = number(asked);
    let candidates = done.iter().filter(|one| Some(one.number) == by_number || has_version(one.plan, asked));
    for candidate in candidates {
        // the newest of those that brought the same stands for all of them
        if meant.iter().all(|other| releases(other.plan) != releases(candidate.plan)) {
            meant.push(candidate);
        }
    }
    match meant.as_slice() {
        [one] => Ok(Chosen { number: one.number, plan: one.plan }),
        [] => match by_number.filter(|number| deployments.iter().any(|one| one.id == *number)) {
            Some(number) => Err(CommandError::NotDone { number }),
            None => Err(CommandError::NoSuchVersion { asked: asked.into() }),
        },
        several => {
            let line = |one: &&Chosen<'_>| deployments.iter().find(|other| other.id == one.number).map(Entry::new);
            let lines: Vec<_> =
                several.iter().filter_map(line).map(|entry| format!("  {}", entry.sentence())).collect();
            Err(CommandError::Ambiguous { asked: asked.into(), candidates: lines.join("\n") })
        }
    }
}

fn before<'a>(done: &[Chosen<'a>]) -> Result<Chosen<'a>, CommandError> {
    let now = done.first().map(|one| releases(one.plan));
    let before = done.iter().find(|one| Some(releases(one.plan)) != now);
    before.map(|one| Chosen { number: one.number, plan: one.plan }).ok_or(CommandError::NothingBefore)
}

fn done(deployment: &Deployment) -> Option<Chosen<'_>> {
    let state = deployment.state.as_ref()?;
    (state.end() == Some(&End::Succeeded)).then(|| Chosen { number: deployment.id, plan: state.plan() })
}

fn releases(plan: &Plan) -> BTreeSet<&ReleaseId> {
    plan.releases().map(|release| &release.id).collect()
}

fn has_version(plan: &Plan, asked: &str) -> bool {
    plan.releases().any(|release| release.version == asked)
}

/// `7` or `#7`.
fn number(asked: &str) -> Option<DeploymentId> {
    asked.strip_prefix('#').unwrap_or(asked).parse().ok().map(DeploymentId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixtures::{database, planned, spec};
    use deploy_core::{
        engine::State,
        model::{Event, World},
    };
    use jiff::Timestamp;

    fn deployment(number: u64, version: &str, end: Option<End>) -> Deployment {
        let (plan, _) = planned("rolling", vec![spec("web", version, 1), database()], World::default());
        let mut state = State::begin(&Event::Planned { plan: Box::new(plan) }).unwrap();
        if let Some(end) = end {
            state = state.apply(&Event::Ended(end)).unwrap();
        }
        let at = Timestamp::UNIX_EPOCH;
        Deployment { id: DeploymentId(number), began: at, last: at, state: Some(state) }
    }

    fn done(number: u64, version: &str) -> Deployment {
        deployment(number, version, Some(End::Succeeded))
    }

    fn chosen(deployments: &[Deployment], asked: Option<&str>) -> Result<u64, CommandError> {
        choose(deployments, asked).map(|chosen| chosen.number.0)
    }

    #[test]
    fn what_served_before_is_the_last_other_release_that_was_done() {
        let failed = deployment(5, "v4", Some(End::RolledBack { why: "no".into() }));
        let history = [deployment(6, "v5", None), failed, done(4, "v3"), done(3, "v3"), done(2, "v2"), done(1, "v1")];
        assert_eq!(chosen(&history, None).unwrap(), 2);
        assert!(matches!(chosen(&history[2..4], None), Err(CommandError::NothingBefore)));
        assert!(matches!(chosen(&[], None), Err(CommandError::NothingBefore)));
    }

    #[test]
    fn versions_and_numbers_are_understood() {
        let history = [done(4, "v1"), deployment(3, "v3", None), done(2, "v2"), done(1, "v1")];
        assert_eq!(chosen(&history, Some("v1")).unwrap(), 4, "the newest that brought it");
        assert_eq!(chosen(&history, Some("2")).unwrap(), 2);
        assert_eq!(chosen(&history, Some("#1")).unwrap(), 1);
        assert!(matches!(chosen(&history, Some("v9")), Err(CommandError::NoSuchVersion { asked }) if asked == "v9"));
        assert!(matches!(chosen(&history, Some("3")), Err(CommandError::NotDone { number: DeploymentId(3) })));
    }

    #[test]
    fn what_may_be_several_is_refused_with_the_candidates() {
        let history = [done(3, "2"), done(2, "1"), done(1, "0")];
        let error = chosen(&history, Some("2")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("deployment 3 (") && text.contains("deployment 2 ("), "{text}");
        assert_eq!(chosen(&history, Some("#2")).unwrap(), 2, "a sign makes it a number");
    }
}
