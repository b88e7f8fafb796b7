//! A proxy process for each routed service: the object kind `proxy`.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deploy_core::model::{DeploymentId, Fence, Object, ObjectRef, ServiceName, StepId, TargetId};
use deploy_core::target::{Cx, TargetError};
use deploy_proxy::agent::{Refusal, file};
use deploy_proxy::control::{AskError, ListenerSpec, Protocol};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::time::timeout;

use crate::error::{proxy, refused};
use crate::payload::inherited;
use crate::process::Process;
use crate::service::PORT;
use crate::shared::{MARK, Shared};

/// The format of proxies' records that this version writes, and the newest that it reads.
const FORMAT: u16 = 1;
/// How long those in flight have when a proxy ends.
const GRACE: Duration = Duration::from_secs(8);

/// What is asked of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProxySpec {
    /// Where clients reach the service.
    pub(crate) listen: SocketAddr,
}

impl ProxySpec {
    /// As plans know it.
    pub(crate) fn object(self, target: &TargetId, service: &ServiceName) -> Object {
        let object = ObjectRef { target: target.clone(), kind: "proxy".into(), name: service.as_str().into() };
        Object { object, spec: serde_json::json!({ "listen": self.listen }) }
    }

    fn listener(self) -> ListenerSpec {
        let (address, port) = (Some(self.listen.ip()), self.listen.port());
        ListenerSpec { address, port, backend_port: PORT, protocol: Protocol::Detect }
    }
}

/// What is known of a proxy, on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProxyRecord {
    pub(crate) service: ServiceName,
    pub(crate) spec: ProxySpec,
    pub(crate) process: Option<Process>,
    pub(crate) boot_id: String,
    deployment: DeploymentId,
    step: StepId,
    fence: Fence,
}

/// What is to be done so that a proxy is there as described.
enum Next {
    /// It runs as described.
    Runs,
    /// It runs, but listens elsewhere.
    Move(ListenerSpec),
    /// It can only be started anew.
    Restart,
    /// It was started just now.
    Started(Process),
}

impl Shared {
    fn proxy_path(&self, service: &str) -> PathBuf {
        self.state.folder().join("proxies").join(format!("{service}.json"))
    }

    fn proxy_log(&self, service: &str) -> PathBuf {
        self.state.folder().join("logs").join(format!("{service}.proxy.log"))
    }

    /// A service's proxy, if one was applied.
    pub(crate) fn proxy_record(&self, service: &str) -> Result<Option<ProxyRecord>, Refusal> {
        file::read_versioned(&self.proxy_path(service), FORMAT)
    }

