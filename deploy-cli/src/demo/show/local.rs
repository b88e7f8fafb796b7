use super::{
    DemoError, Stage, Traffic, Version,
    stage::{INSTANCES, LEASE_WAIT, SERVICE, free_port},
    traffic::from_here,
};
use crate::{CommandError, Place, commands::tear_down, wiring};
use async_trait::async_trait;
use deploy_core::engine::Request;
use deploy_local::{Local, LocalOptions, LocalService};
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// Child processes of this machine, with their state in a temporary folder.
pub struct LocalStage {
    local: Arc<Local>,
    place: Place,
    port: u16,
    executable: PathBuf,
    _folder: TempDir,
}

impl LocalStage {
    /// Sets it up. `executable`: the `deploy` command, which is also the application.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn open(executable: PathBuf) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new().prefix("deploy-demo-").tempdir()?;
        let options = LocalOptions {
            target: "demo".into(),
            executable: Some(executable.clone()),
            ..LocalOptions::new(folder.path())
        };
        let local = Arc::new(Local::open(options).await?);
        let place = wiring::local("demo", Arc::clone(&local));
        Ok(Self { local, place, port: free_port()?, executable, _folder: folder })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

#[async_trait]
impl Stage for LocalStage {
    fn told(&self) -> String {
        format!("child processes of this machine; clients ask {}", self.url())
    }

    fn place(&self) -> &Place {
        &self.place
    }

    async fn request(&self, version: Version) -> Result<Request, CommandError> {
        let mut service = LocalService::new(SERVICE, version.name, &self.executable)
            .args(["demo-app"])
            .count(INSTANCES)
            .port(self.port)
            .healthy_at("/healthz");
        service.bake = version.bake;
        for (name, value) in version.environment() {
            service = service.env(name, value);
        }
        Ok(self.local.request(&[service]).map_err(DemoError::from)?)
    }

    async fn load(&self, rate: u32) -> Result<Box<dyn Traffic>, DemoError> {
        from_here(self.url(), rate)
    }

    async fn clear(&self) -> Result<(), CommandError> {
        tear_down(&self.place, LEASE_WAIT, true).await.map(drop)
    }
}
