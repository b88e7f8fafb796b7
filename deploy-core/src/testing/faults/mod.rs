//! Fault injection at every call of a deployer: its target, prober, routers, lease and journal, whichever they are.
//!
//! [`Faults`] are rules and a record of the calls. [`Faults::wrap`] puts them around a [`Deployer`](super::Deployer), and
//! [`Faults::run`] runs something that may crash or freeze under way:
//!
//! ```
//! use deploy_core::testing::{SimSettings, SimWorld, faults::{CallKind, Fault, Faults}, virtual_time};
//!
//! virtual_time(async {
//!     let world = SimWorld::new(SimSettings::host());
//!     let faults = Faults::default();
//!     faults.once(|call| call.kind == CallKind::Take, Fault::CrashAfter);
//!     let deployer = faults.wrap(world.deployer());
//!     assert!(faults.run(deployer.lease.take("somebody")).await.is_none()); // nobody is told of the lease
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod call;
mod errors;
mod fault;
mod journal;
mod lease;
mod router;
mod rules;
mod target;

pub use call::{Call, CallKind};
pub use fault::Fault;
pub use rules::Faults;

/// A call that owns what it is made with, so that it may outlive its caller.
macro_rules! own {
    ($($name:ident),* => $call:expr) => {{
        $(let $name = $name.clone();)*
        move || {
            $(let $name = $name.clone();)*
            Box::pin(async move { $call.await }) as futures_util::future::BoxFuture<'static, _>
        }
    }};
}
use own;
