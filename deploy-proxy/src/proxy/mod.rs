//! The data plane: one process that answers for one service.
//!
//! A [`Proxy`] listens on the service's ports and sends each request to one of its backends. HTTP/1.1 is routed
//! request by request over a pool of connections to each backend; everything else is routed once a connection and
//! passed as bytes. Which backends there are comes over the control protocol (see [`control`](crate::control)), is
//! swapped in without a lock, and is durable.
//!
//! What a client may rely on:
//!
//! - A change of routes loses nothing: a request is counted on a backend before that backend could be seen as drained.
//! - A request is sent twice only where it makes no difference: when nothing of it was sent before, or when it is
//!   idempotent, without a body, and a connection that had been idle ended without a byte of an answer.
//! - Where no backend receives, a request waits for one, until the last one has been gone for 30 s.
//! - What passes is framed in one way only: a request whose length can be understood in two ways is answered 400.

mod backend;
mod body;
mod bytes;
mod closing;
mod commands;
mod config;
mod detect;
mod headers;
mod holding;
mod http;
mod init;
mod listener;
mod log;
mod pool;
mod probing;
mod run;
mod running;
mod scan;
mod serving;
mod store;
mod strict;
mod table;
mod timeouts;
mod tunnel;
mod upstream;

pub use config::{BadArguments, Config};
pub use log::Log;
pub(crate) use probing::probe;
pub use run::{RunError, run};
pub use running::{Proxy, Running, StartError};
pub use store::{BadState, stored_routes};
pub use timeouts::Timeouts;
