use super::{SimWorld, instance::Status};
use crate::{
    model::{Instance, Millis},
    prober::{Answer, Probe, ProbeError, Prober},
};
use async_trait::async_trait;

/// Asks instances of a [`SimWorld`]. A TCP connect succeeds once an instance listens; every other question also wants
/// it healthy.
#[derive(Debug)]
pub struct SimProber {
    world: SimWorld,
}

impl SimProber {
    pub(super) fn new(world: SimWorld) -> Self {
        Self { world }
    }
}

#[async_trait]
impl Prober for SimProber {
    async fn probe(&self, instance: &Instance, probe: &Probe, _timeout: Millis) -> Result<Answer, ProbeError> {
        self.world.travel().await;
        let answer = self.world.note("a probe", |state| {
            let now = state.now;
            let mut instances = state.sets.values_mut().flat_map(|set| &mut set.instances);
            let found = instances.find(|there| there.name == instance.name && there.status != Status::Kept)?;
            let life = found.life(now);
            let good = match probe {
                Probe::Tcp { .. } => life.listens,
                Probe::Http { .. } | Probe::Command { .. } | Probe::Own => life.healthy,
            };
            found.seen |= found.is_live() && good;
            Some(match (probe, good, life.listens) {
                (Probe::Http { .. }, true, _) => Answer::Http { status: 200, body: "ok".into() },
                (Probe::Http { .. }, false, true) => Answer::Http { status: 503, body: "sick".into() },
                (_, true, _) => Answer::Success,
                (_, false, _) => Answer::Failure { why: "connection refused".into() },
            })
        });
        answer.ok_or_else(|| ProbeError { why: format!("expected an instance {}, but found none", instance.name) })
    }
}
