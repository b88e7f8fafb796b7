//! A project that is deployed to show something.

use super::{
    Args, Instance, Recipe, ShowError,
    deployer::{Deployer, Ended, Said},
    docker::Docker,
    local::Local,
    local_deployer,
    place::{Place, TargetName},
    recipe::{Image, LocalRecipe},
};
use deploy_cli::testing::KILL_AFTER;
use deploy_core::model::{DeploymentId, End};
use serde::Deserialize;
use serde_json::json;
use std::{
    cell::Cell,
    ffi::OsString,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Command;

/// Longer than any good run takes, the lease's expiry and the healthy deadline included.
pub const LIMIT: Duration = Duration::from_secs(180);
/// The Compose file's name.
const FILE: &str = "compose.yaml";

/// A project of our own, with a folder for its Compose file (or what stands for it), and what is deployed there by the `deploy` executable.
#[derive(Debug)]
pub struct Project {
    name: String,
    port: u16,
    home: TempDir,
    elsewhere: TempDir,
    deploy: PathBuf,
    place: Place,
    versions: Cell<u32>,
}

/// A deployment in the history.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Last {
    /// Its number.
    pub deployment: DeploymentId,
    /// How it ended, if it did.
    pub end: Option<End>,
}

/// What the deployer is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    words: Vec<OsString>,
    needs_file: bool,
    elsewhere: bool,
    output: &'static str,
    killed_after: Option<u64>,
}

impl Ask {
    fn new(words: &[&str]) -> Self {
        let words = words.iter().map(Into::into).collect();
        Self { words, needs_file: false, elsewhere: false, output: "json", killed_after: None }
    }

    /// `deploy up` by a strategy, in the Compose file's folder.
    pub fn up(strategy: &str) -> Self {
        Self { needs_file: true, ..Self::new(&["up", "--strategy", strategy]) }
    }

    /// `deploy rollback`, from a folder without the Compose file.
    pub fn rollback(to: Option<&str>) -> Self {
        let mut ask = Self::new(&["rollback"]).elsewhere();
        ask.words.extend(to.map(Into::into));
        ask
    }

    /// `deploy abort`, from a folder without the Compose file.
    pub fn abort() -> Self {
        Self::new(&["abort"]).elsewhere()
    }

    /// `deploy resume`, from a folder without the Compose file.
    pub fn resume() -> Self {
        Self::new(&["resume"]).elsewhere()
    }

    fn last() -> Self {
        Self::new(&["history", "--most", "1"]).elsewhere()
    }

    fn down() -> Self {
        Self::new(&["down", "--volumes"]).elsewhere()
    }

    /// With a journal that kills the deployer once that record is durable.
    pub fn killed_after(mut self, record: u64) -> Self {
        self.killed_after = Some(record);
        self
    }

    /// Watching the new release for so long.
    pub fn bake(mut self, time: &str) -> Self {
        self.words.extend(["--bake".into(), time.into()]);
        self
    }

    /// From another folder.
    pub fn elsewhere(mut self) -> Self {
        self.elsewhere = true;
        self
    }

    /// With output for people.
    pub fn plain(mut self) -> Self {
        self.output = "plain";
        self
    }
}

impl Project {
    /// A project with a name of its own, a free port and an image, and nothing deployed.
    ///
    /// # Errors
    /// Where there is no `deploy` executable, no folder or no Engine.
    pub async fn new(args: &Args) -> Result<Self, ShowError> {
        let deploy = args.deploy()?;
        let folder = || TempDir::with_prefix("deploy-show-").map_err(ShowError::io("make a folder"));
        let (home, elsewhere) = (folder()?, folder()?);
        let unique = home.path().file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name: String = unique.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        let place = match args.target {
            TargetName::Docker => Place::Docker(Docker::new(&name, &deploy).await?),
            TargetName::Local => Place::Local(Local::new(&name, home.path(), &deploy)),
        };
        Ok(Self { name, port: free_port()?, home, elsewhere, deploy, place, versions: Cell::new(0) })
    }

