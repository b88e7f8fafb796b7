//! A library user's first programs.
