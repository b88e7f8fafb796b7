use super::{ShowError, place::TargetName};
use clap::{Parser, ValueEnum};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Shows on a real Engine what is promised, with figures. Each line deploys a project of its own with the `deploy`
/// executable, as a person would, and removes it at the end.
#[derive(Clone, Debug, Parser)]
pub struct Args {
    /// What to show
    #[arg(value_enum)]
    pub line: Line,
    /// Where to deploy
    #[arg(long, value_enum, default_value = "docker")]
    pub target: TargetName,
    /// How many runs of each kind. Default: as many as the line needs
    #[arg(long, value_name = "NUMBER")]
    pub runs: Option<usize>,
    /// Kills at so many random moments too
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub moments: usize,
    /// Decides which random moments and which samples
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Requests a second
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    pub rate: u32,
    /// The longest time between two good answers that is no fault
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 100)]
    pub gap: u64,
    /// Only cases whose name contains this, or one of these
    #[arg(long, value_name = "NAME")]
    pub case: Vec<String>,
    /// The `deploy` executable, with its feature `testing`. Default: built now, in the same profile as this one
    #[arg(long, value_name = "PATH")]
    pub deploy: Option<PathBuf>,
}

/// The lines of what must be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Line {
    /// Deployments in a row under load from outside: nothing is lost
    Lossless,
    /// The same with load from another container, by the service's name
    Inside,
    /// How long a deployment takes, compared with what the Engine itself needs
    WallTime,
    /// Versions that are no good in every way
    Broken,
    /// The way back to earlier releases, from another folder
    Rollback,
    /// The deployer is killed after each record of its journal, and at random moments
    Kill,
    /// Two deployers at once, and one that was frozen
    TwoDeployers,
    /// The deployer is killed, and then another release is deployed
    OtherRelease,
}

impl Args {
    /// Whether a case is to be shown.
    pub fn wants(&self, case: &str) -> bool {
        self.case.is_empty() || self.case.iter().any(|wanted| case.contains(wanted.as_str()))
    }

    /// The `deploy` executable, built if none was named.
    ///
    /// # Errors
    /// Where it can't be built.
    pub fn deploy(&self) -> Result<PathBuf, ShowError> {
        let here = "find the `deploy` executable";
        if let Some(path) = &self.deploy {
            return path.canonicalize().map_err(ShowError::io(format!("{here} {}", path.display())));
        }
        let this = std::env::current_exe().map_err(ShowError::io(here))?;
        build()?;
        let built = this.parent().unwrap_or(Path::new(".")).join("deploy");
        built.canonicalize().map_err(ShowError::io(format!("{here} {}", built.display())))
    }
}

/// Builds the `deploy` executable beside this one.
fn build() -> Result<(), ShowError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "deploy-cli", "--bin", "deploy", "--features", "testing"]);
    command.args((!cfg!(debug_assertions)).then_some("--release")).current_dir(env!("CARGO_MANIFEST_DIR"));
    match command.status().map_err(ShowError::io("build the `deploy` executable"))? {
        status if status.success() => Ok(()),
        status => Err(ShowError::Unexpected {
            what: "build the `deploy` executable".into(),
            expected: "a success".into(),
            found: status.to_string(),
        }),
    }
}
