//! Plans and notices as text: pure functions, and the readers of a run that print what those yield.

mod bars;
mod deed;
mod deployments;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod json;
mod letter;
mod lines;
mod names;
mod paint;
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
pub use screen::screen;
pub use status::{Serving, Status};
pub use story::{Cause, Culprit, Health, Log, Story};
