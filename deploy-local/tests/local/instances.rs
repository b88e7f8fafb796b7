//! Single processes: found again after a crash, never mistaken for another, ended when they don't want to.

use std::error::Error;
use std::net::TcpListener;
use std::path::PathBuf;

use deploy_core::engine::{Finish, Options};
use deploy_core::lease::LeaseEnd;
use deploy_core::model::{End, Fence, InstanceState, Millis, Observed, ServiceName, StepId, WorkloadRef};
use deploy_core::strategy::Rolling;
use deploy_core::target::{Cx, TargetError};
use deploy_local::{Local, LocalService};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::Outcome;
use crate::deployments::check;
use crate::stage::{LONG, Stage, taken};

/// A set of one service, deployed by hand.
struct Set {
    stage: Stage,
    local: Local,
    workload: WorkloadRef,
    fence: Fence,
}

impl Set {
    async fn new(count: u32, change: impl FnOnce(LocalService) -> LocalService) -> Result<Self, Box<dyn Error>> {
        let stage = Stage::new()?;
        let local = stage.open().await?;
        let request = local.request(&[change(stage.service("v1")?)])?;
        let fence = taken(&local).await?.fence;
        let release = request.services[0].release.clone();
        let workload =
            WorkloadRef { target: local.target().id().clone(), service: "web".into(), release: release.id.clone() };
        let set = Self { stage, local, workload, fence };
        set.local.target().store(&set.cx(), &release, &request.payloads[&release.id]).await?;
        set.ensure(count).await?;
        Ok(set)
    }

    fn cx(&self) -> Cx {
        let deadline = Instant::now() + LONG;
        Cx { deployment: deploy_core::model::DeploymentId(1), step: StepId::new("test"), fence: self.fence, deadline }
    }

    async fn ensure(&self, count: u32) -> Result<(), TargetError> {
        self.local.target().ensure(&self.cx(), &self.workload, Some(count)).await
    }

    async fn remove(&self, keep: bool) -> Result<(), TargetError> {
        self.local.target().remove(&self.cx(), &self.workload, keep).await
    }

    async fn observed(&self) -> Result<Observed, Box<dyn Error>> {
        let world = self.local.target().observe(&[ServiceName::new("web")]).await?;
        Ok(world.workload(&self.workload).cloned().unwrap_or_else(|| Observed::nothing(&self.workload)))
    }

    fn record(&self, ordinal: u32) -> PathBuf {
        self.stage.state().join("instances").join(format!("{}-{ordinal}.json", self.workload.release))
    }

    /// Changes what is on disk of an instance, and yields what was there.
    fn edit(&self, ordinal: u32, change: impl FnOnce(&mut Value)) -> Result<Value, Box<dyn Error>> {
        let before: Value = serde_json::from_slice(&std::fs::read(self.record(ordinal))?)?;
        let mut after = before.clone();
        change(&mut after);
        std::fs::write(self.record(ordinal), after.to_string())?;
        Ok(before)
    }

    async fn end(self) -> Outcome {
        drop(self.local);
        self.stage.down().await?;
        check(self.stage.running()?.is_empty(), "nothing to run", self.stage.running()?)
    }
}

/// The deployer was killed after it had started a process, and before it could write that down.
pub(crate) async fn an_orphan_is_adopted() -> Outcome {
    let set = Set::new(2, |service| service).await?;
    let before = set.edit(2, |record| {
        record["phase"] = "created".into();
        record["process"] = Value::Null;
    })?;
    check(set.observed().await?.asked == 2, "both to be asked for", set.observed().await?)?;
    set.local.target().adopt(&set.cx(), LeaseEnd::Abandoned).await?;
    let after: Value = serde_json::from_slice(&std::fs::read(set.record(2))?)?;
    check(after["process"] == before["process"] && after["port"] == before["port"], "the same process", &after)?;
    check(set.stage.running()?.len() == 2, "two processes", set.stage.running()?)?;
    // and where it is to leave instead, it is found too
    set.edit(1, |record| {
        record["phase"] = "created".into();
        record["process"] = Value::Null;
    })?;
    set.remove(false).await?;
    check(set.stage.running()?.is_empty(), "no process", set.stage.running()?)?;
    set.end().await
}

