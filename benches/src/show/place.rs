//! Where a project is deployed, seen from outside.

use super::{
    Instance, ShowError,
    docker::Docker,
    local::Local,
    recipe::{Image, Recipe},
};
use clap::ValueEnum;
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// Where to deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TargetName {
    /// The Docker Engine
    Docker,
    /// Child processes of this machine
    Local,
}

/// Where a project is deployed.
#[derive(Clone, Debug)]
pub enum Place {
    /// A Compose project on an Engine.
    Docker(Docker),
    /// Child processes of this machine.
    Local(Local),
}

impl Place {
    /// The Engine's project, for what only that can show.
    ///
    /// # Errors
    /// Where it is another place.
    pub fn docker(&self) -> Result<&Docker, ShowError> {
        match self {
            Self::Docker(docker) => Ok(docker),
            Self::Local(_) => Err(ShowError::Unexpected {
                what: "show what only containers can show".into(),
                expected: "--target docker".into(),
                found: "--target local".into(),
            }),
        }
    }

    /// What is there.
    ///
    /// # Errors
    /// Where the place can't be asked.
    pub async fn instances(&self) -> Result<Vec<Instance>, ShowError> {
        match self {
            Self::Docker(docker) => docker.instances().await,
            Self::Local(local) => local.instances(),
        }
    }

    /// What the instances stand on: networks, each with its id, and volumes.
    ///
    /// # Errors
    /// Where the place can't be asked.
    pub async fn objects(&self) -> Result<BTreeSet<String>, ShowError> {
        match self {
            Self::Docker(docker) => docker.objects().await,
            // proxies are processes
            Self::Local(_) => Ok(BTreeSet::new()),
        }
    }

    /// The versions of the application that run now. `known` remembers what was asked already.
    ///
    /// # Errors
    /// Where the place can't be asked.
    pub async fn running_versions(
        &self,
        known: &mut HashMap<String, Option<String>>,
    ) -> Result<BTreeSet<String>, ShowError> {
        match self {
            Self::Docker(docker) => docker.running_versions(known).await,
            Self::Local(local) => Ok(local.instances()?.into_iter().filter_map(|instance| instance.version).collect()),
        }
    }

    /// Makes ready what a version is started from.
    ///
    /// # Errors
    /// Where the place refuses.
    pub async fn prepare(&self, recipe: &Recipe) -> Result<(), ShowError> {
        match self {
            Self::Docker(docker) if recipe.image == Image::There => docker.tag(&recipe.version).await,
            Self::Docker(_) | Self::Local(_) => Ok(()),
        }
    }

    /// What the place itself needs for `count` starts side by side until each has answered a request.
    ///
    /// # Errors
    /// Where it refuses, or there is no answer within 30 s.
    pub async fn bare_starts(&self, count: u32, recipe: &Recipe) -> Result<Duration, ShowError> {
        match self {
            Self::Docker(docker) => docker.bare_starts(count, recipe).await,
            Self::Local(local) => local.bare_starts(count, recipe).await,
        }
    }

    /// Names of what is left of the project.
    ///
    /// # Errors
    /// Where the place can't be asked.
    pub async fn leftovers(&self) -> Result<Vec<String>, ShowError> {
        match self {
            Self::Docker(docker) => docker.leftovers().await,
            Self::Local(local) => Ok(local.instances()?.into_iter().map(|instance| instance.name).collect()),
        }
    }

    /// Removes whatever is left of the project.
    ///
    /// # Errors
    /// The first thing that couldn't be removed.
    pub async fn clear(&self) -> Result<(), ShowError> {
        match self {
            Self::Docker(docker) => docker.clear().await,
            Self::Local(local) => local.clear(),
        }
    }

    /// Removes the project's images.
    ///
    /// # Errors
    /// The first one that couldn't be removed.
    pub async fn clear_images(&self) -> Result<(), ShowError> {
        match self {
            Self::Docker(docker) => docker.clear_images().await,
            Self::Local(_) => Ok(()),
        }
    }
}
