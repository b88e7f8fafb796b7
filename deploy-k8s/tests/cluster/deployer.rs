use crate::{
    gate::Gate,
    ground::{LONG, example, until},
    site::Site,
    web::Web,
};
use std::{fs::File, path::PathBuf, process::ExitStatus, time::Duration};
use tokio::process::{Child, Command};

/// A deployer as a process of its own, and what it is told to do. It asks the API server through a gate.
#[derive(Clone)]
pub(crate) struct Order<'a> {
    pub(crate) command: &'a str,
    pub(crate) web: Web<'a>,
    pub(crate) strategy: &'a str,
    pub(crate) bake: Duration,
    /// How long its lease holds.
    pub(crate) ttl: Duration,
}

/// A deployer at work.
pub(crate) struct Deployer {
    child: Child,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl<'a> Order<'a> {
    pub(crate) fn deploy(web: Web<'a>, strategy: &'a str) -> Self {
        Self { command: "deploy", web, strategy, bake: Duration::ZERO, ttl: Duration::from_secs(15) }
    }

    pub(crate) fn start(&self, site: &Site, gate: &Gate) -> Deployer {
        let folder = tempfile::tempdir().unwrap();
        let (input, log) = (folder.path().join("app.yaml"), folder.path().join("log"));
        std::fs::write(&input, self.web.manifests(&site.ground)).unwrap();
        let ms = |time: Duration| time.as_millis().to_string();
        let mut command = Command::new(example("deployer"));
        command.arg(self.command).env("KUBECONFIG", gate.kubeconfig()).env("NAMESPACE", site.ground.namespace());
        command.env("INPUT", input).env("STRATEGY", self.strategy).env("SETTLE_MS", ms(site.settle));
        command.env("BAKE_MS", ms(self.bake)).env("TTL_MS", ms(self.ttl));
        let child = command.stderr(File::create(&log).unwrap()).kill_on_drop(true).spawn().unwrap();
        Deployer { child, log, _folder: folder }
    }

    /// Runs it to its end, which must have this exit status.
    pub(crate) async fn ends_with(&self, status: i32, site: &Site, gate: &Gate) {
        gate.begin(None);
        self.start(site, gate).ends_with(status).await;
    }
}

impl Deployer {
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    pub(crate) async fn ends_with(mut self, status: i32) {
        let ended = tokio::time::timeout(LONG, self.ended()).await;
        let is = matches!(ended, Ok(ended) if ended.code() == Some(status));
        assert!(is, "expected it to end with {status}, but found {ended:?}:\n{}", self.told());
    }

    pub(crate) async fn kill(mut self) {
        self.child.start_kill().unwrap();
        self.ended().await;
    }

    /// Waits until it has started a step.
    pub(crate) async fn starts(&self, step: &str) {
        let started = format!(r#""event":"step-started","step":"{step}""#);
        until(step, || async { self.told().contains(&started) }).await;
    }

    /// What it has told so far.
    pub(crate) fn told(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> rustix::process::Pid {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        id.and_then(rustix::process::Pid::from_raw).expect("a deployer that hasn't ended")
    }

    /// Stops the whole process, or lets it go on as if no time had passed.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.id(), signal).unwrap();
    }
}
