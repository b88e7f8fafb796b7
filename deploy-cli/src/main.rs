//! The `deploy` command.
fn main() {}
