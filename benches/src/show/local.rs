//! Services as child processes of this machine, seen from outside.

use super::{Instance, ShowError, docker::first_answer, free_port, recipe::Recipe};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::{process::Command, task::JoinSet};

/// The variable by which a project's instances are found.
pub const MARK: &str = "DEPLOY_SHOW";

/// What runs for a project on this machine.
#[derive(Clone, Debug)]
pub struct Local {
    project: String,
    home: PathBuf,
    deploy: PathBuf,
}

impl Local {
    /// A project with its state in a folder, deployed with this executable.
    pub fn new(project: &str, home: &Path, deploy: &Path) -> Self {
        Self { project: project.into(), home: home.into(), deploy: deploy.into() }
    }

    /// Every process of the project: its instances by their environment, proxies and agents by their arguments.
    ///
    /// # Errors
    /// Where the processes can't be listed.
    pub fn instances(&self) -> Result<Vec<Instance>, ShowError> {
        let processes = fs::read_dir("/proc").map_err(ShowError::io("list the processes"))?;
        let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut found: Vec<_> = ids.filter_map(|id| self.instance(id)).collect();
        found.sort();
        Ok(found)
    }

    fn instance(&self, id: u32) -> Option<Instance> {
        // gone meanwhile, a kernel thread or somebody else's
        let variables = words(&format!("/proc/{id}/environ"))?;
        let arguments = words(&format!("/proc/{id}/cmdline"))?;
        let value = |name: &str| {
            let mut values = variables.iter().filter_map(|variable| variable.strip_prefix(name)?.strip_prefix('='));
            values.next().map(str::to_owned)
        };
        let is_zombie = arguments.iter().all(String::is_empty);
        let is_role = arguments.get(1).is_some_and(|word| word == "deploy-proxy");
        let home = self.home.to_string_lossy();
        let is_ours = match is_role {
            true => arguments.iter().any(|word| word.contains(&*home)),
            false => value(MARK).is_some_and(|mark| mark == self.project),
        };
        (is_ours && !is_zombie).then(|| Instance {
            id: id.to_string(),
            name: format!("process {id} ({})", arguments.get(1..3).unwrap_or_default().join(" ")),
            version: value("APP_VERSION").filter(|_| !is_role),
            runs: true,
            kept: false,
        })
    }

    /// Ends whatever is left of the project.
    ///
    /// # Errors
    /// Where the processes can't be listed.
    pub fn clear(&self) -> Result<(), ShowError> {
        for instance in self.instances()? {
            if let Some(pid) = instance.id.parse().ok().and_then(Pid::from_raw) {
                // it may have ended meanwhile
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        Ok(())
    }

    /// What the machine itself needs for `count` starts side by side until each has answered a request.
    ///
    /// # Errors
    /// Where a process can't be started, or gives no answer within 30 s.
    pub async fn bare_starts(&self, count: u32, recipe: &Recipe) -> Result<Duration, ShowError> {
        let ports = (0..count).map(|_| free_port()).collect::<Result<Vec<_>, _>>()?;
        let began = Instant::now();
        let mut starts = JoinSet::new();
        for port in ports {
            let mut command = Command::new(&self.deploy);
            command.arg("demo-app").envs(recipe.environment()).env("PORT", port.to_string()).kill_on_drop(true);
            starts.spawn(async move {
                let process = command.spawn().map_err(ShowError::io("start an instance"))?;
                first_answer(&format!("127.0.0.1:{port}")).await?;
                Ok::<_, ShowError>((process, began.elapsed()))
            });
        }
        let mut last = Duration::ZERO;
        for start in starts.join_all().await {
            let (mut process, took) = start?;
            last = last.max(took);
            process.kill().await.map_err(ShowError::io("end an instance"))?;
        }
        Ok(last)
    }
}

fn words(path: &str) -> Option<Vec<String>> {
    let bytes = fs::read(path).ok()?;
    Some(bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}
