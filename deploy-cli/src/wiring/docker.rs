use super::{Down, Wanted, journal};
use crate::{CommandError, Place, SmokeCheck, Teardown, args::Globals, output::Preparing};
use async_trait::async_trait;
use deploy_compose::{Loader, model::Project};
use deploy_core::{model::Fence, target::TargetError};
use deploy_docker::{ConnectOptions, DockerHost, DockerProject, OpenOptions};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The Compose project that the command line means.
///
/// # Errors
/// Every problem that the files have, each with its place.
fn compose(globals: &Globals) -> Result<Project, CommandError> {
    if let Some(path) = globals.files.iter().find(|path| holds_objects(path)) {
        return Err(CommandError::IsForCluster { path: path.clone() });
    }
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

/// Whether a file, or one of a folder, is plainly about Kubernetes: no Compose file begins a line so.
fn holds_objects(path: &Path) -> bool {
    let is_manifest = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let has = |key: &str| text.lines().any(|line| line.starts_with(key));
        has("apiVersion:") && has("kind:") && !has("services:")
    };
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().any(|entry| is_manifest(&entry.path())),
        Err(_) => is_manifest(path),
    }
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
async fn project(globals: &Globals, name: &str) -> Result<DockerProject, CommandError> {
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
pub(super) async fn place(globals: &Globals) -> Result<Place, CommandError> {
    let (name, project, address) = named(globals).await?;
    match project.is_there().await? {
        true => docker(&name, project).await,
        false => Err(CommandError::NotDeployed { project: name, address }),
    }
}

/// As [`place`], also where nothing but data of the project is there, and what there is of that. None where that is to stay.
pub(super) async fn place_to_take_down(globals: &Globals, volumes: bool) -> Result<Down, CommandError> {
    let (name, project, _) = named(globals).await?;
    let data = project.data_volumes().await?;
    let place = match project.is_there().await? || volumes && !data.is_empty() {
        true => Some(docker(&name, project).await?),
        false => None,
    };
    Ok(Down { project: name, place, data })
}

/// The project that a plan was made for, unless another one is named.
pub(super) async fn place_of_plan(globals: &Globals, home: &str) -> Result<Place, CommandError> {
    let name = globals.project_name.as_deref().unwrap_or(home);
    docker(name, project(globals, name).await?).await
}

/// Loads the Compose file, finds the Engine, and pulls and builds what isn't there.
pub(super) async fn prepare(globals: &Globals, smoke: &[SmokeCheck]) -> Result<Wanted, CommandError> {
    let project = compose(globals)?;
    let names = project.services.keys().map(|name| name.as_str());
    smoke.iter().try_for_each(|smoke| smoke.is_of(names.clone()))?;
    let opened = self::project(globals, &project.name).await?;
    let telling = Preparing::new(globals.output);
    let prepared = opened.prepare(&project, &|progress| telling.tell(progress)).await;
    telling.clear();
    let prepared = prepared?;
    let ignored = project.ignored.iter().map(|ignored| format!("Without effect: {ignored}."));
    let notes = prepared.notes.into_iter().chain(ignored).collect();
    let place = docker(&project.name, opened).await?;
    Ok(Wanted { place, services: prepared.services, payloads: prepared.payloads, notes, leftover: None })
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

struct DockerTeardown(DockerProject);

#[async_trait]
impl Teardown for DockerTeardown {
    async fn down(&self, fence: Fence, volumes: bool) -> Result<Vec<String>, TargetError> {
        self.0.down(fence, volumes).await
    }
}
