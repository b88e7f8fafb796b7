use bollard::{
    Docker, auth::DockerCredentials, body_try_stream, errors::Error, models::BuildInfo,
    query_parameters::BuildImageOptions,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::{collections::HashMap, io};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many answers wait to be read.
const ANSWERS: usize = 64;

/// Builds with BuildKit, on a runtime and with a client of its own: `connect` makes it. When the stream is dropped, both
/// end, and with them the build.
///
/// A session is a second connection, by which the builder asks who we are at a registry. The client serves it in a task
/// that nobody can end, for as long as the Engine or the runtime lives.
pub(super) fn build_apart(
    connect: impl FnOnce() -> Result<Docker, Error> + Send + 'static,
    options: BuildImageOptions,
    credentials: HashMap<String, DockerCredentials>,
    archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = Result<BuildInfo, Error>> {
    let (sender, receiver) = mpsc::channel(ANSWERS);
    let end = CancellationToken::new();
    let guard = end.clone().drop_guard();
    tokio::task::spawn_blocking(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(sender.blocking_send(Err(error.into()))),
        };
        runtime.block_on(async {
            tokio::select! {
                () = end.cancelled() => {}
                () = forward(connect, options, credentials, archive, &sender) => {}
            }
        });
        runtime.shutdown_background();
    });
    stream::unfold((receiver, guard), |(mut receiver, guard)| async move {
        Some((receiver.recv().await?, (receiver, guard)))
    })
}

async fn forward(
    connect: impl FnOnce() -> Result<Docker, Error>,
    options: BuildImageOptions,
    credentials: HashMap<String, DockerCredentials>,
    archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    to: &mpsc::Sender<Result<BuildInfo, Error>>,
) {
    let docker = match connect() {
        Ok(docker) => docker,
        Err(error) => return drop(to.send(Err(error)).await),
    };
    let mut answers = std::pin::pin!(docker.build_image(options, Some(credentials), Some(body_try_stream(archive))));
    while let Some(answer) = answers.next().await {
        if to.send(answer).await.is_err() {
            return;
        }
    }
}
