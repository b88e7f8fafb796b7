use crate::model::{ObjectRef, RouterId, ServiceName, Shares, WorkloadRef, World};
use serde_json::Value;
use std::collections::BTreeMap;

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