/// The deployer was killed before it could start the process that it had written down.
pub(crate) async fn one_that_was_never_started_is_not_asked_for() -> Outcome {
    let set = Set::new(1, |service| service).await?;
    let mut record: Value = serde_json::from_slice(&std::fs::read(set.record(1))?)?;
    record["phase"] = "created".into();
    record["process"] = Value::Null;
    record["ordinal"] = 2.into();
    std::fs::write(set.record(2), record.to_string())?;
    for _ in 0..2 {
        let there = set.observed().await?;
        check(there.asked == 1 && there.live().count() == 1, "one instance to be asked for", there)?;
        set.local.target().adopt(&set.cx(), LeaseEnd::Abandoned).await?;
    }
    set.ensure(2).await?;
    check(set.stage.running()?.len() == 2, "two processes", set.stage.running()?)?;
    set.end().await
}

/// The number of an ended process was given to another one.
pub(crate) async fn another_process_of_the_same_number_is_left_alone() -> Outcome {
    let set = Set::new(1, |service| service).await?;
    // two that start within one tick of the system's clock, of 10 ms, can't be told apart
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let mut other = tokio::process::Command::new(std::env::current_exe()?)
        .envs([("LOCAL_TEST_ROLE", "service"), ("START_MS", "600000")])
        .kill_on_drop(true)
        .spawn()?;
    let pid = other.id().ok_or("expected a process")?;
    let before = set.edit(1, |record| record["process"]["pid"] = pid.into())?;
    let state = set.observed().await?.instances[0].state.clone();
    check(matches!(state, InstanceState::Failed { .. }), "it to have ended", state)?;
    set.remove(true).await?;
    check(other.try_wait()?.is_none(), "the other process to live", pid)?;
    other.kill().await?;
    // the real one, so that nothing is left
    set.edit(1, |record| *record = before)?;
    set.remove(false).await?;
    set.end().await
}

/// SIGTERM is ignored, SIGKILL isn't.
pub(crate) async fn one_that_is_deaf_is_killed_at_its_deadline() -> Outcome {
    let deaf = |service: LocalService| {
        let service = service.env("DEAF", "1").env("START_MS", "600000");
        LocalService { stop_by: Millis(1500), ..service }
    };
    let set = Set::new(2, deaf).await?;
    // it is deaf once it has said so
    let target = set.local.target();
    let instance = set.observed().await?.instances[0].clone();
    let says = async {
        while !target.logs(&instance, 5).await?.iter().any(|line| line.contains("is deaf")) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok::<_, TargetError>(())
    };
    timeout(LONG, says).await??;
    let begun = Instant::now();
    set.remove(true).await?;
    check(begun.elapsed() >= Millis(1500).duration(), "its time to stop to be waited for", begun.elapsed())?;
    check(set.stage.running()?.is_empty(), "no process", set.stage.running()?)?;
    let there = set.observed().await?;
    check(there.asked == 0 && there.live().count() == 0, "two kept instances", there)?;
    set.end().await
}

/// A stop that was begun by a deployer that was killed is ended before the instance starts again.
pub(crate) async fn one_that_was_being_stopped_starts_again() -> Outcome {
    let set = Set::new(1, |service| service).await?;
    let before = set.edit(1, |record| record["phase"] = "stopping".into())?;
    check(set.observed().await?.asked == 1, "it to be asked for until it has stopped", set.observed().await?)?;
    set.ensure(1).await?;
    let after: Value = serde_json::from_slice(&std::fs::read(set.record(1))?)?;
    check(after["phase"] == "running" && after["process"] != before["process"], "another process", &after)?;
    check(set.stage.running()?.len() == 1, "one process", set.stage.running()?)?;
    set.end().await
}

/// The machine was stopped and started: the same command brings everything back, where clients expect it.
pub(crate) async fn a_restart_of_the_machine_stops_all_and_deploys_again() -> Outcome {
    let stage = Stage::new()?;
    let local = stage.open().await?;
    let request = local.request(&[stage.service("v1")?.count(2)])?;
    local.engine().build().deploy(&request, &Rolling, &Options::default()).await?;
    let mut pids = Vec::new();
    for path in ["instances", "proxies"] {
        for entry in std::fs::read_dir(stage.state().join(path))?.flatten() {
            let mut record: Value = serde_json::from_slice(&std::fs::read(entry.path())?)?;
            pids.extend(record["process"]["pid"].as_i64().and_then(|pid| pid.try_into().ok()).and_then(Pid::from_raw));
            record["boot_id"] = "the one before".into();
            std::fs::write(entry.path(), record.to_string())?;
        }
    }
    check(pids.len() == 3, "three processes", &pids)?;
    for pid in pids {
        kill_process(pid, Signal::KILL)?;
    }
    let gone = async {
        while stage.versions(1).await.is_ok() || !stage.running()?.is_empty() {}
        Ok::<_, Box<dyn Error>>(())
    };
    timeout(LONG, gone).await??;
    let report = local.engine().build().deploy(&request, &Rolling, &Options::default()).await?;
    check(report.finish == Finish::Ended(End::Succeeded), "all to be started again", &report)?;
    check(stage.versions(10).await?.keys().eq(["v1"]), "v1 to answer", ())?;
    check(stage.running()?.len() == 2, "two instances", stage.running()?)?;
    drop(local);
    stage.down().await
}

