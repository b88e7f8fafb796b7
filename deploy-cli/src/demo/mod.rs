//! What the demo and the comparisons run: a small application that can be told to misbehave, and a load generator
//! that counts what a deployment costs its users.

pub mod app;
pub mod load;
pub mod show;
