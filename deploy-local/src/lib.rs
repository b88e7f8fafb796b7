//! Deploys services as child processes: the embedded default.
