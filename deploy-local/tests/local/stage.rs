//! A state folder of its own for each test, and what is left of it at the end ended.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use deploy_core::lease::{Grant, LeaseError};
use deploy_core::model::Fence;
use deploy_local::{Local, LocalService};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::deployer::options;
use crate::load;

/// Long enough for whatever is certain to come on a loaded machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    folder: TempDir,
    /// Where clients reach the service.
    pub(crate) port: u16,
    /// What its instances carry in their environment.
    pub(crate) id: String,
}

impl Stage {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        // a free port, below those of outgoing connections; another test process may take it first, but seldom does
        let start = 10_000 + (std::process::id() % 9_000) as u16;
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        let port = (start..20_000).find(is_free).ok_or("expected a free port")?;
        let folder = tempfile::tempdir()?;
        let id = folder.path().display().to_string();
        Ok(Self { folder, port, id })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Which versions answer so many requests, one after the other.
    pub(crate) async fn versions(&self, requests: u32) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
        let mut seen = BTreeMap::new();
        for _ in 0..requests {
            *seen.entry(load::request(&mut None, self.port, false, "GET").await?).or_default() += 1;
        }
        Ok(seen)
    }

    /// The versions of the instances that run, looked up among all processes.
    pub(crate) fn running(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let mut versions = Vec::new();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let environ = String::from_utf8_lossy(&environ).into_owned();
            let of = |name: &str| environ.split('\0').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            if of("LOCAL_TEST_ID") == Some(&self.id) {
                versions.push(of("VERSION").unwrap_or_default().to_owned());
            }
        }
        versions.sort();
        Ok(versions)
    }

    /// The service of these tests in some version.
    pub(crate) fn service(&self, version: &str) -> Result<LocalService, Box<dyn Error>> {
        let service = LocalService::new("web", version, std::env::current_exe()?);
        let service = service.env("LOCAL_TEST_ROLE", "service").env("VERSION", version).env("LOCAL_TEST_ID", &self.id);
        Ok(service.port(self.port).healthy_at("/health"))
    }

    pub(crate) async fn open(&self) -> Result<Local, Box<dyn Error>> {
        Ok(Local::open(options(self.state())).await?)
    }

    /// Ends all that runs, whoever has the lease.
    pub(crate) async fn down(&self) -> Result<(), Box<dyn Error>> {
        let local = self.open().await?;
        if let Ok(lease) = std::fs::read(self.state().join("lease.json")) {
            let lease: serde_json::Value = serde_json::from_slice(&lease)?;
            local.lease().free(Fence(lease["fence"].as_u64().ok_or("expected a fence")?)).await?;
        }
        let grant = taken(&local).await?;
        local.down(grant.fence, LONG).await?;
        local.lease().free(grant.fence).await?;
        Ok(())
    }
}

impl Drop for Stage {
    /// A test that failed leaves nothing running.
    fn drop(&mut self) {
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let told = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
            let is_ours = [told("environ"), told("cmdline")].iter().any(|text| {
                let mut parts = text.split(|byte| *byte == 0).map(String::from_utf8_lossy);
                parts.any(|part| part.ends_with(&self.id) || part.starts_with(&format!("{}/", self.id)))
            });
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            if let Some(pid) = pid.filter(|_| is_ours) {
                // it may have ended by now
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// The lease, as soon as whoever has it has ended.
pub(crate) async fn taken(local: &Local) -> Result<Grant, Box<dyn Error>> {
    let begun = Instant::now();
    loop {
        match local.lease().take("a test").await {
            Err(LeaseError::Held { .. }) if begun.elapsed() < LONG => sleep(Duration::from_millis(20)).await,
            taken => return Ok(taken?),
        }
    }
}
