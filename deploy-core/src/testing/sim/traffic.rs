use super::{instance::SimInstance, state::State, violation::Breach};
use crate::{
    model::{Millis, ServiceName, Shares, WorkloadRef},
    router::Uptake,
    target::{Cx, TargetError},
};

impl State {
    pub(super) fn shares(&self, service: &ServiceName) -> Shares {
        self.routes.get(service).cloned().unwrap_or_default()
    }

    /// Moves a service's requests, by compare-and-swap.
    pub(super) fn route(
        &mut self,
        cx: &Cx,
        service: &ServiceName,
        from: &Shares,
        to: &Shares,
    ) -> Result<Uptake, TargetError> {
        // whoever keeps the routes keeps the lease too
        let newest = self.lease.newest.max(self.stamped);
        if cx.fence < newest {
            return Err(TargetError::Fenced { ours: cx.fence, newest });
        }
        self.admit(cx)?;
        let found = self.shares(service);
        if found != *from && found != *to {
            return Err(TargetError::Conflict {
                expected: format!("requests for {service} sent: {from}"),
                found: found.to_string(),
            });
        }
        if found != *to {
            self.set_routes(service, to.clone());
        }
        Ok(if self.is_cluster() { Uptake::Settle(self.settings.settle) } else { Uptake::Acknowledged })
    }

    pub(super) fn set_routes(&mut self, service: &ServiceName, to: Shares) {
        self.routes.insert(service.clone(), to);
        for workload in self.workloads(service) {
            for ordinal in self.ordinals(&workload, SimInstance::stays) {
                match self.is_entitled(&workload, ordinal) {
                    true => self.gain(&workload, ordinal),
                    false => self.lose(&workload, ordinal),
                }
            }
        }
    }

    /// Instances that came after their workload was routed get traffic once they were seen healthy.
    pub(super) fn join(&mut self) {
        let workloads: Vec<_> = self.routes.keys().flat_map(|service| self.workloads(service)).collect();
        for workload in workloads {
            let seen = |instance: &SimInstance| instance.stays() && instance.seen && !instance.traffic.routed;
            for ordinal in self.ordinals(&workload, seen) {
                if self.is_entitled(&workload, ordinal) {
                    self.gain(&workload, ordinal);
                }
            }
        }
    }

    /// When the last request in flight ends at those instances of a workload that the routes leave out, and how many
    /// requests there are until then.
    pub(super) fn in_flight(&self, workload: &WorkloadRef) -> Option<(Millis, u64)> {
        /// A request comes to each instance every so many milliseconds.
        const PAUSE: u64 = 10;
        let instances = self.sets.get(workload).into_iter().flat_map(|set| &set.instances);
        let left_out = instances.filter(|instance| !instance.traffic.routed);
        let ends = left_out.filter_map(|instance| instance.quiet(self.settings.request));
        let left = ends.map(|end| end.0.saturating_sub(self.now.0)).filter(|left| *left > 0);
        let (longest, requests) =
            left.fold((0, 0), |(longest, requests), left| (left.max(longest), requests + left.div_ceil(PAUSE)));
        (requests > 0).then_some((Millis(longest), requests))
    }

    /// Ends what is in flight at the instances of a workload that the routes leave out.
    pub(super) fn end_requests(&mut self, workload: &WorkloadRef) {
        let instances = self.sets.get_mut(workload).into_iter().flat_map(|set| &mut set.instances);
        for instance in instances.filter(|instance| !instance.traffic.routed) {
            instance.traffic.last = None;
        }
    }

    pub(super) fn workloads(&self, service: &ServiceName) -> Vec<WorkloadRef> {
        self.sets.keys().filter(|workload| workload.service == *service).cloned().collect()
    }

    pub(super) fn ordinals(&self, workload: &WorkloadRef, which: impl Fn(&SimInstance) -> bool) -> Vec<u32> {
        let instances = self.sets.get(workload).into_iter().flat_map(|set| &set.instances);
        instances.filter(|instance| which(instance)).map(|instance| instance.ordinal).collect()
    }

    /// Whether the routes mean this instance. A cluster leaves out what isn't ready by its own test.
    fn is_entitled(&self, workload: &WorkloadRef, ordinal: u32) -> bool {
        let routes = self.routes.get(&workload.service);
        let Some(share) = routes.and_then(|routes| routes.of(workload)) else { return false };
        let cluster = self.is_cluster();
        let meant = |instance: &SimInstance| instance.stays() && (instance.seen || !cluster);
        let place = self.ordinals(workload, meant).iter().position(|live| *live == ordinal);
        place.is_some_and(|place| share.instances.is_none_or(|most| place < most as usize))
    }

    fn gain(&mut self, workload: &WorkloadRef, ordinal: u32) {
        let Some(instance) = self.instance(workload, ordinal).filter(|instance| !instance.traffic.routed) else {
            return;
        };
        instance.traffic.routed = true;
        instance.traffic.last = None;
        let (seen, name) = (instance.seen, instance.name.clone());
        if !seen {
            self.breach(Breach::UnseenHealthy { instance: name });
        }
    }

    /// No new requests, once the change has settled.
    pub(super) fn lose(&mut self, workload: &WorkloadRef, ordinal: u32) {
        let last = self.now.plus(self.settings.settle);
        let Some(instance) = self.instance(workload, ordinal).filter(|instance| instance.traffic.routed) else {
            return;
        };
        instance.traffic.routed = false;
        instance.traffic.last = Some(last);
    }

    pub(super) fn instance(&mut self, workload: &WorkloadRef, ordinal: u32) -> Option<&mut SimInstance> {
        self.sets.get_mut(workload)?.instances.iter_mut().find(|instance| instance.ordinal == ordinal)
    }
}
