use crate::output::Names;
use async_trait::async_trait;
use deploy_core::{
    engine::{Deployment, Engine, history},
    journal::{Journal, JournalError},
    lease::Lease,
    model::{Fence, ServiceName, World},
    observer::Observer,
    router::Router,
    target::{Target, TargetError},
};
use std::{collections::BTreeSet, sync::Arc};

/// Where a command works: one project's target with what an engine needs beside it, whatever the backend.
#[derive(Clone)]
pub struct Place {
    /// The project's name.
    pub project: String,
    /// Hands.
    pub target: Arc<dyn Target>,
    /// What sends requests to its workloads.
    pub router: Arc<dyn Router>,
    /// Who may deploy now.
    pub lease: Arc<dyn Lease>,
    /// What was done.
    pub journal: Arc<dyn Journal>,
    /// How everything is taken away.
    pub teardown: Arc<dyn Teardown>,
}

/// Takes a project away: its instances, what was made for them, and the stored configurations.
///
/// # Guarantees
/// Calling it again goes on where it was interrupted. Under a stale fence nothing is touched.
#[async_trait]
pub trait Teardown: Send + Sync {
    /// Takes it away, the data in its volumes too where `volumes` says so. Yields the volumes' names, gone or not.
    ///
    /// # Errors
    /// What couldn't be taken away.
    async fn down(&self, fence: Fence, volumes: bool) -> Result<Vec<String>, TargetError>;
}

impl Place {
    /// An engine that tells this observer.
    pub fn engine(&self, observer: Observer) -> Engine {
        Engine::builder(self.target.clone(), self.lease.clone(), self.journal.clone())
            .router(self.router.clone())
            .observer(observer)
            .holder(holder())
            .build()
    }

    /// The last deployment, if there was one.
    ///
    /// # Errors
    /// Where the journal can't be read.
    pub async fn last(&self) -> Result<Option<Deployment>, JournalError> {
        Ok(history(&*self.journal, 1).await?.pop())
    }

    /// What is there of these services, and what the releases are called.
    ///
    /// # Errors
    /// Where the target can't be observed.
    pub async fn observe(&self, services: &BTreeSet<ServiceName>) -> Result<(World, Names), TargetError> {
        let services: Vec<_> = services.iter().cloned().collect();
        let world = self.target.observe(&services).await?;
        let mut names = Names::new();
        names.know_world(&world);
        Ok((world, names))
    }
}

/// What others are shown while we hold the lease: `ann on build-7, process 4711`.
pub(crate) fn holder() -> String {
    let variable = |names: [&str; 2]| names.into_iter().find_map(|name| std::env::var(name).ok());
    let user = variable(["USER", "LOGNAME"]).unwrap_or_else(|| "somebody".into());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user} on {host}, process {}", std::process::id())
}
