//! The deploy command: Compose files to a Docker host, without a lost request.
//!
//! Thin: [`args`] reads the command line, [`commands`] has one file a subcommand, [`output`] turns plans and notices into
//! text, and [`wiring`] is the only place that names backends. How the command ends is an [`Exit`].

pub mod args;
pub mod demo;
mod exit;
pub mod output;

pub use exit::Exit;
