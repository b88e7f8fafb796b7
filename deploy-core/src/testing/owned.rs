use crate::model::{ObjectRef, RouterId, ServiceName, Shares, WorkloadRef, World};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// What deployments own of a world: what was asked for, never what came true. Two worlds of which this is equal are the
/// same to a plan; the payloads in the store are left out, because they stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// The sets of which something is asked for, and how much.
    pub asked: BTreeMap<WorkloadRef, u32>,
    /// Who answers whose requests, where anybody does.
    pub routes: BTreeMap<(RouterId, ServiceName), Shares>,
    /// The objects, as described.
    pub objects: BTreeMap<ObjectRef, Value>,
}

impl Owned {
    /// What is owned of this world.
    pub fn of(world: &World) -> Self {
        let asked = world.workloads.iter().filter(|set| set.asked > 0);
        let routes = world.routes.iter().flat_map(|(router, services)| {
            let answered = services.iter().filter(|(_, shares)| !shares.is_empty());
            answered.map(|(service, shares)| ((router.clone(), service.clone()), shares.clone()))
        });
        Self {
            asked: asked.map(|set| (set.workload.clone(), set.asked)).collect(),
            routes: routes.collect(),
            objects: world.objects.iter().map(|there| (there.object.clone(), there.spec.clone())).collect(),
        }
    }
}

impl fmt::Display for Owned {
    /// On one line: `3 of web-1, web sent 100 % to web-1 (3 instances), network front as {}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.asked.iter().map(|(set, asked)| format!("{asked} of {}", set.release));
        let routes = self.routes.iter().map(|((_, service), shares)| format!("{service} sent {shares}"));
        let objects = self.objects.iter().map(|(object, spec)| format!("{object} as {spec}"));
        let all: Vec<_> = asked.chain(routes).chain(objects).collect();
        f.write_str(if all.is_empty() { "nothing" } else { "" })?;
        f.write_str(&all.join(", "))
    }
}
