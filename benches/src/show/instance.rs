//! What of a project is on the machine, and whether that is tidy.

use super::{Faults, recipe::REPLICAS};
use std::collections::BTreeMap;

/// How many earlier releases are kept for a fast way back.
const KEPT_RELEASES: usize = 3;

/// A container or process that belongs to a project, as the machine shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// What doesn't change while it lives.
    pub id: String,
    /// What people see.
    pub name: String,
    /// The version of the application; absent for what isn't the application: a proxy, an agent.
    pub version: Option<String>,
    /// Whether it runs.
    pub runs: bool,
    /// Whether it stands for one that is kept.
    pub kept: bool,
}

/// What is wrong where only `version` should serve: an instance that is missing, doubled or left over beyond the kept
/// releases.
pub fn untidy(instances: &[Instance], version: &str, faults: &mut Faults) {
    let of = |wanted: fn(&Instance) -> bool| {
        let mut counts = BTreeMap::<&str, u32>::new();
        for instance in instances.iter().filter(|instance| wanted(instance)) {
            *counts.entry(instance.version.as_deref().unwrap_or("")).or_default() += 1;
        }
        counts
    };
    let mut running = of(|instance| instance.version.is_some() && instance.runs);
    let serving = running.remove(version).unwrap_or_default();
    faults.unless(serving == REPLICAS, || format!("expected {REPLICAS} instances of {version}, but found {serving}"));
    faults.unless(running.is_empty(), || format!("left running: {}", listed(&running)));

    let proxies = instances.iter().filter(|instance| instance.version.is_none());
    let (up, down): (Vec<_>, Vec<_>) = proxies.partition(|instance| instance.runs);
    faults.unless(up.len() == 1, || format!("expected 1 proxy, but found {}", names(&up)));
    faults.unless(down.is_empty(), || format!("left over: {}", names(&down)));

    let kept = of(|instance| instance.version.is_some() && !instance.runs && instance.kept);
    faults.unless(kept.len() <= KEPT_RELEASES, || {
        format!("expected at most {KEPT_RELEASES} kept releases, but found {}", listed(&kept))
    });
    let doubled: BTreeMap<_, _> = kept.into_iter().filter(|(_, count)| *count > REPLICAS).collect();
    faults.unless(doubled.is_empty(), || format!("kept twice: {}", listed(&doubled)));
    let unused: Vec<_> =
        instances.iter().filter(|instance| instance.version.is_some() && !instance.runs && !instance.kept).collect();
    faults.unless(unused.is_empty(), || format!("left over: {}", names(&unused)));
}

fn listed(counts: &BTreeMap<&str, u32>) -> String {
    counts.iter().map(|(version, count)| format!("{count} of {version}")).collect::<Vec<_>>().join(", ")
}

/// The names in a row.
pub fn names(instances: &[&Instance]) -> String {
    match instances {
        [] => "none".into(),
        some => some.iter().map(|instance| instance.name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: String, version: Option<&str>, runs: bool, kept: bool) -> Instance {
        Instance { id: name.clone(), name, version: version.map(Into::into), runs, kept }
    }

    fn tidy_world() -> Vec<Instance> {
        let mut world = vec![instance("proxy".into(), None, true, false)];
        for number in 1..=REPLICAS {
            world.push(instance(format!("new-{number}"), Some("v2"), true, false));
            world.push(instance(format!("kept-{number}"), Some("v1"), false, true));
        }
        world
    }

    fn faults(world: &[Instance]) -> Faults {
        let mut faults = Faults::default();
        untidy(world, "v2", &mut faults);
        faults
    }

    #[test]
    fn one_version_a_proxy_and_kept_releases_are_tidy() {
        assert_eq!(faults(&tidy_world()), Faults::default());
    }

    #[test]
    fn whatever_is_doubled_missing_or_left_over_is_seen() {
        let with = |further: Instance| {
            let mut world = tidy_world();
            world.push(further);
            world
        };
        for world in [
            tidy_world().split_off(3),
            with(instance("new-5".into(), Some("v2"), true, false)),
            with(instance("old".into(), Some("v1"), true, false)),
            with(instance("agent".into(), None, true, false)),
            with(instance("agent".into(), None, false, true)),
            with(instance("kept-5".into(), Some("v1"), false, true)),
            with(instance("orphan".into(), Some("v3"), false, false)),
        ] {
            assert!(!faults(&world).is_empty(), "{world:?}");
        }
    }
}
