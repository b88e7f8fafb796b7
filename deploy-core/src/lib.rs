//! Deployment primitives: the model, the traits and the durable engine that runs plans.
