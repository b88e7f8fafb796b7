//! Deploys on a Kubernetes cluster: the user's own Deployments and Services, with no controller and no custom resource.
//!
//! A target is a namespace. A *service* is a Deployment, its *workload* of a release is the ReplicaSet that the release's
//! pod template has, and an *instance* is a pod. Lease, journal and configurations lie in the namespace, so that any machine
//! with access carries on.
//!
//! What must be true of all that lies here is in `docs/kubernetes.md`.

mod api;
mod connect;
mod manifest;
mod names;
mod patch;
mod state;
#[cfg(test)]
mod testing;

pub use connect::{Cluster, ClusterOptions, ConnectError};
pub use manifest::{Input, InputError, InputKind, Manifest, Manifests};
