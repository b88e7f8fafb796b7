//! A proxy in this process, with real sockets on both sides.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod bytes;
mod common;
mod control;
mod durable;
mod http;
mod routing;
mod strict;
