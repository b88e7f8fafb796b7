//! A deployment's state, and the records that it is a fold over.

mod arbitrary;
mod file;
mod fold;
mod history;
mod lines;
mod way_back;
