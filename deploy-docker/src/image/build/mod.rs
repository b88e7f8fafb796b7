//! Images that are built on the Engine from sources here.

mod advice;
mod apart;
mod options;
mod transcript;

use super::{
    Builder, Recipe,
    archive::{Context, Dockerfile},
    credentials::{all_credentials, by_host},
};
use crate::{
    connect::Connection,
    element::Element,
    error::message,
    prepare::{PrepareError, Progress},
};
use advice::advice;
use apart::build_apart;
use bollard::{
    auth::DockerCredentials, body_try_stream, errors::Error, models::BuildInfo, query_parameters::BuildImageOptions,
    query_parameters::TagImageOptions,
};
use bytes::Bytes;
use deploy_compose::model::{Build, BuildContext};
use futures_util::{Stream, StreamExt, stream};
use options::{options, with_more};
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{task::spawn_blocking, time::timeout};
use transcript::Transcript;

/// How long the Engine may take in a context before it says a first word.
const FIRST_WORD: Duration = Duration::from_secs(60 * 60);
/// After so much silence the Engine is asked whether it is still there: a step may take its time.
const SILENCE: Duration = Duration::from_secs(30);

/// What is to be built.
pub(crate) struct BuildJob<'a> {
    /// Where the file says how.
    pub(crate) at: Element,
    /// The name that the image gets.
    pub(crate) image: &'a str,
    pub(crate) build: &'a Build,
    /// For another platform than the Engine's.
    pub(crate) platform: Option<&'a str>,
    /// Where the registries' credentials lie.
    pub(crate) config_folder: Option<&'a Path>,
}

/// Builds an image under its name, with BuildKit where the Engine has it. The build ends when this is dropped.
pub(crate) async fn build(
    connection: &Connection,
    job: BuildJob<'_>,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), PrepareError> {
    let BuildJob { at, image, build, platform, config_folder } = job;
    let builder = Builder::choose(connection.docker_buildkit.as_deref(), &connection.platform)?;
    let mut options = options(image, build, platform, builder);
    let credentials = all_credentials(config_folder).await;
    let mut run = Run { connection, image, build, builder, recipe: None, credentials, tell };
    match &build.context {
        BuildContext::Url(_) => run.build(options, stream::empty()).await?,
        BuildContext::Folder(folder) => {
            let failed = |path: PathBuf, source| {
                let (at, image) = (at.clone().into(), image.to_owned());
                PrepareError::Context { at, image, path, source }
            };
            let (at, of) = (folder.clone(), build.clone());
            let opened = spawn_blocking(move || {
                let dockerfile = match &of.dockerfile_inline {
                    Some(text) => Dockerfile::Text(text),
                    None => Dockerfile::File(of.dockerfile.as_deref()),
                };
                Context::open(&at, dockerfile, builder)
            });
            let opened = opened.await.map_err(|error| failed(folder.clone(), io::Error::other(error)))?;
            let context = opened.map_err(|(path, source)| failed(path, source))?;
            options.dockerfile = context.dockerfile().to_owned();
            run.recipe = Some(context.recipe());
            let (archive, task) = context.send();
            let built = run.build(options, archive).await;
            match (built, task.await) {
                (Ok(()), _) => {}
                // what went wrong here explains what went wrong there
                (Err(_), Ok(Err(source))) if source.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(failed(folder.clone(), source));
                }
                (Err(error), _) => return Err(error),
            }
        }
    }
    run.tag().await
}

/// One build.
struct Run<'a> {
    connection: &'a Connection,
    image: &'a str,
    build: &'a Build,
    builder: Builder,
    /// The Dockerfile, where it is here.
    recipe: Option<Recipe>,
    credentials: HashMap<String, DockerCredentials>,
    tell: &'a (dyn Fn(Progress) + Send + Sync),
}

impl Run<'_> {
    async fn build(
        &mut self,
        options: BuildImageOptions,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), PrepareError> {
        let credentials = std::mem::take(&mut self.credentials);
        match self.builder {
            Builder::Classic => {
                let docker = self.connection.docker.clone().with_timeout(FIRST_WORD);
                let docker = with_more(docker, self.build);
                self.listen(docker.build_image(options, Some(credentials), Some(body_try_stream(archive)))).await
            }
            Builder::BuildKit => {
                let (connection, build) = (self.connection.clone(), self.build.clone());
                let connect = move || Ok(with_more(connection.another()?.with_timeout(FIRST_WORD), &build));
                self.listen(build_apart(connect, options, by_host(credentials), archive)).await
            }
        }
    }

    /// Listens to the builder until it is done, and tells what it says.
    async fn listen(&self, answers: impl Stream<Item = Result<BuildInfo, Error>>) -> Result<(), PrepareError> {
        let mut said = Transcript::default();
        let mut answers = std::pin::pin!(answers);
        loop {
            match timeout(SILENCE, answers.next()).await {
                Ok(Some(Ok(answer))) => said.take(answer, |line| {
                    (self.tell)(Progress::Building { image: self.image.to_owned(), line: line.to_owned() });
                }),
                Ok(Some(Err(error))) => return Err(self.refused(error, said)),
                Ok(None) => return Ok(()),
                Err(_) => drop(self.connection.docker.ping().await.map_err(|error| self.unanswered(error))?),
            }
        }
    }

    /// Gives the image its further names.
    async fn tag(&self) -> Result<(), PrepareError> {
        for tag in &self.build.tags {
            let name = super::Reference::parse(tag);
            let options = TagImageOptions { repo: Some(name.name.clone()), tag: Some(name.wanted().to_owned()) };
            let tagged = self.connection.docker.tag_image(self.image, Some(options)).await;
            tagged.map_err(|error| self.refused(error, Transcript::default()))?;
        }
        Ok(())
    }

    fn refused(&self, error: Error, said: Transcript) -> PrepareError {
        let answered = matches!(error, Error::DockerStreamError { .. } | Error::DockerResponseServerError { .. });
        if !answered {
            return self.unanswered(error);
        }
        let (image, words) = (self.image.to_owned(), message(&error));
        let advice = advice(&words, self.recipe.as_ref(), self.builder);
        PrepareError::Build { image, said: words, lines: said.into_lines(), advice }
    }

    fn unanswered(&self, source: Error) -> PrepareError {
        PrepareError::Engine { doing: format!("build image {}", self.image), source: Box::new(source) }
    }
}
