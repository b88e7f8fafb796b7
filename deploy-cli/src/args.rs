//! The command line.

use crate::{Exit, smoke_check::SmokeCheck};
use clap::{Args, Parser, Subcommand, ValueEnum};
use deploy_core::model::Millis;
use std::path::PathBuf;

/// Deploys Compose files to a Docker host, and Kubernetes manifests to a cluster, without a lost request.
#[derive(Debug, Parser)]
#[command(name = "deploy", version, max_term_width = 110, after_help = Exit::table(), subcommand_required = true)]
pub struct Cli {
    /// What every subcommand understands.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Which project or namespace on which target, and how to tell.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Target, project and output")]
pub struct Globals {
    /// Where to deploy. Default: docker; `demo` falls back to local
    #[arg(long, value_enum, global = true, env = "DEPLOY_TARGET")]
    pub target: Option<TargetName>,
    /// A Compose file; further ones are merged over it. Default: as `docker compose` looks for it. On Kubernetes: a file or
    /// folder of objects, or `-` for standard input; several are one input
    #[arg(short, long = "file", value_name = "FILE", global = true)]
    pub files: Vec<PathBuf>,
    /// Kubernetes: the namespace. Default: that of the files, or of the context
    #[arg(short, long, value_name = "NAME", global = true)]
    pub namespace: Option<String>,
    /// Kubernetes: the configuration file, in place of KUBECONFIG and `~/.kube/config`
    #[arg(long, value_name = "FILE", global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// Kubernetes: what the files are. Default: folders with a kustomization are built, all else is read
    #[arg(long, value_enum, value_name = "KIND", global = true)]
    pub input: Option<InputName>,
    /// Kubernetes: how long nodes may take to follow a Service. Default: 5s
    #[arg(long, value_name = "TIME", value_parser = time, global = true)]
    pub settle: Option<Millis>,
    /// The project's name. Without a Compose file it says which project is meant
    #[arg(short, long, value_name = "NAME", global = true)]
    pub project_name: Option<String>,
    /// A file with variables for the Compose file, in place of `.env`
    #[arg(long = "env-file", value_name = "FILE", global = true)]
    pub env_files: Vec<PathBuf>,
    /// The folder that relative paths start from. Default: that of the first Compose file
    #[arg(long, value_name = "FOLDER", global = true)]
    pub project_directory: Option<PathBuf>,
    /// Services of this profile too
    #[arg(long = "profile", value_name = "NAME", global = true)]
    pub profiles: Vec<String>,
    /// The Docker context, in place of DOCKER_HOST and the current one. On Kubernetes: the kubeconfig's context
    #[arg(long, value_name = "NAME", global = true)]
    pub context: Option<String>,
    /// An image that holds this command, for proxies and the agent, where the Engine can't run this very executable
    #[arg(long, value_name = "IMAGE", global = true, env = "DEPLOY_PROXY_IMAGE")]
    pub proxy_image: Option<String>,
    /// How to tell what happens
    #[arg(short, long, value_enum, default_value_t, global = true)]
    pub output: Output,
}

impl Globals {
    /// A flag that means nothing on this target.
    pub fn foreign(&self, target: TargetName) -> Option<&'static str> {
        let of_docker = [
            ("--project-name", self.project_name.is_some()),
            ("--env-file", !self.env_files.is_empty()),
            ("--project-directory", self.project_directory.is_some()),
            ("--profile", !self.profiles.is_empty()),
        ];
        let of_kubernetes = [
            ("--namespace", self.namespace.is_some()),
            ("--kubeconfig", self.kubeconfig.is_some()),
            ("--input", self.input.is_some()),
            ("--settle", self.settle.is_some()),
        ];
        let foreign = match target {
            TargetName::Docker => &of_kubernetes[..],
            TargetName::Kubernetes => &of_docker[..],
            TargetName::Local => &[],
        };
        foreign.iter().find(|(_, is_given)| *is_given).map(|(flag, _)| *flag)
    }
}

/// Where to deploy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TargetName {
    /// A Docker Engine
    #[default]
    Docker,
    /// A namespace of a Kubernetes cluster
    Kubernetes,
    /// Child processes of this machine, for `demo` alone
    Local,
}

