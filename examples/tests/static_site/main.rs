//! The static site passes the suite that every target must pass, and is deployed as its program does it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod conformance;
mod deployed;
mod lease;
