//! The deploy command: Compose files to a Docker host, without a lost request.
//!
//! Thin: [`args`] reads the command line, [`commands`] has one file a subcommand, [`output`] turns plans and notices into
//! text, [`run`] conducts an engine, and only [`wiring`] names backends. A [`Place`] is all that the rest knows of one. How a
//! command ends is an [`Exit`].

pub mod args;
pub mod commands;
pub mod demo;
mod dispatch;
mod error;
mod exit;
pub mod output;
mod place;
pub mod run;
mod smoke_check;
#[cfg(feature = "testing")]
pub mod testing;
pub mod wiring;

pub use dispatch::main;
pub use error::CommandError;
pub use exit::Exit;
pub use place::{Place, Teardown};
pub use smoke_check::SmokeCheck;