impl TargetName {
    /// As the command line says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Kubernetes => "kubernetes",
            Self::Local => "local",
        }
    }
}

/// What the files are, on Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputName {
    /// Objects, as for `kubectl apply -f`
    Manifests,
    /// Kustomizations, as for `kubectl apply -k`
    Kustomize,
}

/// How to tell what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: bars and colours on a terminal, plain lines otherwise
    #[default]
    Text,
    /// For people and logs: plain lines, no colours
    Plain,
    /// For programs: one JSON object a line
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Deploy what the files say; what is unchanged is left alone
    Up(UpArgs),
    /// Show what `up` would do, how long it may take, and the way back
    Plan(PlanArgs),
    /// Show what serves now
    Status,
    /// Show the last lines that a service's instances logged
    Logs(LogsArgs),
    /// Show earlier deployments
    History(HistoryArgs),
    /// Bring an earlier release back, without its files
    Rollback(RollbackArgs),
    /// Carry an interrupted deployment on
    Resume(RunArgs),
    /// Take an interrupted deployment back
    Abort(RunArgs),
    /// Stop and remove everything of the project
    Down(DownArgs),
    /// Print the Role that deploying these files to a cluster needs, for `kubectl apply -f -`; asks no cluster
    Rbac(RbacArgs),
    /// Show a deployment: version 1, then 2 under load, then a broken 3 that is taken back
    Demo(DemoArgs),
    /// Run the demo's application; its settings are in its environment
    #[command(hide = true)]
    DemoApp(DemoAppArgs),
    /// Send requests, and count those that are lost
    #[command(hide = true)]
    DemoLoad(DemoLoadArgs),
}

/// `deploy up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// How the new release comes.
    #[command(flatten)]
    pub strategy: StrategyArgs,
    /// How the run goes.
    #[command(flatten)]
    pub run: RunArgs,
    /// Run this plan, made by `plan --out`; reads no files
    #[arg(long, value_name = "FILE", conflicts_with_all = ["strategy", "bake", "health_timeout", "drain_timeout", "smoke", "keep_failed"])]
    pub plan: Option<PathBuf>,
}

/// `deploy plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// How the new release comes.
    #[command(flatten)]
    pub strategy: StrategyArgs,
    /// Pull and build what is needed, and write the plan here, for `up --plan`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `deploy logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Whose
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// How many lines of each instance
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub lines: usize,
}

/// `deploy history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// How many, newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub most: usize,
}

/// `deploy rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// A version, or a deployment's number as `history` shows it (`7` or `#7`). Default: what served before
    #[arg(value_name = "VERSION|NUMBER")]
    pub to: Option<String>,
    /// How the earlier release comes. Default: as it came the first time
    #[arg(long, value_enum, value_name = "STRATEGY")]
    pub strategy: Option<StrategyName>,
    /// How the run goes.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `deploy down`.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// The volumes too (on Kubernetes: the PersistentVolumeClaims): their data is gone then
    #[arg(short, long)]
    pub volumes: bool,
    /// How long to wait while somebody else deploys
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5m")]
    pub lease_wait: Millis,
}

/// `deploy rbac`.
#[derive(Debug, Args)]
pub struct RbacArgs {
    /// Smoke checks that `up` will be given: pods are reached through the API server then
    #[arg(long, value_name = "SERVICE:PORT/PATH")]
    pub smoke: Vec<SmokeCheck>,
}

/// `deploy demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Requests a second
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub rate: u32,
    /// How the new version comes. Default: rolling; blue-green on Kubernetes
    #[arg(long, value_enum, value_name = "STRATEGY")]
    pub strategy: Option<StrategyName>,
    /// Kubernetes: an image that the nodes can pull, with this command at /deploy. Default: this executable, imported into
    /// the local Docker Engine, where the nodes have its images
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
}

/// `deploy demo-app`.
#[derive(Debug, Args)]
pub struct DemoAppArgs {
    /// Ask the application on PORT for its health instead, as a container's own test does
    #[arg(long)]
    pub healthcheck: bool,
}

