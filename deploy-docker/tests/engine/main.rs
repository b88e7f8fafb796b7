//! Tests on a real Docker Engine; without one they say so and pass.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

mod adoption;
mod beside_compose;
mod broken;
mod build;
mod conformance;
mod deploy;
mod disk;
mod down;
mod exchange;
mod fields;
mod files;
mod further;
mod ground;
mod journal;
mod load;
mod objects;
mod people;
mod platform;
mod registry;
mod reuse;
mod under_way;
mod way;
mod ways;
