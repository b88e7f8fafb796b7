//! The deploy command: Compose files to a Docker host, without a lost request.
//!
//! Thin: [`args`] reads the command line, [`commands`] has one file a subcommand, [`output`] turns plans and notices into
//! text, and [`run`] conducts an engine. A [`Place`] is all that they know of a backend. How a command ends is an [`Exit`].

pub mod args;
pub mod commands;
pub mod demo;
mod error;
mod exit;
pub mod output;
mod place;
pub mod run;

pub use error::CommandError;
pub use exit::Exit;
pub use place::Place;
