use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deploy_core::model::{Fence, RouterId, ServiceName, TargetId, WorkloadRef};
use deploy_core::target::{Cx, TargetError};
use deploy_proxy::agent::{Client, Refusal, State};
use deploy_proxy::control;

use crate::error::refused;
use crate::instance::InstanceRecord;
use crate::instances::Instances;
use crate::process::Process;
use crate::watch::Watch;

/// How long a proxy that was just started is waited for.
const PROXY_WAIT: Duration = Duration::from_secs(5);

/// What target, router and prober work with.
pub(crate) struct Shared {
    pub(crate) target: TargetId,
    pub(crate) router: RouterId,
    /// Also the agent's; here its lock is taken for what only this machine's processes can do.
    pub(crate) state: State,
    /// Tells this state folder's processes from those of another.
    pub(crate) id: String,
    pub(crate) boot_id: String,
    pub(crate) agent: Client,
    pub(crate) executable: PathBuf,
    pub(crate) instances: Instances,
    pub(crate) watch: Watch,
    /// How children of this process ended.
    pub(crate) ends: Mutex<HashMap<Process, String>>,
}

/// The variable by which a process of ours is known before its number is written down.
pub(crate) const MARK: &str = "DEPLOY_INSTANCE";

impl Shared {
    /// What an instance or a proxy carries in [`MARK`].
    pub(crate) fn mark(&self, name: &str) -> String {
        format!("{}/{name}", self.id)
    }

    /// Does something short while the fence is the newest: nobody can take over in between.
    pub(crate) async fn held<T: Send + 'static>(
        self: &Arc<Self>,
        fence: Fence,
        act: impl FnOnce(&Self) -> Result<T, TargetError> + Send + 'static,
    ) -> Result<T, TargetError> {
        let shared = Arc::clone(self);
        let held = move || shared.state.while_held(fence, || act(&shared)).map_err(refused)?;
        tokio::task::spawn_blocking(held).await.map_err(|error| TargetError::unreachable("the state folder", error))?
    }

    /// Refuses a stale fence before anything is waited for.
    pub(crate) async fn admit(self: &Arc<Self>, cx: &Cx) -> Result<(), TargetError> {
        self.held(cx.fence, |_| Ok(())).await
    }

    /// All instances' records. One that was about to be started either was, or is kept.
    pub(crate) async fn records(self: &Arc<Self>) -> Result<Vec<InstanceRecord>, TargetError> {
        let shared = Arc::clone(self);
        let read = move || {
            let records = shared.instances.all()?.into_iter();
            Ok::<_, Refusal>(records.map(|record| shared.settled(record)).collect())
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| TargetError::unreachable("the state folder", error))?
            .map_err(refused)
    }

    /// The records of one set, by ordinal.
    pub(crate) async fn set(self: &Arc<Self>, workload: &WorkloadRef) -> Result<Vec<InstanceRecord>, TargetError> {
        let mut records = self.records().await?;
        records.retain(|record| record.workload == *workload);
        Ok(records)
    }

    /// A service's proxy, by way of the agent.
    pub(crate) fn proxy(&self, service: &ServiceName) -> control::Client {
        self.agent.proxy(service.as_str(), PROXY_WAIT)
    }

    pub(crate) fn ends(&self) -> MutexGuard<'_, HashMap<Process, String>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
