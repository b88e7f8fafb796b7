//! Plans and notices as text: pure functions, and the readers of a run that print what those yield.

mod bars;
mod deed;
mod deployments;
#[cfg(test)]
mod documented;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod json;
mod letter;
mod lines;
mod names;
mod paint;
mod preparing;
mod rows;
mod screen;
mod status;
mod story;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use bars::Bars;
pub use deed::deed;
pub use deployments::{Entry, history};
pub use letter::letter;
pub use lines::Lines;
pub use names::Names;
pub use preparing::Preparing;
pub use screen::screen;
pub use status::{Serving, Status};
pub use story::{Cause, Culprit, Health, Log, Story};
pub(crate) use text::printable;

use std::io::Write;

/// A reader that has gone away is no reason to stop deploying.
pub(crate) fn to_stderr(text: &str, plain: bool) {
    let _ = match plain {
        true => write!(std::io::stderr(), "{}", anstream::adapter::strip_str(text)),
        false => write!(anstream::stderr(), "{text}"),
    };
}

/// One object a line, for whoever reads it.
pub(crate) fn to_stdout(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
