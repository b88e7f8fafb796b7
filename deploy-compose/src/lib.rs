//! The Compose Specification as a pure library: text in, a typed model with places out.
