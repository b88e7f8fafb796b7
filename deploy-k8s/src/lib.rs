//! Deploys on a Kubernetes cluster: the user's own Deployments and Services, with no controller and no custom resource.
//!
//! A target is a namespace. A *service* is a Deployment, its *workload* of a release is the ReplicaSet that the release's
//! pod template has, and an *instance* is a pod. Lease, journal and configurations lie in the namespace, so that any machine
//! with access carries on.

mod api;
mod connect;
mod content;
mod down;
mod hold;
mod identity;
mod kinds;
mod manifest;
mod names;
mod namespace;
mod objects;
mod patch;
mod permissions;
mod prepare;
mod prober;
mod releases;
mod router;
mod scratch;
mod shared;
mod site;
mod stamp;
mod state;
mod target;
#[cfg(test)]
mod testing;
mod trouble;
mod view;
#[cfg(test)]
mod wire;

pub use connect::{Cluster, ClusterOptions, ConnectError};
pub use manifest::{Input, InputError, InputKind, Manifest, Manifests};
pub use namespace::{Namespace, NamespaceOptions};
pub use permissions::{PermissionError, Permissions, Roles};
pub use prepare::{PrepareError, Prepared};
pub use scratch::Scratch;