/// A rebuilt executable is another release: the old one isn't started from it.
pub(crate) async fn a_rebuilt_executable_is_another_release() -> Outcome {
    let folder = tempfile::tempdir()?;
    let app = folder.path().join("app");
    std::fs::copy(std::env::current_exe()?, &app)?;
    let set = Set::new(1, |service| LocalService { command: app.clone(), ..service }).await?;
    std::fs::remove_file(&app)?;
    std::fs::copy(std::env::current_exe()?, &app)?;
    let refused = set.ensure(2).await;
    check(matches!(refused, Err(TargetError::Rejected { .. })), "it to be refused", &refused)?;
    check(set.observed().await?.instances.len() == 1, "the one that runs", set.observed().await?)?;
    let again = LocalService { command: app, ..set.stage.service("v1")? };
    let release = &set.local.request(&[again])?.services[0].release;
    check(release.id != set.workload.release, "another release", release)?;
    set.end().await
}

/// The port for clients is somebody else's: the deployment is taken back, names the cause, and leaves nothing.
pub(crate) async fn a_taken_port_is_told() -> Outcome {
    let stage = Stage::new()?;
    let holder = TcpListener::bind(("127.0.0.1", stage.port))?;
    let local = stage.open().await?;
    let request = local.request(&[stage.service("v1")?])?;
    let report = local.engine().build().deploy(&request, &Rolling, &Options::default()).await?;
    let Finish::Ended(End::RolledBack { why }) = &report.finish else {
        return Err(format!("expected it to be taken back, but found {report:?}").into());
    };
    check(why.contains(&stage.port.to_string()), "the port to be named", why)?;
    drop(holder);
    let report = local.engine().build().deploy(&request, &Rolling, &Options::default()).await?;
    check(report.finish == Finish::Ended(End::Succeeded), "it to be deployed", &report)?;
    drop(local);
    stage.down().await
}

/// A proxy that was killed starts again with its routes, by the same command.
pub(crate) async fn a_killed_proxy_comes_back_with_its_routes() -> Outcome {
    let stage = Stage::new()?;
    let local = stage.open().await?;
    let request = local.request(&[stage.service("v1")?])?;
    local.engine().build().deploy(&request, &Rolling, &Options::default()).await?;
    stage.versions(1).await?;
    let record: Value = serde_json::from_slice(&std::fs::read(stage.state().join("proxies/web.json"))?)?;
    let pid = record["process"]["pid"].as_i64().and_then(|pid| pid.try_into().ok()).ok_or("expected a number")?;
    kill_process(Pid::from_raw(pid).ok_or("expected a process")?, Signal::KILL)?;
    let gone = async { while stage.versions(1).await.is_ok() {} };
    timeout(LONG, gone).await?;
    let report = local.engine().build().deploy(&request, &Rolling, &Options::default()).await?;
    check(report.finish == Finish::Ended(End::Succeeded), "the proxy to be applied again", &report)?;
    check(stage.versions(3).await?.keys().eq(["v1"]), "v1 to answer", ())?;
    let report = local.engine().build().deploy(&request, &Rolling, &Options::default()).await?;
    check(report.finish == Finish::Unchanged, "nothing to be left to do", &report)?;
    drop(local);
    stage.down().await
}

/// `down` ends everything, and leaves no file but the journal, the key and the lease.
pub(crate) async fn down_leaves_nothing() -> Outcome {
    let stage = Stage::new()?;
    let local = stage.open().await?;
    for version in ["v1", "v2"] {
        let request = local.request(&[stage.service(version)?])?;
        local.engine().build().deploy(&request, &Rolling, &Options::default()).await?;
    }
    drop(local);
    stage.down().await?;
    check(stage.running()?.is_empty(), "nothing to run", stage.running()?)?;
    for folder in ["instances", "logs", "payloads", "proxies"] {
        let left: Vec<_> = std::fs::read_dir(stage.state().join(folder))?.flatten().collect();
        check(left.is_empty(), &format!("{folder} to be empty"), left)?;
    }
    let known = ["journal", "instances", "logs", "payloads", "proxies", "key", "lease.json", "port", ".lease.lock"];
    let left: Vec<_> = std::fs::read_dir(stage.state())?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !known.contains(&name.as_str()) && !name.starts_with("holder."))
        .collect();
    check(left.is_empty(), "no file of a proxy", left)
}
