use crate::{
    model::{Millis, Object, Payload, Release},
    prober::Probe,
    testing::Deployer,
};
use async_trait::async_trait;

/// What the suite must know of a target, told by whoever wrote it.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Takes everything away that earlier cases left: instances, kept sets, routes, objects, payloads and the lease.
    ///
    /// # Errors
    /// Why it couldn't, for people; the case then fails.
    async fn reset(&self) -> Result<(), String>;

    /// One more deployer, as another process would connect.
    ///
    /// # Errors
    /// Why it couldn't, for people; the case then fails.
    async fn deployer(&self) -> Result<Deployer, String>;

    /// Two releases of one service. Their instances become healthy by themselves.
    fn releases(&self) -> [(Release, Payload); 2];

    /// What the service stands on, in the order in which it is applied. The first one is also what the cases about
    /// objects are tried with.
    fn objects(&self) -> Vec<Object> {
        Vec::new()
    }

    /// How many instances of a release the suite may ask for: at least one. With fewer than three, the cases about
    /// sizes don't apply.
    fn most(&self) -> u32 {
        3
    }

    /// Whether both releases may run at once.
    fn side_by_side(&self) -> bool {
        true
    }

    /// Whether its router can send some requests to one release and some to another. One that can't must refuse that.
    fn shares_requests(&self) -> bool {
        true
    }

    /// How an instance is asked whether it is healthy.
    fn probe(&self) -> Probe {
        Probe::Own
    }

    /// How long a case may take.
    fn patience(&self) -> Millis {
        Millis::from_secs(60)
    }
}
