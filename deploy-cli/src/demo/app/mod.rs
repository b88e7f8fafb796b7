//! A small HTTP/1.1 application for demos and tests, whose version, speed and faults come from its environment.
//!
//! It is one static executable's subcommand, so its image is built FROM scratch, and it handles signals itself because
//! it runs there as process 1.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `PORT` | port to listen on, on all addresses | 8080 |
//! | `APP_VERSION` | text in the body of `/` and in the header `x-app-version` of every answer | `v1` |
//! | `APP_START_DELAY_MS` | time from the start to listening | 0 |
//! | `APP_LATENCY_MS` | time each request takes, `/healthz` excepted | 0 |
//! | `APP_ERROR_RATE` | share of requests answered with 500, from 0 to 1 in steps of a millionth, evenly spread and `/healthz` excepted | 0 |
//! | `APP_FAIL` | what goes wrong, see [`Fault`] | nothing |
//! | `APP_IDLE_CLOSE_MS` | kept connections idle this long are closed by the application | never |
//!
//! | path | answer |
//! | --- | --- |
//! | `/` | the version |
//! | `/healthz` | 200 `ok`, or 500 `unhealthy` |
//! | `/slow?ms=N` | the version, after N milliseconds |
//! | `/echo` | the request's body |
//! | `/headers` | the request's first line and header lines as they arrived |
//! | `/fetch?url=U` | the status, version and body that U (taken verbatim, up to the end of the query) answers, 502 if it doesn't |
//!
//! Anything else is a 404. SIGTERM and SIGINT close the listener, let requests in flight finish and end idle connections.

mod client;
mod endpoints;
mod error_rate;
mod server;
mod settings;

pub use client::{ClientError, healthcheck};
pub use error_rate::ErrorRate;
pub use server::{AppError, run};
pub use settings::{Fault, Settings, SettingsError};

#[cfg(test)]
pub(crate) use server::serve;

/// The response header that carries the application's version.
pub const VERSION_HEADER: &str = "x-app-version";

#[cfg(test)]
pub(crate) mod tests;
