use super::archive::Context;
use crate::{
    connect::Connection,
    error::message,
    prepare::{PrepareError, Progress},
};
use bollard::{body_try_stream, query_parameters::BuildImageOptions};
use deploy_compose::model::{Build, BuildContext};
use futures_util::{Stream, StreamExt, stream};
use std::{collections::VecDeque, io};

/// How many of the builder's last lines explain a failure.
const LINES: usize = 20;

/// Builds an image under its name, with the Engine's classic builder.
pub(crate) async fn build(
    connection: &Connection,
    image: &str,
    build: &Build,
    platform: Option<&str>,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), PrepareError> {
    let args = build.args.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let mut options = BuildImageOptions {
        dockerfile: build.dockerfile.clone().unwrap_or_else(|| "Dockerfile".to_owned()),
        t: Some(image.to_owned()),
        buildargs: Some(args.collect()),
        target: build.target.clone().unwrap_or_default(),
        platform: platform.unwrap_or_default().to_owned(),
        rm: true,
        forcerm: true,
        ..BuildImageOptions::default()
    };
    match &build.context {
        BuildContext::Url(url) => {
            options.remote = Some(url.clone());
            run(connection, image, options, stream::empty(), tell).await
        }
        BuildContext::Folder(folder) => {
            let failed =
                |path: std::path::PathBuf, source| PrepareError::Context { image: image.to_owned(), path, source };
            let (at, dockerfile) = (folder.clone(), build.dockerfile.clone());
            let opened = tokio::task::spawn_blocking(move || Context::open(&at, dockerfile.as_deref())).await;
            let opened = opened.map_err(|error| failed(folder.clone(), io::Error::other(error)))?;
            let context = opened.map_err(|(path, source)| failed(path, source))?;
            options.dockerfile = context.dockerfile();
            let (archive, task) = context.send();
            let built = run(connection, image, options, archive, tell).await;
            match (built, task.await) {
                (Ok(()), _) => Ok(()),
                // what went wrong here explains what went wrong there
                (Err(_), Ok(Err(source))) if source.kind() != io::ErrorKind::BrokenPipe => {
                    Err(failed(folder.clone(), source))
                }
                (Err(error), _) => Err(error),
            }
        }
    }
}

async fn run(
    connection: &Connection,
    image: &str,
    options: BuildImageOptions,
    archive: impl Stream<Item = io::Result<bytes::Bytes>> + Send + 'static,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), PrepareError> {
    let mut said = VecDeque::new();
    let mut answers = connection.docker.build_image(options, None, Some(body_try_stream(archive)));
    while let Some(answer) = answers.next().await {
        let info = answer.map_err(|error| refused(image, message(&error), &said))?;
        if let Some(detail) = info.error_detail {
            return Err(refused(image, detail.message.unwrap_or_default(), &said));
        }
        for line in info.stream.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()) {
            tell(Progress::Building { image: image.to_owned(), line: line.to_owned() });
            said.push_back(line.to_owned());
            if said.len() > LINES {
                said.pop_front();
            }
        }
    }
    Ok(())
}

fn refused(image: &str, said: String, lines: &VecDeque<String>) -> PrepareError {
    PrepareError::Build { image: image.to_owned(), said, lines: lines.iter().cloned().collect() }
}