    /// Where requests go.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The place itself.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// A name that belongs to the project.
    pub fn named(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    /// A version that was never deployed here.
    pub fn next_version(&self) -> String {
        self.versions.set(self.versions.get() + 1);
        format!("v{}", self.versions.get())
    }

    /// Makes this version the one that `up` deploys.
    ///
    /// # Errors
    /// Where the file can't be written or the image not be tagged.
    pub async fn write(&self, recipe: &Recipe) -> Result<(), ShowError> {
        self.place.prepare(recipe).await?;
        if recipe.image == Image::Built {
            let (program, version) = (self.home.path().join("deploy"), self.home.path().join("version"));
            let copied = if program.exists() { Ok(0) } else { fs::copy(&self.deploy, program) };
            copied.and_then(|_| fs::write(version, &recipe.version)).map_err(ShowError::io("write what is built"))?;
        }
        let text = match &self.place {
            Place::Docker(_) => {
                let image = format!("{}:{}", self.name, recipe.version);
                format!("{:#}\n", recipe.compose(&self.name, &image, self.port))
            }
            Place::Local(_) => {
                let (recipe, project, executable) = (recipe.clone(), self.name.clone(), self.deploy.clone());
                format!("{}\n", json!(LocalRecipe { recipe, project, executable, port: self.port }))
            }
        };
        fs::write(self.file(), text).map_err(ShowError::io("write what is to be deployed"))
    }

    /// Takes away what is to be deployed: what goes back needs no file.
    ///
    /// # Errors
    /// Where it isn't there.
    pub fn forget(&self) -> Result<(), ShowError> {
        fs::remove_file(self.file()).map_err(ShowError::io("remove what was deployed"))
    }

    fn file(&self) -> PathBuf {
        let name = match &self.place {
            Place::Docker(_) => FILE,
            Place::Local(_) => local_deployer::FILE,
        };
        self.home.path().join(name)
    }

    /// Starts the deployer.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn start(&self, ask: &Ask) -> Result<Deployer, ShowError> {
        let mut command = self.command()?;
        command.args(&ask.words).args(["--output", ask.output]);
        command.current_dir(if ask.elsewhere { &self.elsewhere } else { &self.home });
        match (ask.elsewhere, ask.needs_file) {
            (false, _) => {}
            (true, true) => _ = command.arg("--file").arg(self.file()),
            (true, false) => _ = command.args(["--project-name", &self.name]),
        }
        command.env_remove(KILL_AFTER).envs(ask.killed_after.map(|record| (KILL_AFTER, record.to_string())));
        Deployer::start(command)
    }

    fn command(&self) -> Result<Command, ShowError> {
        match &self.place {
            Place::Docker(_) => Ok(Command::new(&self.deploy)),
            Place::Local(_) => {
                let this = std::env::current_exe().map_err(ShowError::io("find this program"))?;
                let mut command = Command::new(this);
                command.arg(local_deployer::ROLE).arg(self.home.path()).arg(&self.deploy);
                Ok(command)
            }
        }
    }

    /// Runs the deployer to its end.
    ///
    /// # Errors
    /// Where it can't be started or doesn't end.
    pub async fn run(&self, ask: &Ask) -> Result<Ended, ShowError> {
        self.start(ask)?.finish(LIMIT).await
    }

    /// The last deployment, as `deploy history` knows it: what a deployer that was killed had told may be less.
    ///
    /// # Errors
    /// Where the history can't be read.
    pub async fn last(&self) -> Result<Last, ShowError> {
        let ended = self.run(&Ask::last()).await?;
        let line = ended.heard.iter().find_map(|heard| match &heard.said {
            Said::Other(line) => serde_json::from_str(line).ok(),
            Said::Notice(_) => None,
        });
        line.ok_or_else(|| ShowError::Unexpected {
            what: "read the history".into(),
            expected: "a deployment".into(),
            found: format!("status {}: {}", ended.code(), ended.said()),
        })
    }

    /// Deploys a version that must succeed, because something else is to be shown.
    ///
    /// # Errors
    /// Where it fails.
    pub async fn deploy(&self, recipe: &Recipe, strategy: &str) -> Result<Ended, ShowError> {
        self.write(recipe).await?;
        let ended = self.run(&Ask::up(strategy)).await?;
        match ended.code() {
            0 => Ok(ended),
            code => Err(ShowError::Unexpected {
                what: format!("deploy {} by {strategy}", recipe.version),
                expected: "exit status 0".into(),
                found: format!("{code}: {}", ended.said()),
            }),
        }
    }

    /// What is there.
    ///
    /// # Errors
    /// Where the place can't be asked.
    pub async fn instances(&self) -> Result<Vec<Instance>, ShowError> {
        self.place.instances().await
    }

    /// Removes everything that was deployed, by `deploy down` and, where that leaves something, without it. What it
    /// left.
    ///
    /// # Errors
    /// Where something can't be removed.
    pub async fn reset(&self) -> Result<Vec<String>, ShowError> {
        let down = self.run(&Ask::down()).await;
        let left = self.place.leftovers().await?;
        self.place.clear().await?;
        match down {
            Ok(down) if down.code() != 0 => {
                Ok(vec![format!("status {} of `deploy down`: {}", down.code(), down.said())])
            }
            Ok(_) => Ok(left),
            Err(error) => Ok(vec![error.to_string()]),
        }
    }

    /// Removes everything.
    ///
    /// # Errors
    /// As [`reset`](Self::reset).
    pub async fn remove(self) -> Result<Vec<String>, ShowError> {
        let left = self.reset().await?;
        self.place.clear_images().await?;
        Ok(left)
    }
}

/// A port that nobody listens on at the moment.
///
/// # Errors
/// Where there is none.
pub fn free_port() -> Result<u16, ShowError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(ShowError::io("find a free port"))
}
