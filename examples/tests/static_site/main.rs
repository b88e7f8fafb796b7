//! The static site, deployed as its program does it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod deployed;
mod lease;
