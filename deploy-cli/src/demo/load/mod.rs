//! A load generator that counts what a deployment costs its users.
//!
//! - **Open loop**: every request is sent at its scheduled time, whether or not earlier ones were answered. A service
//!   that stalls gets the same requests as one that doesn't.
//! - **No retries**: a request without a good answer is lost, and counted by [`Loss`]. Only a kept connection that was
//!   closed while idle, and whose close could be read before the request was sent, is replaced in silence, as every
//!   good client does.
//! - **It knows how late it was itself**: each [`Gap`] says whether the generator was late in it, so that a busy
//!   machine isn't mistaken for a bad deployment.
//!
//! It runs on an OS thread of its own: what its caller does delays it only where processors are short.
//!
//! ```no_run
//! # async fn example() -> Result<(), deploy_cli::demo::load::LoadError> {
//! use deploy_cli::demo::load::{self, LoadConfig};
//!
//! let load = load::start(LoadConfig::new(["http://127.0.0.1:8080/"], 500))?;
//! // … deploy …
//! println!("{} lost so far", load.progress().lost_total());
//! load.stop();
//! println!("{}", load.report().await?);
//! # Ok(())
//! # }
//! ```

mod config;
mod connection;
mod gaps;
mod lateness;
mod line;
mod loss;
mod pool;
mod report;
mod run;
mod tally;

pub use config::{Exchange, LoadConfig, LoadError, Mode};
pub use gaps::Gap;
pub use lateness::Lateness;
pub use line::Line;
pub use loss::{Loss, UnknownLoss};
pub use report::{Latency, Progress, Report};
pub use run::{Load, start};
#[cfg(test)]
mod tests;
