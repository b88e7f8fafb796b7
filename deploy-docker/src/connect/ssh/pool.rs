use super::{CONNECTED_BY, Destination, SshError, stream::Stream};
use bollard::{BollardRequest, errors::Error};
use bytes::Bytes;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::{
    Response, Uri,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    header::{HOST, HeaderValue},
    http::uri::PathAndQuery,
};
use hyper_util::rt::TokioIo;
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedMutexGuard},
    time::{Instant, sleep, timeout},
};

/// How long a request waits for a connection to become free before there is a further login: most answers come sooner.
const PATIENCE: Duration = Duration::from_millis(30);

/// How long a connection may have been free to be used again: longer ones may have been forgotten on their way.
const FRESH: Duration = Duration::from_secs(60);

type Sender = SendRequest<UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// The connections to one Engine, which are used again because each costs a login.
///
/// `hyper-util`'s client would log in for each request that finds none free.
pub(super) struct Pool {
    destination: Destination,
    /// And since when.
    free: Mutex<Vec<(Sender, Instant)>>,
    freed: Notify,
    /// One at a time: meanwhile a connection may become free, and sshd turns some away of many (`MaxStartups`).
    login: Arc<tokio::sync::Mutex<()>>,
}

impl Pool {
    pub(super) fn new(destination: Destination) -> Self {
        Self { destination, free: Mutex::default(), freed: Notify::new(), login: Arc::default() }
    }

    pub(super) async fn answer(self: Arc<Self>, request: BollardRequest) -> Result<Response<Incoming>, Error> {
        let mut request = request.map(BodyExt::boxed_unsync);
        let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from(path);
        request.headers_mut().insert(HOST, HeaderValue::from_static("docker"));
        loop {
            let mut sender = self.connection().await.map_err(io::Error::from)?;
            match sender.try_send_request(request).await {
                Ok(answer) => {
                    tokio::spawn(async move { self.keep(sender).await });
                    return Ok(answer);
                }
                Err(mut failed) => match failed.take_message() {
                    // its connection ended before it was sent
                    Some(unsent) => request = unsent,
                    None => return Err(engine_error(failed.into_error())),
                },
            }
        }
    }

    /// One that is free, or else a new one, whichever is there first. The other one is there for the next request.
    async fn connection(self: &Arc<Self>) -> Result<Sender, SshError> {
        loop {
            if let Some(free) = self.take() {
                return Ok(free);
            }
            let login = async {
                sleep(PATIENCE).await;
                let turn = Arc::clone(&self.login).lock_owned().await;
                let pool = Arc::clone(self);
                tokio::spawn(async move { pool.log_in(turn).await }).await.unwrap_or(Ok(()))
            };
            tokio::select! {
                biased;
                () = self.freed.notified() => {}
                done = login => done?,
            }
        }
    }

    fn take(&self) -> Option<Sender> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.retain(|(sender, since)| sender.is_ready() && since.elapsed() < FRESH);
        free.pop().map(|(sender, _)| sender)
    }

    async fn log_in(&self, _turn: OwnedMutexGuard<()>) -> Result<(), SshError> {
        let mut stream = Stream::start(&self.destination)?;
        let silent = |_| SshError::Silent { host: self.destination.host.clone(), seconds: CONNECTED_BY.as_secs() };
        timeout(CONNECTED_BY, stream.greet(&self.destination)).await.map_err(silent)??;
        let failed = |error| SshError::Process(Arc::new(io::Error::other(error)));
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
        tokio::spawn(connection.with_upgrades());
        self.keep(sender).await;
        Ok(())
    }

    /// Once its answer was read to the end. One that became something else, or ended, is not kept.
    async fn keep(&self, mut sender: Sender) {
        if sender.ready().await.is_ok() {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push((sender, Instant::now()));
            self.freed.notify_one();
        }
    }
}

/// Ours, without what lies between, or what it was.
fn engine_error(error: hyper::Error) -> Error {
    let found = SshError::in_chain(&error).cloned();
    found.map_or_else(|| Error::from(error), |found| Error::from(io::Error::from(found)))
}
