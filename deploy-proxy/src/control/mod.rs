//! The control protocol: length-prefixed JSON over any pair of byte streams.
//!
//! A connection begins with a [`Hello`] each way. After that one side asks and the other answers; every question
//! carries a number, and answers come in any order, because a drain may take minutes. [`link`] holds the part that
//! doesn't care what is asked; [`command`] what a proxy is asked, [`routes`] what its routes look like, and
//! [`Client`] puts both together. `docs/control-protocol.md` tells it for whoever speaks it without this crate.

mod address;
mod client;
pub mod command;
#[cfg(test)]
mod documented;
mod frame;
pub mod link;
pub mod listener;
pub mod probe;
pub mod routes;
mod serve;

pub use address::Address;
pub use client::{Ask, AskError, Client, ConnectError, Drained};
pub use command::{Answer, BackendStats, Command, Refusal, Stats};
pub use frame::{FrameError, MAX_FRAME, read_frame, write_frame};
pub use link::{Hello, Link, LinkError, PROTOCOL};
pub use listener::{BadListener, ListenerSpec, Protocol};
pub use probe::{Probe, ProbeOutcome};
pub use routes::{Backend, BadRoutes, InstanceName, RouteState, Routes};
pub use serve::{Handler, ServeError, serve};
