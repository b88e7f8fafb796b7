//! Shares as a proxy keeps them: instances with weights.

use crate::container::Container;
use deploy_core::{
    model::{Shares, WorkloadRef},
    target::TargetError,
};
use deploy_proxy::control::{Backend, InstanceName, Routes};
use std::collections::BTreeMap;

/// A release's share is split among so many parts for each hundredth of a percent, so that it divides evenly enough.
const PARTS: u32 = 1000;

/// The shares that routes were made from.
///
/// # Errors
/// Where a newer version made them.
pub(crate) fn shares(routes: &Routes) -> Result<Shares, TargetError> {
    if routes.asked.is_null() {
        return Ok(Shares::none());
    }
    serde_json::from_value(routes.asked.clone()).map_err(|error| TargetError::Rejected {
        why: format!("expected routes that this version knows, but: {error}; use a newer deploy"),
    })
}

/// Routes that send requests to those instances, the lowest ordinals first, and of these to the ones that run: an old
/// one that has ended is no reason not to deploy, nor not to go back.
///
/// # Errors
/// Where nobody would answer, or a share names more instances than there are.
pub(crate) fn routes(shares: &Shares, sets: &BTreeMap<WorkloadRef, Vec<&Container>>) -> Result<Routes, TargetError> {
    let mut backends = Vec::new();
    for share in shares.iter() {
        let set = sets.get(&share.workload).map_or(&[][..], Vec::as_slice);
        let count = share.instances.unwrap_or(u32::try_from(set.len()).unwrap_or(u32::MAX)).max(1);
        if set.len() < count as usize {
            return Err(TargetError::Conflict {
                expected: format!("{count} instances of {}", share.workload.release),
                found: set.len().to_string(),
            });
        }
        let up: Vec<_> = set.iter().take(count as usize).filter(|one| one.is_up()).collect();
        let count = u32::try_from(up.len()).unwrap_or(u32::MAX);
        let parts = u32::from(share.weight.0) * PARTS;
        for (index, one) in (0..count).zip(up) {
            backends.push(Backend {
                instance: InstanceName(one.short_id().to_owned()),
                release: share.workload.release.clone(),
                // the network knows a container by its short id, whatever address it gets when it is started again
                host: one.short_id().to_owned(),
                ports: BTreeMap::new(),
                weight: parts / count + u32::from(index < parts % count),
            });
        }
    }
    if backends.is_empty() && !shares.is_empty() {
        return Err(TargetError::Conflict { expected: shares.to_string(), found: "no running instance".into() });
    }
    let asked = serde_json::to_value(shares).map_err(|error| TargetError::Rejected { why: error.to_string() })?;
    Ok(Routes { backends, asked })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ContainerSummaryStateEnum as State;
    use deploy_core::model::{BasisPoints, Share};
    use std::collections::HashMap;

    fn workload(release: &str) -> WorkloadRef {
        WorkloadRef { target: "shop".into(), service: "web".into(), release: release.into() }
    }

    fn containers(ids: [char; 3]) -> Vec<Container> {
        let container = |id: char| Container {
            id: String::from(id).repeat(64),
            name: format!("shop-web-{id}"),
            labels: HashMap::new(),
            image: String::new(),
            image_name: String::new(),
            state: State::RUNNING,
            networks: Vec::new(),
            anonymous: BTreeMap::new(),
        };
        ids.map(container).into()
    }

    fn share(release: &str, weight: u16, instances: u32) -> Share {
        Share { workload: workload(release), weight: BasisPoints(weight), instances: Some(instances) }
    }

    #[test]
    fn shares_are_read_back_and_split_evenly() {
        let (old, new) = (containers(['a', 'b', 'c']), containers(['d', 'e', 'f']));
        let sets = BTreeMap::from([(workload("old"), old.iter().collect()), (workload("new"), new.iter().collect())]);
        let asked = Shares::new([share("old", 6667, 2), share("new", 3333, 1)]);
        let routes = routes(&asked, &sets).unwrap();
        assert_eq!(shares(&routes).unwrap(), asked);
        let weights: Vec<_> = routes.backends.iter().map(|one| (one.instance.0.as_str(), one.weight)).collect();
        assert_eq!(weights, [("dddddddddddd", 3_333_000), ("aaaaaaaaaaaa", 3_333_500), ("bbbbbbbbbbbb", 3_333_500)]);
    }

    #[test]
    fn a_share_of_more_than_there_are_is_a_conflict() {
        let some = containers(['a', 'b', 'c']);
        let sets = BTreeMap::from([(workload("web-1"), some.iter().collect())]);
        let error = routes(&Shares::new([share("web-1", 10_000, 4)]), &sets).unwrap_err();
        insta::assert_snapshot!(error, @"expected 4 instances of web-1, but found 3");
        let error = routes(&Shares::all_to(workload("web-2"), None), &sets).unwrap_err();
        insta::assert_snapshot!(error, @"expected 1 instances of web-2, but found 0");
    }

    #[test]
    fn of_the_lowest_ordinals_those_that_run_answer() {
        let mut some = containers(['a', 'b', 'c']);
        some[0].state = State::EXITED;
        let sets = BTreeMap::from([(workload("web-1"), some.iter().collect())]);
        let to = |instances| routes(&Shares::new([share("web-1", 10_000, instances)]), &sets);
        let names = |routes: Routes| routes.backends.into_iter().map(|one| one.instance.0).collect::<Vec<_>>();
        // never the third, which is the first to be stopped
        assert_eq!(names(to(2).unwrap()), ["bbbbbbbbbbbb"]);
        insta::assert_snapshot!(to(1).unwrap_err(), @"expected 100 % to web-1 (1 instance), but found no running instance");
    }

    #[test]
    fn nobody_answers_before_the_first_route() {
        assert_eq!(shares(&Routes::default()).unwrap(), Shares::none());
        assert_eq!(routes(&Shares::none(), &BTreeMap::new()).unwrap().backends, []);
    }
}
