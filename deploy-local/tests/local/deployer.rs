//! A deployer as a process of its own, that ends itself by SIGKILL where it is told to.

use std::error::Error;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use deploy_core::engine::{Engine, Finish, Options};
use deploy_core::journal::{Journal, JournalError, Record};
use deploy_core::model::{DeploymentId, End, Event, Millis, StepId};
use deploy_core::strategy;
use deploy_local::{Local, LocalOptions, LocalService};
use rustix::process::{Signal, getpid, kill_process};
use tokio::process::{Child, Command};

use crate::stage::Stage;

/// What a deployer is told to do.
pub(crate) struct Order<'a> {
    pub(crate) version: &'a str,
    pub(crate) strategy: &'a str,
    pub(crate) count: u32,
    /// Ends itself after the record of this number; 0: never.
    pub(crate) kill_after: u64,
    /// Stops itself by SIGSTOP before it performs this step; empty: never.
    pub(crate) freeze_at: &'a str,
    /// More of the service's environment.
    pub(crate) env: &'a [(&'a str, &'a str)],
}

impl<'a> Order<'a> {
    pub(crate) fn new(version: &'a str, strategy: &'a str) -> Self {
        Self { version, strategy, count: 2, kill_after: 0, freeze_at: "", env: &[] }
    }

    /// Starts a deployer.
    pub(crate) fn spawn(&self, stage: &Stage) -> Result<Child, Box<dyn Error>> {
        let service = std::env::current_exe()?;
        let mut command = Command::new(&service);
        command.env("LOCAL_TEST_ROLE", "deployer").env("STATE", stage.state()).env("LISTEN", stage.port.to_string());
        command
            .env("FREEZE_AT", self.freeze_at)
            .env("ID", &stage.id)
            .env("VERSION", self.version)
            .env("STRATEGY", self.strategy);
        command.env("COUNT", self.count.to_string()).env("KILL_AFTER", self.kill_after.to_string());
        let env: Vec<_> = self.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        command.env("SERVICE_ENV", env.join(" "));
        Ok(command.stdin(Stdio::null()).kill_on_drop(true).spawn()?)
    }

    /// Runs a deployer to its end.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<ExitStatus, Box<dyn Error>> {
        Ok(self.spawn(stage)?.wait().await?)
    }

    /// Runs a deployer that is to succeed.
    pub(crate) async fn succeeds(&self, stage: &Stage) -> Result<(), Box<dyn Error>> {
        let status = self.run(stage).await?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("expected version {} to be deployed, but found: {status}", self.version).into()),
        }
    }
}

/// Exit status 0: deployed or unchanged; 3: taken back; 1: anything else, told on standard error.
pub(crate) fn main() -> ExitCode {
    let deployed = tokio::runtime::Builder::new_multi_thread().enable_all().build().map(|it| it.block_on(deploy()));
    match deployed {
        Ok(Ok(Finish::Ended(End::Succeeded) | Finish::Unchanged)) => ExitCode::SUCCESS,
        Ok(Ok(Finish::Ended(End::RolledBack { why }))) => {
            println!("taken back: {why}");
            ExitCode::from(3)
        }
        other => {
            eprintln!("{other:?}");
            ExitCode::FAILURE
        }
    }
}

fn text(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// A lease that soon expires.
pub(crate) fn options(state: impl Into<PathBuf>) -> LocalOptions {
    LocalOptions { ttl: Duration::from_secs(3), ..LocalOptions::new(state) }
}

async fn deploy() -> Result<Finish, Box<dyn Error>> {
    let local = Local::open(options(text("STATE"))).await?;
    let mut service = LocalService::new("web", &text("VERSION"), std::env::current_exe()?)
        .env("LOCAL_TEST_ROLE", "service")
        .env("LOCAL_TEST_ID", text("ID"))
        .env("VERSION", text("VERSION"))
        .env("START_MS", "30")
        .env("ANSWER_MS", "5")
        .count(text("COUNT").parse()?)
        .port(text("LISTEN").parse()?)
        .healthy_at("/health");
    for pair in text("SERVICE_ENV").split_whitespace() {
        let (name, value) = pair.split_once('=').ok_or("expected NAME=VALUE")?;
        service = service.env(name, value);
    }
    service.clocks.healthy_by = Millis::from_secs(3);
    let journal = Deadly {
        inner: local.journal(),
        appended: AtomicU64::new(0),
        kill_after: text("KILL_AFTER").parse()?,
        freeze_at: StepId::new(text("FREEZE_AT")),
    };
    let engine = Engine::builder(local.target(), local.lease(), Arc::new(journal)).router(local.router());
    let strategy = strategy::by_name(&text("STRATEGY")).ok_or("expected a strategy")?;
    let report = engine.build().deploy(&local.request(&[service])?, strategy, &Options::default()).await?;
    Ok(report.finish)
}

/// A journal that ends or stops its process after a record.
struct Deadly {
    inner: Arc<dyn Journal>,
    appended: AtomicU64,
    kill_after: u64,
    freeze_at: StepId,
}

fn signal(signal: Signal) -> Result<(), JournalError> {
    kill_process(getpid(), signal).map_err(|error| JournalError::Unreachable(error.into()))
}

#[async_trait]
impl Journal for Deadly {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        self.inner.append(deployment, record).await?;
        if self.appended.fetch_add(1, Ordering::Relaxed) + 1 == self.kill_after {
            signal(Signal::KILL)?;
        }
        match &record.event {
            Event::StepStarted { step } if *step == self.freeze_at => signal(Signal::STOP)?,
            _ => {}
        }
        Ok(())
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        self.inner.read(deployment).await
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        self.inner.deployments().await
    }
}
