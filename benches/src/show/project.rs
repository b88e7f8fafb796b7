//! A project that is deployed to show something.

use super::{
    Args, Instance, Recipe, ShowError,
    deployer::{Deployer, Ended},
    docker::Docker,
};
use std::{
    cell::Cell,
    ffi::OsString,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Command;

/// Longer than any good run takes, the lease's expiry and the healthy deadline included.
pub const LIMIT: Duration = Duration::from_secs(180);
/// The Compose file's name.
const FILE: &str = "compose.yaml";

/// A project of our own, with a folder for its Compose file, and what is deployed there by the `deploy` executable.
#[derive(Debug)]
pub struct Project {
    name: String,
    port: u16,
    home: TempDir,
    elsewhere: TempDir,
    deploy: PathBuf,
    place: Docker,
    versions: Cell<u32>,
}

/// What the `deploy` executable is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    words: Vec<OsString>,
    needs_file: bool,
    elsewhere: bool,
    output: &'static str,
}

impl Ask {
    fn new(words: &[&str]) -> Self {
        let words = words.iter().map(Into::into).collect();
        Self { words, needs_file: false, elsewhere: false, output: "json" }
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

    fn down() -> Self {
        Self::new(&["down", "--volumes"]).elsewhere()
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
        let place = Docker::new(&name, &deploy).await?;
        Ok(Self { name, port: free_port()?, home, elsewhere, deploy, place, versions: Cell::new(0) })
    }

    /// Where requests go.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The place itself.
    pub fn place(&self) -> &Docker {
        &self.place
    }

    /// A name that belongs to the project.
    pub fn named(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    /// Where the Compose file lies.
    pub fn home(&self) -> &Path {
        self.home.path()
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
        if recipe.image_exists {
            self.place.tag(&recipe.version).await?;
        }
        let image = format!("{}:{}", self.name, recipe.version);
        let compose = recipe.compose(&self.name, &image, self.port);
        let file = self.home.path().join(FILE);
        fs::write(&file, format!("{compose:#}\n")).map_err(ShowError::io(format!("write {}", file.display())))
    }

    /// Starts the `deploy` executable.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn start(&self, ask: &Ask) -> Result<Deployer, ShowError> {
        let mut command = Command::new(&self.deploy);
        command.args(&ask.words).args(["--output", ask.output]);
        match (ask.elsewhere, ask.needs_file) {
            (false, _) => command.current_dir(&self.home),
            (true, true) => command.current_dir(&self.elsewhere).arg("--file").arg(self.home.path().join(FILE)),
            (true, false) => command.current_dir(&self.elsewhere).args(["--project-name", &self.name]),
        };
        Deployer::start(command)
    }

    /// Runs the `deploy` executable to its end.
    ///
    /// # Errors
    /// Where it can't be started or doesn't end.
    pub async fn run(&self, ask: &Ask) -> Result<Ended, ShowError> {
        self.start(ask)?.finish(LIMIT).await
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
