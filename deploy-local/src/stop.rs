//! Stops instances in good order.

use std::sync::Arc;
use std::time::Duration;

use deploy_core::target::{Cx, TargetError};
use futures_util::future::try_join_all;
use tokio::time::timeout;

use crate::error::refused;
use crate::instance::{InstanceRecord, Phase};
use crate::process::{Hold, Process};
use crate::shared::Shared;

/// How long a process may take to be gone after SIGKILL.
const KILLED: Duration = Duration::from_secs(10);

/// What becomes of a stopped instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Forget,
}

impl Shared {
    /// Stops instances side by side.
    pub(crate) async fn stop_all(
        self: &Arc<Self>,
        cx: &Cx,
        records: &[InstanceRecord],
        then: Then,
    ) -> Result<(), TargetError> {
        try_join_all(records.iter().map(|record| self.stop(cx, record, then))).await.map(|_| ())
    }

    /// SIGTERM, then SIGKILL when its time to stop is over. It is gone when this returns.
    pub(crate) async fn stop(
        self: &Arc<Self>,
        cx: &Cx,
        record: &InstanceRecord,
        then: Then,
    ) -> Result<(), TargetError> {
        let name = record.name();
        let told = {
            let name = name.clone();
            self.held(cx.fence, move |shared| shared.tell_to_stop(&name)).await?
        };
        if let Some((process, hold)) = told {
            let in_time = record.stop_by.duration().min(cx.left());
            let ended = timeout(in_time, hold.wait()).await;
            // those that it started may live on; where it does itself, its time is over
            let hold = self.held(cx.fence, move |_| end(hold)).await?;
            if ended.is_err() {
                gone(hold.wait(), process).await?;
            }
        }
        self.held(cx.fence, move |shared| match (shared.instances.one(&name).map_err(refused)?, then) {
            (None, _) => Ok(()),
            (Some(_), Then::Forget) => shared.instances.remove(&name).map_err(refused),
            (Some(record), Then::Keep) => {
                let kept = InstanceRecord { phase: Phase::Kept, process: None, restarts: 0, ..record };
                shared.instances.write(&kept).map_err(refused)
            }
        })
        .await?;
        self.watch.tell();
        Ok(())
    }

    /// Under the folder's lock: writes down that it is being stopped, then says so.
    fn tell_to_stop(&self, name: &str) -> Result<Option<(Process, Hold)>, TargetError> {
        // read again: another deployer may have changed it since
        let Some(record) = self.instances.one(name).map_err(refused)? else { return Ok(None) };
        let Some(process) = self.living(&record) else { return Ok(None) };
        let stopping = InstanceRecord { phase: Phase::Stopping, process: Some(process), ..record };
        self.instances.write(&stopping).map_err(refused)?;
        let hold = process.hold().map_err(|error| unreachable(process, error))?;
        if let Some(hold) = &hold {
            hold.terminate().map_err(|error| unreachable(process, error))?;
        }
        Ok(hold.map(|hold| (process, hold)))
    }
}

fn end(hold: Hold) -> Result<Hold, TargetError> {
    match hold.kill() {
        Ok(()) => Ok(hold),
        Err(error) => Err(TargetError::unreachable("the process", error)),
    }
}

async fn gone(ended: impl Future<Output = std::io::Result<()>>, process: Process) -> Result<(), TargetError> {
    match timeout(KILLED, ended).await {
        Ok(ended) => ended.map_err(|error| unreachable(process, error)),
        Err(elapsed) => {
            Err(TargetError::unreachable(format!("process {}, which SIGKILL didn't end", process.pid), elapsed))
        }
    }
}

fn unreachable(process: Process, error: std::io::Error) -> TargetError {
    TargetError::unreachable(format!("process {}", process.pid), error)
}
