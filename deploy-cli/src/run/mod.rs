//! One run of the engine, told while it happens and explained when it is over.

mod conduct;
mod leftovers;
mod reader;
mod signals;
mod verdict;

pub use conduct::{Conduct, Work};
pub use leftovers::{Leftover, leftovers};
pub use reader::Reader;
pub(crate) use signals::Signals;
pub use verdict::{of_error, of_report};
