//! The deployer of services that are child processes: the `deploy` executable has none for them, so this program is it.

use super::{
    local::MARK,
    recipe::{LocalRecipe, REPLICAS},
    with_sources,
};
use clap::Parser;
use deploy_cli::{
    CommandError, Exit,
    args::{Cli, Command, UpArgs},
    commands,
    output::json,
    run::{Conduct, Work},
    wiring,
};
use deploy_core::{
    model::{BasisPoints, Batch, Millis},
    strategy,
};
use deploy_local::{Local, LocalOptions, LocalService};
use std::{
    error::Error,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// The first argument that makes this program a deployer. A folder, the `deploy` executable and what that would be asked
/// follow.
pub const ROLE: &str = "local-deployer";
/// Where a folder says what is to be deployed.
pub const FILE: &str = "service.json";

/// Deploys, where that is what this program was started for.
pub async fn run() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != ROLE {
        return None;
    }
    let (home, deploy) = (PathBuf::from(words.next()?), PathBuf::from(words.next()?));
    let cli = Cli::parse_from([OsString::from("deploy")].into_iter().chain(words));
    let exit = match command(&home, deploy, cli).await {
        Ok(exit) => exit,
        Err(error) => {
            let (message, exit) = match error.downcast::<CommandError>() {
                Ok(error) => (error.explain(), error.exit()),
                Err(error) => (with_sources(&*error), Exit::Failed),
            };
            println!("{}", json::error(&message, exit));
            eprintln!("error: {message}");
            exit
        }
    };
    Some(exit.into())
}

async fn command(home: &Path, deploy: PathBuf, cli: Cli) -> Result<Exit, Box<dyn Error + Send + Sync>> {
    let options = LocalOptions { executable: Some(deploy), ..LocalOptions::new(home.join("state")) };
    let local = Arc::new(Local::open(options).await?);
    let place = wiring::local("show", Arc::clone(&local));
    let output = cli.globals.output;
    Ok(match &cli.command {
        Command::Up(args) => {
            let recipe: LocalRecipe = serde_json::from_slice(&fs::read(home.join(FILE))?)?;
            let request = local.request(&[service(recipe, args)])?;
            let name = args.strategy.strategy.unwrap_or_default().as_str();
            let strategy = strategy::by_name(name).unwrap_or(&strategy::Rolling);
            Conduct::new(&place, output, &args.run).run(Work::Deploy(&request, strategy)).await?
        }
        Command::Rollback(args) => commands::rollback(&place, args, output).await?,
        Command::Resume(args) => commands::resume(&place, args, output).await?,
        Command::Abort(args) => commands::abort(&place, args, output).await?,
        Command::Down(args) => commands::down(&place, args, output).await?,
        other => return Err(format!("expected up, rollback, resume, abort or down, but found {other:?}").into()),
    })
}

fn service(recipe: LocalRecipe, args: &UpArgs) -> LocalService {
    let LocalRecipe { recipe, project, executable, port } = recipe;
    let mut service = LocalService::new("web", &recipe.version, executable)
        .args(["demo-app"])
        .env(MARK, project)
        .count(REPLICAS)
        .port(port)
        .healthy_at("/healthz");
    for (name, value) in recipe.environment() {
        service = service.env(name, value);
    }
    service.batch = recipe.batch.map_or(Batch::Share(BasisPoints::ALL), Batch::Size);
    service.bake = args.strategy.bake.unwrap_or(Millis::ZERO);
    service.keep_failed = args.strategy.keep_failed;
    service
}
