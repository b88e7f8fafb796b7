//! The durable engine that runs plans.
