use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use deploy_core::model::{
    Batch, Clocks, Count, Millis, Named, Order, Payload, Release, ReleaseId, RouterId, ServiceName, ServiceSpec,
    TargetId,
};
use deploy_proxy::agent::Key;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::LocalError;
use crate::payload::{Artifact, LocalPayload};
use crate::proxies::ProxySpec;

/// A service whose instances are processes: a command, an environment and a count.
///
/// An instance is told where to listen by `PORT` in its environment, and answers on 127.0.0.1. It inherits `PATH`,
/// `HOME`, `USER`, `LANG`, `TZ` and `TMPDIR`, and nothing else. SIGTERM asks it, and what it started, to end.
#[derive(Clone, Debug)]
pub struct LocalService {
    /// Its name.
    pub name: ServiceName,
    /// How people know this release.
    pub version: String,
    /// The executable: a path, or a name to look for in `PATH`. A rebuilt executable is another release.
    pub command: PathBuf,
    /// The executable's arguments. Not for secrets: others on the machine can read them.
    pub args: Vec<String>,
    /// The instances' environment.
    pub env: BTreeMap<String, String>,
    /// The folder that they run in; this process's own where it is absent.
    pub folder: Option<PathBuf>,
    /// How many instances.
    pub count: u32,
    /// Where clients reach it: the proxy listens there. Absent: nothing routes to it.
    pub listen: Option<SocketAddr>,
    /// How an instance is seen to be healthy; a port in it stands for the instance's own, whatever its number. By
    /// default that its port accepts connections, or, where nothing routes to it, that it has run for 2 s.
    pub check: Option<Named>,
    /// How often and how long that is looked at.
    pub clocks: Clocks,
    /// Further checks before traffic, in a blue-green deployment.
    pub smoke: Vec<Named>,
    /// Which comes first, the new or the end of the old.
    pub order: Order,
    /// How many instances at a time, in a rolling update.
    pub batch: Batch,
    /// How long the new release is watched before the old one is taken away.
    pub bake: Millis,
    /// How long requests in flight may take to end.
    pub drain_by: Millis,
    /// How long an instance may take to stop by itself.
    pub stop_by: Millis,
    /// Services that must be healthy first.
    pub needs: Vec<ServiceName>,
    /// Keep a failed new release for inspection, stopped.
    pub keep_failed: bool,
}

impl LocalService {
    /// One instance of a command that nothing routes to; the fields and the methods below say more.
    pub fn new(name: &str, version: &str, command: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            command: command.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            folder: None,
            count: 1,
            listen: None,
            check: None,
            clocks: Clocks::default(),
            smoke: Vec::new(),
            order: Order::StartFirst,
            batch: Batch::Size(1),
            bake: Millis::ZERO,
            drain_by: Millis::from_secs(10),
            stop_by: Millis::from_secs(10),
            needs: Vec::new(),
            keep_failed: false,
        }
    }

    /// With these arguments.
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// With this variable in the instances' environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// With so many instances.
    pub fn count(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// Reached by clients of this machine at this port.
    pub fn port(mut self, port: u16) -> Self {
        self.listen = Some((Ipv4Addr::LOCALHOST, port).into());
        self
    }

    /// Healthy when a GET of this path is answered with a status from 200 to 399.
    pub fn healthy_at(mut self, path: &str) -> Self {
        self.check = Some(Named::new("http", json!({ "port": PORT, "path": path })));
        self
    }

    /// What an instance is started from, and the release that this makes.
    pub(crate) fn release(&self, key: &Key) -> Result<(Release, Payload), LocalError> {
        let bad = |why: String| LocalError::Service { service: self.name.clone(), why };
        let name = self.name.as_str();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.starts_with('.') || name.len() > 60 || !name.bytes().all(fits) {
            return Err(bad("a name has at most 60 letters, digits, '-', '_' and '.'".into()));
        }
        let command = self.found().ok_or_else(|| {
            bad(format!("there is no executable {} that may be run; build or install it first", self.command.display()))
        })?;
        let folder = match &self.folder {
            Some(folder) => std::path::absolute(folder),
            None => std::env::current_dir(),
        };
        let folder = folder.map_err(|error| bad(format!("its folder isn't known ({error}); name another")))?;
        let (args, env, stop_by) = (self.args.clone(), self.env.clone(), self.stop_by);
        let artifact = Artifact::of(&command).ok_or_else(|| bad("its executable is gone; build it again".into()))?;
        let payload = LocalPayload { command, artifact, args, env, folder, stop_by };
        let text = serde_json::to_string(&payload).map_err(|error| bad(error.to_string()))?;
        let release = Release {
            id: ReleaseId::new(format!("{name}-{}", digest(key, &text))),
            service: self.name.clone(),
            version: self.version.clone(),
            artifact: payload.command.display().to_string(),
        };
        Ok((release, Payload::new(text)))
    }

    /// The executable, by its whole path.
    fn found(&self) -> Option<PathBuf> {
        let may_run = |path: &PathBuf| {
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        if self.command.components().count() > 1 {
            return std::path::absolute(&self.command).ok().filter(may_run);
        }
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).map(|folder| folder.join(&self.command)).find(may_run)
    }

    pub(crate) fn spec(&self, target: &TargetId, router: &RouterId, release: Release) -> ServiceSpec {
        let mut clocks = self.clocks;
        let check = match (&self.check, self.listen) {
            (Some(check), _) => check.clone(),
            (None, Some(_)) => Named::new("tcp", json!({ "port": PORT })),
            (None, None) => {
                clocks.healthy_for = Millis(clocks.healthy_for.0.max(2000));
                Named::new("running", serde_json::Value::Null)
            }
        };
        let proxy = self.listen.map(|listen| ProxySpec { listen }.object(target, &self.name));
        let notes = match self.listen {
            Some(listen) => vec![format!("clients reach it at {listen}, through a proxy process of its own")],
            None => vec!["nothing routes to it: it has no port for clients".into()],
        };
        ServiceSpec {
            release,
            count: Count::Exactly(self.count),
            router: self.listen.map(|_| router.clone()),
            order: self.order,
            batch: self.batch,
            check,
            clocks,
            smoke: self.smoke.clone(),
            bake: self.bake,
            drain_by: self.drain_by,
            stop_by: self.stop_by,
            needs: self.needs.clone(),
            lives_in: Vec::new(),
            objects: proxy.into_iter().collect(),
            keep_failed: self.keep_failed,
            notes,
        }
    }
}

/// Stands for an instance's own port in checks and routes.
pub(crate) const PORT: u16 = 80;

/// 16 hex digits of a hash that nobody without the key can compute.
pub(crate) fn digest(key: &Key, text: &str) -> String {
    // a key of any length is accepted
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else { return String::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().take(8).fold(String::new(), |mut hex, byte| {
        // writing to a text can't fail
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
