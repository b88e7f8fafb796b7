//! Starts processes that outlive this one.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use deploy_core::model::WorkloadRef;
use deploy_core::target::{Cx, TargetError};
use tokio::process::Command;

use crate::error::refused;
use crate::instance::{InstanceRecord, Phase};
use crate::payload::{LocalPayload, Stored, inherited};
use crate::ports;
use crate::process::Process;
use crate::shared::{MARK, Shared};

impl Shared {
    /// Starts one instance of a set, unless it runs: a kept one again, otherwise a new one.
    pub(crate) async fn start(
        self: &Arc<Self>,
        cx: &Cx,
        workload: &WorkloadRef,
        ordinal: u32,
        stored: &Arc<Stored>,
    ) -> Result<(), TargetError> {
        let (cx, stored) = (cx.clone(), Arc::clone(stored));
        let new = InstanceRecord {
            workload: workload.clone(),
            release: stored.release.clone(),
            ordinal,
            phase: Phase::Created,
            port: 0,
            process: None,
            boot_id: self.boot_id.clone(),
            restarts: 0,
            stop_by: stored.payload.stop_by,
            deployment: cx.deployment,
            step: cx.step,
            fence: cx.fence,
        };
        let me = Arc::clone(self);
        let process = self.held(cx.fence, move |shared| shared.start_now(&me, new, &stored.payload)).await?;
        self.watch.add(process);
        self.watch.tell();
        Ok(())
    }

    /// Under the folder's lock.
    fn start_now(
        &self,
        me: &Arc<Self>,
        mut new: InstanceRecord,
        payload: &LocalPayload,
    ) -> Result<Process, TargetError> {
        let name = new.name();
        let before = self.instances.one(&name).map_err(refused)?;
        if let Some(process) = before.as_ref().and_then(|record| self.living(record)) {
            let record = before.filter(|record| record.phase == Phase::Running && record.process == Some(process));
            if record.is_none() {
                // an earlier process ended before it could write down that it had started this one
                let port = self.instances.one(&name).map_err(refused)?.map_or(0, |record| record.port);
                let adopted = InstanceRecord { phase: Phase::Running, process: Some(process), port, ..new };
                self.instances.write(&adopted).map_err(refused)?;
            }
            return Ok(process);
        }
        payload.check_artifact(&new.workload.release)?;
        new.restarts =
            before.as_ref().filter(|one| !one.is_kept() && one.process.is_some()).map_or(0, |one| one.restarts + 1);
        new.port = self.port(before.as_ref())?;
        self.instances.write(&new).map_err(refused)?;
        let started = self.spawn_instance(me, &new, payload);
        if started.is_err() {
            // nothing runs: what was there before is there again
            let back = before.as_ref().map_or_else(|| self.instances.remove(&name), |one| self.instances.write(one));
            back.map_err(refused)?;
        }
        let process = started?;
        let running = InstanceRecord { phase: Phase::Running, process: Some(process), ..new };
        self.instances.write(&running).map_err(refused)?;
        Ok(process)
    }

    /// A record as it should have been written down.
    pub(crate) fn settled(&self, record: InstanceRecord) -> InstanceRecord {
        match (record.phase, self.living(&record)) {
            (Phase::Created, None) => InstanceRecord { phase: Phase::Kept, ..record },
            (Phase::Created, process) => InstanceRecord { phase: Phase::Running, process, ..record },
            _ => record,
        }
    }

    /// Writes down what an earlier deployer couldn't. Under the folder's lock.
    pub(crate) fn settle(&self) -> Result<(), TargetError> {
        for record in self.instances.all().map_err(refused)? {
            if record.phase == Phase::Created {
                self.instances.write(&self.settled(record)).map_err(refused)?;
            }
        }
        for service in self.proxied().map_err(refused)? {
            self.settle_proxy(&service)?;
        }
        Ok(())
    }

    /// A record's process, if it lives; one that was started but not written down is found by its mark.
    pub(crate) fn living(&self, record: &InstanceRecord) -> Option<Process> {
        match record.phase {
            Phase::Created => Process::marked(MARK, &self.mark(&record.name())),
            Phase::Running | Phase::Stopping => record.alive(),
            Phase::Kept => None,
        }
    }

    /// The port that it had, as routes may lead there, or else a free one.
    fn port(&self, before: Option<&InstanceRecord>) -> Result<u16, TargetError> {
        if let Some(port) = before.map(|record| record.port).filter(|port| ports::is_free(*port)) {
            return Ok(port);
        }
        let taken: BTreeSet<_> = self.instances.all().map_err(refused)?.iter().map(|record| record.port).collect();
        let start = u16::from_str_radix(&self.id[..4], 16).unwrap_or(0);
        ports::next(self.state.folder(), start, &taken)
    }

    fn spawn_instance(
        &self,
        me: &Arc<Self>,
        record: &InstanceRecord,
        payload: &LocalPayload,
    ) -> Result<Process, TargetError> {
        let mut command = Command::new(&payload.command);
        command.args(&payload.args).current_dir(&payload.folder);
        command.env_clear().envs(inherited()).envs(&payload.env).env("PORT", record.port.to_string());
        let name = record.name();
        self.spawn(me, command, &name, &self.instances.log(&name)).map_err(|error| TargetError::Rejected {
            why: format!(
                "could not start {} in {}: {error}; mend the service's command and folder",
                payload.command.display(),
                payload.folder.display()
            ),
        })
    }

    /// Starts a process in a group of its own, its output at the end of a file, and waits for it as its parent should.
    pub(crate) fn spawn(&self, me: &Arc<Self>, mut command: Command, name: &str, log: &Path) -> io::Result<Process> {
        let log = append(log)?;
        command.env(MARK, self.mark(name)).process_group(0);
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let mut child = command.spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or(io::ErrorKind::NotFound)?;
        // one that has ended already gets a start that no process has
        let process = Process::of(pid).unwrap_or(Process { pid, started: 0 });
        let shared = Arc::downgrade(me);
        tokio::spawn(async move {
            let status = child.wait().await;
            if let (Some(shared), Ok(status)) = (shared.upgrade(), status) {
                shared.ends().insert(process, how(status));
                shared.watch.tell();
            }
        });
        Ok(process)
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// For people: `exited with status 1`, `was ended by signal 9`.
fn how(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "has ended".into(),
    }
}
