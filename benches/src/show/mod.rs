//! Shows on a real Engine what is promised: one module a line, and what they share.
//!
//! Requests are counted by the load generator, leftovers by the Engine's own lists, times by this process's clock:
//! nothing that is shown is the product's word for itself, but the breakdown of a deployment's time, which is its
//! journal's.

mod args;
mod broken;
pub mod cut;
pub mod deployer;
pub mod docker;
pub mod engine;
mod error;
mod inside;
pub mod instance;
mod kill;
pub mod local;
pub mod local_deployer;
mod lossless;
mod other_release;
pub mod place;
pub mod project;
pub mod recipe;
mod rollback;
pub mod table;
pub mod traffic;
mod two_deployers;
mod wall_time;

pub use args::{Args, Line};
pub use error::{ShowError, with_sources};
use instance::Instance;
use project::{Ask, Project, free_port};
use recipe::Recipe;
use table::{Faults, Table};
use tokio::signal::unix::{SignalKind, signal};
use traffic::{Connections, Traffic};

/// Shows one line, and removes everything at the end, whatever came of it. Whether all that was shown is good.
///
/// # Errors
/// Where it couldn't be shown.
pub async fn run(args: Args) -> Result<bool, ShowError> {
    let project = Project::new(&args).await?;
    let showing = async {
        match args.line {
            Line::Lossless => lossless::show(&project, &args).await,
            Line::Inside => inside::show(&project, &args).await,
            Line::WallTime => wall_time::show(&project, &args).await,
            Line::Broken => broken::show(&project, &args).await,
            Line::Rollback => rollback::show(&project, &args).await,
            Line::Kill => kill::show(&project, &args).await,
            Line::TwoDeployers => two_deployers::show(&project, &args).await,
            Line::OtherRelease => other_release::show(&project, &args).await,
        }
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(ShowError::io("listen for signals"))?;
    let shown = tokio::select! {
        shown = showing => shown,
        _ = tokio::signal::ctrl_c() => Err(ShowError::Interrupted),
        _ = terminate.recv() => Err(ShowError::Interrupted),
    };
    let left = project.remove().await?;
    if !left.is_empty() {
        println!("FAIL: `deploy down` left {}", left.join(", "));
    }
    Ok(shown? && left.is_empty())
}