    /// Every service that a proxy was applied for.
    pub(crate) fn proxied(&self) -> Result<Vec<ServiceName>, Refusal> {
        let folder = self.state.folder().join("proxies");
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| Refusal::storage("read", &folder, &error))?,
        };
        let name = |name: &str| name.strip_suffix(".json").filter(|name| !name.starts_with('.')).map(ServiceName::new);
        Ok(entries.flatten().filter_map(|entry| name(entry.file_name().to_str()?)).collect())
    }

    /// A proxy's process, if it lives; one that was started but not written down is found by its mark.
    pub(crate) fn proxy_process(&self, record: &ProxyRecord) -> Option<Process> {
        match record.process {
            Some(process) => Some(process).filter(|process| record.boot_id == self.boot_id && process.is_alive()),
            None => Process::marked(MARK, &self.mark(&proxy_name(record.service.as_str()))),
        }
    }

    /// Writes down which process a proxy is, where an earlier deployer couldn't. Under the folder's lock.
    pub(crate) fn settle_proxy(&self, service: &ServiceName) -> Result<(), TargetError> {
        match self.proxy_record(service.as_str()).map_err(refused)? {
            Some(record) if record.process.is_none() => match self.proxy_process(&record) {
                None => Ok(()),
                process => self.write_proxy(&ProxyRecord { process, ..record }),
            },
            _ => Ok(()),
        }
    }

    /// Makes a proxy run as described, and answer under our fence.
    pub(crate) async fn apply_proxy(self: &Arc<Self>, cx: &Cx, object: &Object) -> Result<(), TargetError> {
        let spec: ProxySpec = serde_json::from_value(object.spec.clone()).map_err(|error| TargetError::Rejected {
            why: format!("expected a proxy with a listen address, but found {}: {error}", object.spec),
        })?;
        let service = ServiceName::new(object.object.name.clone());
        loop {
            let (me, service_, at) = (Arc::clone(self), service.clone(), cx.clone());
            let next = self.held(cx.fence, move |shared| shared.next_of(&me, &at, service_, spec)).await?;
            match next {
                Next::Runs => return self.proxy(&service).raise_fence(cx.fence).await.map(|_| ()).map_err(proxy),
                Next::Started(process) => return self.await_proxy(cx, &service, process).await,
                Next::Restart => self.delete_proxy(cx, &service, Leave::Routes).await?,
                Next::Move(old) => {
                    let control = self.proxy(&service);
                    // an earlier attempt may have opened it already
                    let _ = control.unlisten(cx.fence, spec.listen.port()).await;
                    control.listen(cx.fence, spec.listener()).await.map_err(proxy)?;
                    control.unlisten(cx.fence, old.port).await.map_err(proxy)?;
                    let service = service.clone();
                    self.held(cx.fence, move |shared| {
                        match shared.proxy_record(service.as_str()).map_err(refused)? {
                            Some(record) => shared.write_proxy(&ProxyRecord { spec, ..record }),
                            None => Ok(()),
                        }
                    })
                    .await?;
                }
            }
        }
    }

    /// Under the folder's lock.
    fn next_of(&self, me: &Arc<Self>, cx: &Cx, service: ServiceName, spec: ProxySpec) -> Result<Next, TargetError> {
        let before = self.proxy_record(service.as_str()).map_err(refused)?;
        let running = before.as_ref().and_then(|record| self.proxy_process(record).map(|process| (record, process)));
        if let Some((record, _)) = running {
            if record.spec.listen != spec.listen {
                return Ok(match record.spec.listen.port() == spec.listen.port() {
                    true => Next::Restart,
                    false => Next::Move(record.spec.listener()),
                });
            }
            return Ok(Next::Runs);
        }
        let mut record = ProxyRecord {
            service,
            spec,
            process: None,
            boot_id: self.boot_id.clone(),
            deployment: cx.deployment,
            step: cx.step.clone(),
            fence: cx.fence,
        };
        self.write_proxy(&record)?;
        let process = self.spawn_proxy(me, &record)?;
        record.process = Some(process);
        self.write_proxy(&record)?;
        Ok(Next::Started(process))
    }

    fn write_proxy(&self, record: &ProxyRecord) -> Result<(), TargetError> {
        let path = self.proxy_path(record.service.as_str());
        let written = file::folder(&self.state.folder().join("proxies"))
            .and_then(|()| file::write(&path, &file::versioned(&path, FORMAT, record)?));
        written.map_err(refused)
    }

    fn spawn_proxy(&self, me: &Arc<Self>, record: &ProxyRecord) -> Result<Process, TargetError> {
        let service = record.service.as_str();
        let mut command = Command::new(&self.executable);
        command.args(["deploy-proxy", "proxy", "--service", service, "--state"]).arg(self.state.folder());
        command.args(["--listen", &record.spec.listener().to_string()]);
        command.env_clear().envs(inherited());
        let spawned = self.spawn(me, command, &proxy_name(service), &self.proxy_log(service));
        spawned.map_err(|error| TargetError::Rejected {
            why: format!("could not start {} as the proxy of {service}: {error}", self.executable.display()),
        })
    }

    /// Waits until a proxy that was just started answers, or has ended.
    async fn await_proxy(
        self: &Arc<Self>,
        cx: &Cx,
        service: &ServiceName,
        process: Process,
    ) -> Result<(), TargetError> {
        let control = self.proxy(service);
        let answers = control.raise_fence(cx.fence);
        let ended = async {
            match process.hold() {
                Ok(Some(hold)) => hold.ended().await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            }
        };
        tokio::select! {
            biased;
            answer = answers => match answer {
                Err(AskError::Agent(_)) if !process.is_alive() => Err(self.proxy_failed(cx, service).await),
                answer => answer.map(|_| ()).map_err(proxy),
            },
            _ = ended => Err(self.proxy_failed(cx, service).await),
        }
    }

    /// What a proxy that couldn't start said; nothing of it is left.
    async fn proxy_failed(self: &Arc<Self>, cx: &Cx, service: &ServiceName) -> TargetError {
        let log = fs::read_to_string(self.proxy_log(service.as_str())).unwrap_or_default();
        let said = log.lines().next_back().unwrap_or("nothing").to_owned();
        match self.delete_proxy(cx, service, Leave::Nothing).await {
            Ok(()) => TargetError::Rejected { why: format!("the proxy of {service} ended at once, and said: {said}") },
            Err(error) => error,
        }
    }

    /// Ends a proxy in good order, and takes its files away.
    pub(crate) async fn delete_proxy(
        self: &Arc<Self>,
        cx: &Cx,
        service: &ServiceName,
        leave: Leave,
    ) -> Result<(), TargetError> {
        let name = service.as_str().to_owned();
        let hold = self.held(cx.fence, move |shared| {
            let record = shared.proxy_record(&name).map_err(refused)?;
            let process = record.and_then(|record| shared.proxy_process(&record));
            let hold = process.map(Process::hold).transpose();
            Ok(hold.map_err(|error| TargetError::unreachable("the proxy", error))?.flatten())
        });
        if let Some(hold) = hold.await? {
            let asked = timeout(cx.left(), self.proxy(service).shutdown(cx.fence, GRACE)).await;
            let ends = match asked {
                Ok(Ok(())) => GRACE + Duration::from_secs(1),
                Ok(Err(AskError::Refused(refusal))) => return Err(proxy(AskError::Refused(refusal))),
                // one that doesn't answer is ended all the same
                _ => Duration::ZERO,
            };
            if timeout(ends.min(cx.left()), hold.wait()).await.is_err() {
                let killed = self.held(cx.fence, move |_| match hold.kill() {
                    Ok(()) => Ok(hold),
                    Err(error) => Err(TargetError::unreachable("the proxy", error)),
                });
                let hold = killed.await?;
                timeout(Duration::from_secs(5), hold.wait())
                    .await
                    .map_err(|elapsed| TargetError::unreachable("the proxy, which SIGKILL didn't end", elapsed))?
                    .map_err(|error| TargetError::unreachable("the proxy", error))?;
            }
        }
        let name = service.as_str().to_owned();
        self.held(cx.fence, move |shared| {
            if leave == Leave::Nothing {
                let routes = [
                    "routes.json",
                    "routes.json.new",
                    "routes.json.link",
                    "routes.json.previous",
                    "routes.json.refused",
                ];
                let suffixes = ["sock", "sock.new", "lock"].into_iter().chain(routes);
                for suffix in suffixes {
                    file::remove(&shared.state.folder().join(format!("{name}.{suffix}"))).map_err(refused)?;
                }
                file::remove(&shared.proxy_log(&name)).map_err(refused)?;
            }
            file::remove(&shared.proxy_path(&name)).map_err(refused)
        })
        .await
    }
}

/// What stays of a proxy that is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    Nothing,
    /// The one that follows goes on with them.
    Routes,
}

/// What a proxy is known by among the instances.
fn proxy_name(service: &str) -> String {
    format!("proxy/{service}")
}
