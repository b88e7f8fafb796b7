//! For people who write targets: a simulated target, fault injection, and the suite that every target must pass.
