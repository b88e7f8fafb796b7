use crate::{
    CommandError, Exit,
    args::{Cli, Command, Output},
    commands,
    output::json,
    wiring::{self, Down},
};
use clap::Parser;
use std::process::ExitCode;

/// The command: reads the command line, does what it says, and tells how that ended.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = cli.globals.output;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: expected a thread or two, but the system refused: {error}; check the limits");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(run(cli)).unwrap_or_else(|error| {
        tell(&error, output);
        error.exit()
    });
    // whatever still waits for an answer isn't waited for
    runtime.shutdown_background();
    exit.into()
}

async fn run(cli: Cli) -> Result<Exit, CommandError> {
    let globals = cli.globals;
    let output = globals.output;
    let place = || wiring::place(&globals);
    let to_change = || wiring::place_to_change(&globals);
    match &cli.command {
        Command::Up(args) => commands::up(&globals, args).await,
        Command::Plan(args) => commands::plan(&globals, args).await,
        Command::Status => commands::status(&place().await?, output).await,
        Command::History(args) => commands::history(&place().await?, args.most, output).await,
        Command::Logs(args) => commands::logs(&place().await?, args, output).await,
        Command::Rollback(args) => commands::rollback(&to_change().await?, args, output).await,
        Command::Resume(args) => commands::resume(&to_change().await?, args, output).await,
        Command::Abort(args) => commands::abort(&to_change().await?, args, output).await,
        Command::Down(args) => match wiring::place_to_take_down(&globals, args.volumes).await? {
            // down already
            Down { project, place: None, data } => Ok(commands::is_down(&project, false, &data, output)),
            Down { place: Some(place), .. } => commands::down(&place, args, output).await,
        },
        Command::Rbac(args) => commands::rbac(&globals, args).await,
        Command::Demo(args) => commands::demo(&globals, args).await,
        Command::DemoApp(args) => commands::demo_app(args).await,
        Command::DemoLoad(args) => commands::demo_load(args, output).await,
    }
}

fn tell(error: &CommandError, output: Output) {
    match output {
        Output::Json => println!("{}", json::error(&error.explain(), error.exit())),
        Output::Text | Output::Plain => eprintln!("error: {}", error.explain()),
    }
}
