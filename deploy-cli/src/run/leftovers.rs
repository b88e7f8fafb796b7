use deploy_core::model::{Plan, ServiceName, World};
use std::collections::BTreeSet;

/// How it is said of a service that it was deployed with the others, isn't wanted any more, and stays.
pub type Leftover = fn(&ServiceName) -> String;

/// The services that the last deployment was about, of which something still runs and which aren't wanted any more. Nothing is
/// left over from a deployment that was about none of those that are wanted: it was one of other files.
pub fn leftovers(last: Option<&Plan>, wanted: &BTreeSet<ServiceName>, world: &World) -> Vec<ServiceName> {
    let of_last: Vec<_> = last.into_iter().flat_map(Plan::releases).map(|release| &release.service).collect();
    if !of_last.iter().any(|service| wanted.contains(*service)) {
        return Vec::new();
    }
    let runs = |service: &ServiceName| world.of_service(service).any(|there| there.asked > 0);
    of_last.into_iter().filter(|service| !wanted.contains(*service) && runs(service)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixtures::{database, planned, running, spec};

    #[test]
    fn what_was_deployed_with_the_others_and_still_runs_is_left_over() {
        let (web, db) = (spec("web", "1", 1), database());
        let mut world = World::default();
        let (last, _) = planned("rolling", vec![web.clone(), db.clone()], world.clone());
        let left = |wanted: &[&str], world: &World| {
            leftovers(Some(&last), &wanted.iter().map(|name| ServiceName::new(*name)).collect(), world)
        };
        assert!(left(&["web"], &world).is_empty(), "it doesn't run any more");
        running(&mut world, &web, 1);
        running(&mut world, &db, 1);
        assert_eq!(left(&["web"], &world), ["db".into()]);
        assert!(left(&["web", "db"], &world).is_empty());
        assert!(left(&["other"], &world).is_empty(), "these are other files");
        assert!(leftovers(None, &BTreeSet::new(), &world).is_empty());
    }
}
