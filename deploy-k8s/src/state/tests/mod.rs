//! On a real cluster, and with one that falls silent.

mod journal;
mod lease;
mod silence;
mod store;

use super::{Held, KubeJournal, KubeLease};
use crate::api::Api;
use deploy_core::model::Millis;
use std::sync::Arc;

/// One deployer's view of the state.
struct Deployer {
    held: Arc<Held>,
    lease: KubeLease,
    journal: KubeJournal,
}

impl Deployer {
    fn new(api: &Api, ttl: u64) -> Self {
        let held = Arc::<Held>::default();
        let lease = KubeLease::new(api.clone(), Millis::from_secs(ttl), Arc::clone(&held));
        let journal = KubeJournal::new(api.clone(), Arc::clone(&held));
        Self { held, lease, journal }
    }
}
