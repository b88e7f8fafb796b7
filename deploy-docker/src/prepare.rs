//! What must be there before planning: images, and what releases are made of.

use crate::{
    adoption::{RunByCompose, orphans},
    api::{self, TooOld},
    create::{FileError, Ingredients, check_grants, define},
    definition::DefinitionError,
    element::Element,
    foundations::Foundations,
    handle::{Handle, agent_error},
    image::Builder,
    images::ImageJob,
    paths,
    service::{Parts, service_spec},
    treatment::{Treatment, treat},
};
use bollard::errors::Error;
use deploy_compose::model::Project;
use deploy_core::{
    model::{Payload, ReleaseId, ServiceSpec},
    target::TargetError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// How far the preparation has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// An image is being pulled.
    Pulling {
        /// Its name.
        image: String,
        /// Bytes that are there.
        done: u64,
        /// Bytes of the layers that are known so far.
        of: u64,
    },
    /// An image was pulled.
    Pulled {
        /// Its name.
        image: String,
    },
    /// An image is being built.
    Building {
        /// Its name.
        image: String,
        /// What the builder says.
        line: String,
    },
}

/// Who is told how far it has come. It must not block.
pub type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// What a plan is made from.
#[derive(Clone)]
pub struct Prepared {
    /// What is to run.
    pub services: Vec<ServiceSpec>,
    /// The configurations, secrets included: for the target's own store only.
    pub payloads: BTreeMap<ReleaseId, Payload>,
    /// What people should know of the project as a whole.
    pub notes: Vec<String>,
}

/// Why a project can't be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// An image isn't there and can't be had.
    #[error("expected image {image}, but the Docker Engine said: {said}; {advice}")]
    NoImage {
        /// Its name.
        image: String,
        /// The Engine's words.
        said: String,
        /// What to do.
        advice: String,
    },
    /// An image may not be pulled, and isn't there.
    #[error(
        "expected image {image} on the Engine's host, because `pull_policy` is `never`, but found none: load or build it there"
    )]
    NeverPulled {
        /// Its name.
        image: String,
    },
    /// An image is there, for another platform than the file names.
    #[error(
        "{at}: expected image {image} for {wanted}, but found it for {found} only: name one that is made for it, or change `platform`"
    )]
    OtherPlatform {
        /// Where the file names it.
        at: Box<Element>,
        /// The image.
        image: String,
        /// What the file names.
        wanted: String,
        /// What it is for.
        found: String,
    },
    /// What an image is built from can't be read.
    #[error("{at}: expected to read {} for image {image}: make it there and readable, or change `build:`", path.display())]
    Context {
        /// Where the file names it.
        at: Box<Element>,
        /// The image.
        image: String,
        /// What can't be read.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Nobody is asked to build.
    #[error(
        "expected 0 or 1 in DOCKER_BUILDKIT, but found `{found}`: unset it to build with BuildKit, or set 0 for the classic builder"
    )]
    NoBuilder {
        /// What the variable says.
        found: String,
    },
    /// An image can't be built.
    #[error(
        "expected to build image {image}, but the Docker Engine said: {said}{}",
        advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default()
    )]
    Build {
        /// The image.
        image: String,
        /// The Engine's words.
        said: String,
        /// The last lines that the builder wrote, oldest first: where BuildKit names the step that failed, its name and
        /// what it wrote.
        lines: Vec<String>,
        /// What to do, where the words show it.
        advice: Option<String>,
    },
    /// The Engine didn't do it.
    #[error("expected to {doing}, but the Docker Engine didn't answer: try again")]
    Engine {
        /// What was tried.
        doing: String,
        /// What went wrong.
        #[source]
        source: Box<Error>,
    },
    /// Something outside of the project isn't there.
    #[error(
        "{at}: expected the external {kind} {name}, but found none: make it with `docker {kind} create {name}`, or take `external` away"
    )]
    NoExternal {
        /// Where the file names it.
        at: Box<Element>,
        /// `network` or `volume`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A network of the project's name is there, and is somebody else's.
    #[error(
        "{at}: expected no network {name}, or one that was made as `{}`, but found one that somebody else made: declare it `external: true` to use it, or give it another `name`",
        at.path
    )]
    OthersNetwork {
        /// Where the file describes it.
        at: Box<Element>,
        /// Its name.
        name: String,
    },
    /// The Engine is too old for something in the file.
    #[error(
        "{at}: expected Docker {docker} or newer (API {needed}), but found an Engine with API {found}, which would drop this in silence: upgrade Docker there, or take it out"
    )]
    EngineTooOld {
        /// What the file asks for.
        at: Box<Element>,
        /// The first release of Docker that has it.
        docker: &'static str,
        /// The API that has it.
        needed: String,
        /// The Engine's API.
        found: String,
    },
    /// A secret or config can't be given to a service.
    #[error(transparent)]
    File(#[from] FileError),
    /// A configuration can't be stored.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The Engine or the agent.
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl PrepareError {
    /// Whether the file, what it names or the environment is wrong, so that trying again is of no use.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Context { .. } | Self::NoBuilder { .. } | Self::NoExternal { .. } | Self::EngineTooOld { .. } => true,
            Self::OthersNetwork { .. } | Self::File(_) => true,
            Self::NoImage { .. } | Self::NeverPulled { .. } | Self::OtherPlatform { .. } | Self::Build { .. } => false,
            Self::Engine { .. } | Self::Definition(_) | Self::Target(_) => false,
        }
    }
}

