//! Shows on a real Engine what is promised, with figures: `cargo run --release -p deploy-benches --bin show -- --help`.

use clap::Parser;
use deploy_benches::show;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(status) = show::local_deployer::run().await {
        return status;
    }
    match show::run(show::Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("failed to {}", show::with_sources(&error));
            ExitCode::from(2)
        }
    }
}
