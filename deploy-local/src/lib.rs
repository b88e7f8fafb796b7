//! Services as child processes, deployed without a lost request: the embedded default.
//!
//! A [`LocalService`] is a command, an environment and a count. Its instances are detached processes that are told their
//! port in `PORT`; a proxy process of the service's own listens where clients reach it. Everything lives in a state
//! folder, so that another process can carry on after this one was killed.
//!
//! ```no_run
//! use deploy_core::{engine::Options, strategy::Rolling};
//! use deploy_local::{Local, LocalOptions, LocalService};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let local = Local::open(LocalOptions::new("/var/lib/shop")).await?;
//! let web = LocalService::new("web", "1.4", "/opt/shop/web").count(4).port(8080);
//! let request = local.request(&[web])?;
//! let report = local.engine().build().deploy(&request, &Rolling, &Options::default()).await?;
//! println!("{:?}", report.finish);
//! # Ok(())
//! # }
//! ```
//!
//! The agent and the proxies are this program in other roles: call [`deploy_proxy::hook`] first in its `main`.

mod down;
mod error;
mod instance;
mod instances;
mod local;
mod observe;
mod payload;
mod ports;
mod prober;
mod process;
mod proxies;
mod prune;
mod router;
mod service;
mod shared;
mod spawn;
mod stop;
mod target;
mod watch;

pub use error::LocalError;
pub use local::{Local, LocalOptions};
pub use service::LocalService;