impl Handle {
    /// Sees to the images, and renders every service.
    pub(crate) async fn prepare(
        &self,
        project: &Project,
        config_folder: Option<&PathBuf>,
        tell: Tell<'_>,
    ) -> Result<Prepared, PrepareError> {
        self.check(project)?;
        // only then is an agent started, to whom the key belongs
        let Foundations { foreign, notes } = self.foundations(project).await?;
        let containers = async { self.containers().await.map_err(PrepareError::from) };
        let (key, containers) = tokio::try_join!(self.key(), containers)?;
        let config_folder = config_folder.map(PathBuf::as_path);
        let images = self.images(ImageJob { project, config_folder, tell }).await?;
        let paths = paths::look(project);
        let router = self.router_id();
        let mut prepared = Prepared { services: Vec::new(), payloads: BTreeMap::new(), notes };
        let (mut releases, mut left) = (BTreeMap::new(), BTreeSet::new());
        for service in project.dependency_order() {
            let Some(image) = images.get(&service.name) else { continue };
            let run_by_compose = RunByCompose::of(&containers, service);
            let parts = |treatment: &Treatment, release| {
                let (target, router, foreign) = (&self.target, &router, &foreign);
                service_spec(&Parts { project, service, image, treatment, release, target, router, foreign })
            };
            let unchanged = run_by_compose.unchanged(project, service, image);
            if let Some(release) = unchanged.filter(|_| service.lives_in().is_subset(&left)) {
                left.insert(&service.name);
                releases.insert(&service.name, release.id.clone());
                let spec = parts(&Treatment::left_to_compose(), release);
                prepared.services.push(ServiceSpec { objects: Vec::new(), ..spec });
                continue;
            }
            let mut treatment = treat(project, service, image, &paths);
            treatment.notes.extend(run_by_compose.note(&treatment));
            let definition = define(Ingredients {
                project,
                service,
                image,
                paths: &paths,
                treatment: &treatment,
                releases: &releases,
                key: &key,
            })?;
            let id = definition.release_id(&key)?;
            releases.insert(&service.name, id.clone());
            let payload = definition.payload(&id)?;
            prepared.services.push(parts(&treatment, definition.release(id.clone())));
            prepared.payloads.insert(id, payload);
        }
        prepared.notes.extend(orphans(&containers, project));
        prepared.notes.extend(project.warnings.iter().map(ToString::to_string));
        Ok(prepared)
    }

    /// Finds what is wrong with the input before anything is done.
    fn check(&self, project: &Project) -> Result<(), PrepareError> {
        let (major, minor) = self.connection.api;
        if let Some(TooOld { at, needed, docker }) = api::dropped(project, (major, minor)) {
            let found = format!("{major}.{minor}");
            return Err(PrepareError::EngineTooOld { at: at.into(), docker, needed, found });
        }
        if project.services.values().any(|service| service.build.is_some()) {
            Builder::choose(self.connection.docker_buildkit.as_deref(), &self.connection.platform)?;
        }
        Ok(check_grants(project)?)
    }

    async fn key(&self) -> Result<[u8; 32], PrepareError> {
        let key = self.agent().await?.key().await.map_err(agent_error)?;
        Ok(*key.expose())
    }
}
