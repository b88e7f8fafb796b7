//! The durable engine that runs plans.
//!
//! Decide (pure) → append `StepStarted`, durably → observe, compare with what the step expects → perform → append the
//! outcome. A deployment's [`State`] is a fold over its journal; recovery replays the journal through the same function.
//! The engine's only output is a stream of [`Notice`](crate::observer::Notice)s.

mod check;
mod clear;
mod decide;
mod deploy;
mod error;
mod hands;
mod history;
mod interrupt;
mod object;
mod parts;
mod past;
mod perform;
mod run;
mod state;
mod under_way;

pub use deploy::{Finish, Options, Report, Request};
pub use error::EngineError;
pub use history::{Deployment, history};
pub use interrupt::Interrupt;
pub use parts::{Engine, EngineBuilder};
pub use state::{State, StateError, StepState, Trouble};
