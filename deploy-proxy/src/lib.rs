//! The data plane for hosts that have none, and the agent that holds lease, journal and routes beside it.
//!
//! - [`proxy`]: one process that answers for one service. HTTP/1.1 goes request by request, anything else as bytes;
//!   routes are weighted, swapped without a lock, counted, drained and durable.
//! - [`agent`]: one process that holds a project's state folder and serves one deployer: its lease, its journal, payloads,
//!   and the way to the proxies beside it.
//! - [`control`]: the messages that such a process understands, how they are framed, and a client.
//!
//! An executable becomes the proxy or the agent by calling [`hook`] at the start of its `main`.

pub mod agent;
pub mod control;
mod hook;
pub mod proxy;

pub use hook::{hook, no_role};
