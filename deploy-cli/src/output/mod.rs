//! Plans and notices as text: pure functions, and the readers of a run that print what those yield.

mod deed;
mod letter;
mod names;
mod text;

pub use deed::deed;
pub use letter::letter;
pub use names::Names;
