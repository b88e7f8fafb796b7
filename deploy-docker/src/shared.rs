use crate::{connect::Connection, error::target_error, warnings::Warnings};
use bollard::{Docker, errors::Error};
use deploy_core::{
    model::{ReleaseId, RouterId, ServiceName, TargetId, WorkloadRef},
    target::TargetError,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{sync::Arc, time::Duration};

/// How many calls that change networks run at once: more gain nothing, and endpoints have leaked.
pub(crate) const AT_ONCE: usize = 4;
/// How many containers are stopped at once: mostly they are waited for.
pub(crate) const STOPPED_AT_ONCE: usize = 16;

/// One project on one Engine: what every part of it needs.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) connection: Connection,
    /// The project's name.
    pub(crate) project: String,
    /// The target's name.
    pub(crate) target: TargetId,
    /// What the Engine said beside its answers.
    pub(crate) warnings: Arc<Warnings>,
}

impl Shared {
    pub(crate) fn docker(&self) -> &Docker {
        &self.connection.docker
    }

    /// A client that waits so much longer than usual for its answers.
    pub(crate) fn patient(&self, longer: Duration) -> Docker {
        self.connection.patient(longer)
    }

    pub(crate) fn workload(&self, service: &ServiceName, release: &ReleaseId) -> WorkloadRef {
        WorkloadRef { target: self.target.clone(), service: service.clone(), release: release.clone() }
    }

    /// The name of the router that the project's proxies are together.
    pub(crate) fn router_id(&self) -> RouterId {
        RouterId::new(self.project.clone())
    }

    /// The name of the volume that holds lease, journal, routes and payloads.
    pub(crate) fn state_volume(&self) -> String {
        format!("{}_deploy-state", self.project)
    }
}

/// The name of the network on which a project's ports are published: it sorts before any of the user's, because the
/// Engine publishes a container's ports on the network whose name sorts first, and moves them with a gap when an
/// earlier one is joined.
pub(crate) fn ingress_network(project: &str) -> String {
    format!("0-{project}-ingress")
}

/// Runs all of these, so many at once; ends with the first error. Yields what they yielded, in no fixed order.
///
/// The futures are collected before any of them runs: a stream that makes them on its way isn't `Send` for every
/// lifetime.
pub(crate) fn at_once<T, E, F>(
    limit: usize,
    futures: impl IntoIterator<Item = F>,
) -> impl Future<Output = Result<Vec<T>, E>>
where
    F: Future<Output = Result<T, E>>,
{
    let futures: Vec<F> = futures.into_iter().collect();
    stream::iter(futures).buffer_unordered(limit).try_collect()
}

/// An Engine's answer as a target's.
pub(crate) trait Tried<T> {
    /// `doing` says what was tried: `start shop-web-1`.
    fn tried(self, doing: impl FnOnce() -> String) -> Result<T, TargetError>;
}

impl<T> Tried<T> for Result<T, Error> {
    fn tried(self, doing: impl FnOnce() -> String) -> Result<T, TargetError> {
        self.map_err(|error| target_error(&doing(), error))
    }
}
