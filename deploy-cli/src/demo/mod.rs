//! What the demo and the comparisons run: a small application that can be told to misbehave.

pub mod app;