/// `deploy demo-load`.
#[derive(Debug, Args)]
pub struct DemoLoadArgs {
    /// Whom to ask, in turn
    #[arg(required = true, value_name = "URL")]
    pub urls: Vec<String>,
    /// Requests a second
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// For how long; until a signal where it is absent
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub duration: Option<Millis>,
    /// A new connection for every request
    #[arg(long)]
    pub connection_per_request: bool,
    /// Tell what was counted so far, this often, a line of JSON each
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub progress: Option<Millis>,
}

/// How the new release comes.
#[derive(Clone, Debug, Default, Args)]
pub struct StrategyArgs {
    /// In what order. Default: rolling
    #[arg(long, value_enum, value_name = "STRATEGY")]
    pub strategy: Option<StrategyName>,
    /// Watch the new release for so long before the old one leaves
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub bake: Option<Millis>,
    /// Give a new release so long to get healthy. Default: 60s, and its test's start period
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub health_timeout: Option<Millis>,
    /// Give requests in flight so long to end before an old instance is stopped. Default: 30s
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub drain_timeout: Option<Millis>,
    /// Ask each new instance once it is healthy, before it gets requests: `web:8080/ready` must be answered with a status
    /// from 200 to 399. May be given several times
    #[arg(long, value_name = "SERVICE:PORT/PATH")]
    pub smoke: Vec<SmokeCheck>,
    /// Keep a new release that failed, stopped, for inspection
    #[arg(long)]
    pub keep_failed: bool,
}

/// How a run goes.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// What the first Ctrl-C does; a second one leaves at once
    #[arg(long, value_enum, default_value_t)]
    pub on_interrupt: OnInterrupt,
    /// How long to wait while somebody else deploys
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5m")]
    pub lease_wait: Millis,
}

/// What the first Ctrl-C does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnInterrupt {
    /// Go back to what served before
    #[default]
    Back,
    /// Stop where it stands; the same command carries on
    Halt,
}

/// The strategies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StrategyName {
    /// Batch by batch
    #[default]
    Rolling,
    /// All of the new beside all of the old, then the switch
    BlueGreen,
    /// All of the old ends before the new starts; requests in between wait
    Recreate,
}

impl StrategyName {
    /// As plans say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::BlueGreen => "blue-green",
            Self::Recreate => "recreate",
        }
    }
}

/// Reads a length of time as people write it: `500ms`, `30s`, `2m`, `1h30m`.
fn time(text: &str) -> Result<Millis, String> {
    let wrong = || format!("expected a time like 500ms, 30s or 2m, but found {text:?}");
    let time: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    std::time::Duration::try_from(time).map(Millis::from).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(
            ["500ms", "30s", "2m", "1h30m"].map(time),
            [500, 30_000, 120_000, 5_400_000].map(|ms| Ok(Millis(ms)))
        );
        for wrong in ["30", "-5s", "soon", ""] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn strategies_are_called_as_the_engine_calls_them() {
        for strategy in StrategyName::value_variants() {
            assert!(deploy_core::strategy::by_name(strategy.as_str()).is_some());
            let shown = strategy.to_possible_value().unwrap();
            assert_eq!(shown.get_name(), strategy.as_str());
        }
    }

    #[test]
    fn flags_that_mean_nothing_on_a_target_are_known() {
        let foreign = |target, args: &[&str]| {
            let args = ["deploy", "status"].iter().chain(args);
            Cli::try_parse_from(args).unwrap().globals.foreign(target)
        };
        use TargetName::{Docker, Kubernetes};
        assert_eq!(foreign(Docker, &["-n", "shop"]), Some("--namespace"));
        assert_eq!(foreign(Kubernetes, &["-n", "shop", "--settle", "1s", "--context", "a"]), None);
        assert_eq!(foreign(Kubernetes, &["--profile", "x"]), Some("--profile"));
        assert_eq!(foreign(Docker, &["-p", "shop", "--profile", "x"]), None);
    }

    #[test]
    fn flags_of_the_project_stand_before_and_after_the_subcommand() {
        let cli = Cli::try_parse_from(["deploy", "-f", "a.yaml", "plan", "-p", "shop", "--output", "json"]).unwrap();
        assert_eq!(cli.globals.files, [PathBuf::from("a.yaml")]);
        assert_eq!((cli.globals.project_name.as_deref(), cli.globals.output), (Some("shop"), Output::Json));
    }
}
