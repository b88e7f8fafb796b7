use super::{Case, Subject};
use crate::{
    lease::{Grant, LeaseError},
    model::{
        Capabilities, DeploymentId, Fence, Instance, InstanceState, Observed, Payload, Release, ServiceName, Shares,
        StepId, WorkloadRef, World,
    },
    prober::Answer,
    router::Router,
    target::{Cx, Target, TargetError},
    testing::{Deployer, Owned},
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// Why a case didn't pass.
#[derive(Debug)]
pub(super) enum Miss {
    Failed(String),
    NotApplicable(String),
}

impl From<TargetError> for Miss {
    fn from(error: TargetError) -> Self {
        Self::Failed(format!("expected it to be done, but found: {error}"))
    }
}

impl From<LeaseError> for Miss {
    fn from(error: LeaseError) -> Self {
        Self::Failed(format!("expected the lease, but found: {error}"))
    }
}

impl From<String> for Miss {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Fails unless it is so.
pub(super) fn expect(is: bool, expected: &str, found: impl std::fmt::Debug) -> Result<(), Miss> {
    match is {
        true => Ok(()),
        false => Err(Miss::Failed(format!("expected {expected}, but found {found:?}"))),
    }
}

pub(super) fn not_applicable(why: &str) -> Result<(), Miss> {
    Err(Miss::NotApplicable(why.into()))
}

/// One of the two releases.
pub(super) struct Given {
    pub(super) release: Release,
    pub(super) payload: Payload,
    pub(super) set: WorkloadRef,
}

/// What a case works with: both payloads stored, the objects applied, the lease held.
pub(super) struct Stage<'s> {
    pub(super) subject: &'s dyn Subject,
    pub(super) deployer: Deployer,
    pub(super) grant: Grant,
    pub(super) old: Given,
    pub(super) new: Given,
    pub(super) can: Capabilities,
}

const PAUSE: Duration = Duration::from_millis(50);

impl<'s> Stage<'s> {
    /// Runs one case on a stage of its own.
    pub(super) async fn run(subject: &'s dyn Subject, case: &Case) -> Result<(), Miss> {
        let patience = subject.patience();
        let all = async {
            subject.reset().await.map_err(|why| format!("it couldn't be reset: {why}"))?;
            let stage = Self::set(subject).await?;
            tokio::select! {
                result = (case.run)(&stage) => result,
                never = stage.keep_lease() => match never {},
            }
        };
        let result = timeout(patience.duration(), all).await;
        result.unwrap_or_else(|_| Err(Miss::Failed(format!("it wasn't over within {patience}"))))
    }

    async fn set(subject: &'s dyn Subject) -> Result<Self, Miss> {
        let deployer = subject.deployer().await?;
        let target = &deployer.target;
        let given = |(release, payload): (Release, Payload)| Given {
            set: WorkloadRef {
                target: target.id().clone(),
                service: release.service.clone(),
                release: release.id.clone(),
            },
            release,
            payload,
        };
        let [old, new] = subject.releases().map(given);
        let (can, grant) = (target.capabilities(), deployer.lease.take("the suite").await?);
        let stage = Self { subject, deployer, grant, old, new, can };
        for given in [&stage.old, &stage.new] {
            stage.target().store(&stage.cx("store"), &given.release, &given.payload).await?;
        }
        for object in subject.objects() {
            stage.target().apply(&stage.cx("apply"), &object).await?;
        }
        Ok(stage)
    }

    /// Another one, after a reset in the middle of a case.
    pub(super) async fn anew(&self) -> Result<Self, Miss> {
        Self::set(self.subject).await
    }

    /// Cases about takeovers lose it on purpose; the others notice by themselves.
    async fn keep_lease(&self) -> Infallible {
        loop {
            sleep(self.grant.ttl.duration() / 3).await;
            let _ = self.deployer.lease.renew(self.grant.fence).await;
        }
    }

    pub(super) fn target(&self) -> &dyn Target {
        &*self.deployer.target
    }

    pub(super) fn router(&self) -> Result<&Arc<dyn Router>, Miss> {
        self.deployer.routers.first().ok_or_else(|| Miss::NotApplicable("it has no router".into()))
    }

    pub(super) fn cx(&self, step: &str) -> Cx {
        self.cx_of(self.grant.fence, step)
    }

    pub(super) fn cx_of(&self, fence: Fence, step: &str) -> Cx {
        let deadline = Instant::now() + self.subject.patience().duration();
        Cx { deployment: DeploymentId(1), step: StepId::new(step), fence, deadline }
    }

    pub(super) fn service(&self) -> &ServiceName {
        &self.old.release.service
    }

    pub(super) async fn world(&self) -> Result<World, Miss> {
        Ok(self.target().observe(std::slice::from_ref(self.service())).await?)
    }

    pub(super) async fn owned(&self) -> Result<Owned, Miss> {
        Ok(Owned::of(&self.world().await?))
    }

    pub(super) async fn observed(&self, given: &Given) -> Result<Observed, Miss> {
        let world = self.world().await?;
        Ok(world.workload(&given.set).cloned().unwrap_or_else(|| Observed::nothing(&given.set)))
    }

    pub(super) async fn live(&self, given: &Given) -> Result<Vec<Instance>, Miss> {
        Ok(self.observed(given).await?.live().cloned().collect())
    }

    pub(super) async fn asked(&self, given: &Given, count: u32) -> Result<(), Miss> {
        let asked = self.observed(given).await?.asked;
        expect(asked == count, &format!("{count} instances of {} to be asked for", given.release.id), asked)
    }

    /// How many instances a plain set has here; `None` where the backend counts.
    pub(super) fn some(&self) -> Option<u32> {
        (!self.can.owns_counts).then(|| self.subject.most().clamp(1, 2))
    }

    /// Asks for a plain set, and waits until it is healthy.
    pub(super) async fn start(&self, given: &Given) -> Result<(), Miss> {
        self.target().ensure(&self.cx("start"), &given.set, self.some()).await?;
        self.healthy(given).await
    }

    /// The shares that send everything to a plain set.
    pub(super) fn all_to(&self, given: &Given) -> Shares {
        Shares::all_to(given.set.clone(), self.some())
    }

    /// Sizes from one to three, where the suite may ask for them.
    pub(super) fn sizes(&self) -> Result<(), Miss> {
        match (self.can.owns_counts, self.subject.most()) {
            (true, _) => not_applicable("the counts belong to the backend"),
            (_, ..3) => not_applicable("sets have fewer than three instances here"),
            _ => Ok(()),
        }
    }

    /// Until all that is asked for of a set is there and healthy.
    pub(super) async fn healthy(&self, given: &Given) -> Result<(), Miss> {
        let ready = async || {
            let there = self.observed(given).await?;
            let mut healthy = there.asked > 0;
            for instance in there.live() {
                if let InstanceState::Failed { reason } = &instance.state {
                    return Err(Miss::Failed(format!("{} failed: {reason}", instance.name)));
                }
                healthy &= instance.state == InstanceState::Running && self.answers(instance).await;
            }
            Ok(healthy && there.live().count() >= there.asked as usize)
        };
        self.until(ready, &format!("{} to become healthy", given.release.id)).await
    }

    /// Whether an instance answers well.
    pub(super) async fn answers(&self, instance: &Instance) -> bool {
        let timeout = crate::model::Millis::from_secs(2);
        match self.target().prober().probe(instance, &self.subject.probe(), timeout).await {
            Ok(Answer::Success | Answer::NoSuchTest | Answer::Http { status: 200..400, .. }) => true,
            Ok(Answer::Http { .. } | Answer::Failure { .. }) | Err(_) => false,
        }
    }

    /// Waits until something is so, for half of what the case may take.
    pub(super) async fn until<F: Future<Output = Result<bool, Miss>>>(
        &self,
        is: impl Fn() -> F,
        expected: &str,
    ) -> Result<(), Miss> {
        let wait = async {
            while !is().await? {
                sleep(PAUSE).await;
            }
            Ok(())
        };
        let most = self.subject.patience().duration() / 2;
        timeout(most, wait).await.unwrap_or_else(|_| Err(Miss::Failed(format!("expected {expected} within {most:?}"))))
    }

    /// Cuts a call short after some time, as a crash would. Whether it was over already.
    pub(super) async fn cut<T>(&self, after: Duration, call: impl Future<Output = Result<T, TargetError>>) -> bool {
        timeout(after, call).await.is_ok()
    }
}
