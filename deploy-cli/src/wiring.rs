//! The one place that names backends.

use crate::{CommandError, Place, Teardown, args::Globals};
use async_trait::async_trait;
use deploy_compose::{Loader, model::Project};
use deploy_core::{journal::Journal, model::Fence, target::TargetError};
use deploy_docker::{ConnectOptions, DockerHost, DockerProject, OpenOptions};
use deploy_local::Local;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How long child processes may take to end, all together.
const DOWN_BY: Duration = Duration::from_secs(60);

/// The Compose project that the command line means.
///
/// # Errors
/// Every problem that the files have, each with its place.
pub fn compose(globals: &Globals) -> Result<Project, CommandError> {
    let mut loader = Loader::new(folder(globals).map_err(CommandError::Folder)?)
        .files(&globals.files)
        .env(std::env::vars())
        .env_files(&globals.env_files)
        .profiles(&globals.profiles);
    if let Some(name) = &globals.project_name {
        loader = loader.name(name);
    }
    Ok(loader.load()?)
}

/// The project's folder: as it is named, that of the first file, or the nearest one upwards with a Compose file.
fn folder(globals: &Globals) -> io::Result<PathBuf> {
    let here = std::env::current_dir()?;
    let named = globals.project_directory.clone();
    let of_file = || globals.files.first().and_then(|file| here.join(file).parent().map(Path::to_owned));
    let nearest = || deploy_compose::project_directory(&here).map(Path::to_owned);
    Ok(named.or_else(of_file).or_else(nearest).unwrap_or(here))
}

/// The Engine that the command line and the environment mean, once it has answered.
///
/// # Errors
/// Where none answers.
pub async fn engine(globals: &Globals) -> Result<DockerHost, CommandError> {
    let options = ConnectOptions { context: globals.context.clone(), ..ConnectOptions::from_env() };
    Ok(DockerHost::connect(&options).await?)
}

/// The project of that name on the Engine.
///
/// # Errors
/// Where no Engine answers.
pub async fn project(globals: &Globals, name: &str) -> Result<DockerProject, CommandError> {
    Ok(engine(globals).await?.open(name, open_options(globals)))
}

fn open_options(globals: &Globals) -> OpenOptions {
    OpenOptions { proxy_image: globals.proxy_image.clone() }
}

/// A project by its name, or that of its file, and the Engine's address.
async fn named(globals: &Globals) -> Result<(String, DockerProject, String), CommandError> {
    let name = match &globals.project_name {
        Some(name) => name.clone(),
        None => compose(globals)?.name,
    };
    let engine = engine(globals).await?;
    let project = engine.open(&name, open_options(globals));
    Ok((name, project, engine.address().to_owned()))
}

/// The project that is meant, for what needs no Compose file: by its name alone, or else by that of the file.
///
/// # Errors
/// Where there is neither, no Engine answers, or nothing of the project is there: nothing is made just to look.
pub async fn place(globals: &Globals) -> Result<Place, CommandError> {
    let (name, project, address) = named(globals).await?;
    match project.is_there().await? {
        true => docker(&name, project).await,
        false => Err(CommandError::NotDeployed { project: name, address }),
    }
}

/// As [`place`], also where nothing but data of the project is there, and what there is of that. None where that is to stay.
///
/// # Errors
/// Where there is neither name nor file, no Engine answers, or no agent can be started.
pub async fn place_to_take_down(
    globals: &Globals,
    volumes: bool,
) -> Result<(String, Option<Place>, Vec<String>), CommandError> {
    let (name, project, _) = named(globals).await?;
    let data = project.data_volumes().await?;
    let place = match project.is_there().await? || volumes && !data.is_empty() {
        true => Some(docker(&name, project).await?),
        false => None,
    };
    Ok((name, place, data))
}

/// A project on an Engine, with its agent.
///
/// # Errors
/// Where no agent can be started.
pub async fn docker(name: &str, project: DockerProject) -> Result<Place, CommandError> {
    Ok(Place {
        project: name.into(),
        target: project.target(),
        router: project.router(),
        lease: project.lease().await?,
        journal: journal(project.journal().await?),
        teardown: Arc::new(DockerTeardown(project)),
    })
}

fn journal(journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
    #[cfg(feature = "testing")]
    let journal = crate::testing::journal(journal);
    journal
}

struct DockerTeardown(DockerProject);

#[async_trait]
impl Teardown for DockerTeardown {
    async fn down(&self, fence: Fence, volumes: bool) -> Result<Vec<String>, TargetError> {
        self.0.down(fence, volumes).await
    }
}

/// Services as child processes.
pub fn local(project: &str, local: Arc<Local>) -> Place {
    Place {
        project: project.into(),
        target: local.target(),
        router: local.router(),
        lease: local.lease(),
        journal: journal(local.journal()),
        teardown: Arc::new(LocalTeardown(local)),
    }
}

/// Owns what must live as long as the place does.
struct LocalTeardown(Arc<Local>);

#[async_trait]
impl Teardown for LocalTeardown {
    async fn down(&self, fence: Fence, _volumes: bool) -> Result<Vec<String>, TargetError> {
        self.0.down(fence, DOWN_BY).await.map(|()| Vec::new())
    }
}
