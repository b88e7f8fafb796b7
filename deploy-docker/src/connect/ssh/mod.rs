//! An Engine on another host, through the `ssh` program, as the `docker` command does it: `ssh HOST docker system
//! dial-stdio` once a connection, which speaks HTTP on its standard input and output.
//!
//! The program knows the user's configuration, agent and known hosts; `openssh`, which bollard's feature `ssh` uses,
//! accepts unknown host keys and starts a master of its own for each connection.

mod destination;
mod error;
mod pool;
mod stream;

pub(super) use destination::Destination;
pub use error::SshError;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker, errors::Error};
use pool::Pool;
use std::{sync::Arc, time::Duration};

/// How long a connection may take until the Engine answers on it: `ssh` itself gives up reaching the host after 30 s.
pub(super) const CONNECTED_BY: Duration = Duration::from_secs(40);

/// A client of the Engine there.
pub(super) fn client(destination: Destination, call_seconds: u64) -> Result<Docker, Error> {
    let pool = Arc::new(Pool::new(destination));
    let transport = move |request: BollardRequest| Arc::clone(&pool).answer(request);
    Docker::connect_with_custom_transport(transport, Some("http://docker"), call_seconds, API_DEFAULT_VERSION)
}
