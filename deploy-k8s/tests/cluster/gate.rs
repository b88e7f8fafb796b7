//! An API server's address of a test's own: what is asked there is passed on to the real one, until the test says otherwise.

use crate::ground::until;
use http_body_util::BodyExt;
use hyper::{Method, Request, Response, body::Incoming, header, service::service_fn};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinHandle},
};

/// What becomes of a write, by its number from 1. Renewals of a lease aren't counted: when they come is chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has its effect, and from then on nothing is passed on or answered: as if who asks were killed just then.
    LastOne(u64),
    /// It has its effect, and its answer is lost.
    AnswerLost(u64),
    /// It is late: it waits here for [`Gate::let_go`].
    Late(u64),
    /// It has its effect, and its answer waits here.
    AnswerLate(u64),
}

pub(crate) struct Gate {
    kubeconfig: PathBuf,
    _folder: tempfile::TempDir,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    upstream: kube::Client,
    /// One write after the other, so that their numbers say in which order they have their effects.
    turn: tokio::sync::Mutex<()>,
    is_open: AtomicBool,
    rules: Mutex<Rules>,
    state: watch::Sender<State>,
    connections: Mutex<Vec<AbortHandle>>,
}

#[derive(Default)]
struct Rules {
    fate: Option<Fate>,
    writes: Vec<String>,
    /// How a late write was answered.
    late: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Passing,
    /// The write that something was to become of is there.
    Reached,
    LetGo,
}

impl Gate {
    pub(crate) async fn new() -> Self {
        let mut config = kube::Config::infer().await.unwrap();
        config.read_timeout = None;
        let shared = Arc::new(Shared {
            upstream: kube::Client::try_from(config).unwrap(),
            turn: tokio::sync::Mutex::default(),
            is_open: AtomicBool::new(true),
            rules: Mutex::default(),
            state: watch::Sender::new(State::Passing),
            connections: Mutex::default(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let server = format!("http://{}", listener.local_addr().unwrap());
        std::fs::write(&kubeconfig, kubeconfig_of(&server)).unwrap();
        let task = tokio::spawn(Arc::clone(&shared).serve(listener));
        Self { kubeconfig, _folder: folder, shared, task }
    }

    /// The configuration by which the API server is asked through here.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Begins to count anew, and passes everything on but for this.
    pub(crate) fn begin(&self, fate: Option<Fate>) {
        self.cut();
        *locked(&self.shared.rules) = Rules { fate, ..Rules::default() };
        self.shared.state.send_replace(State::Passing);
    }

    /// Waits until the write is there that something is to become of.
    pub(crate) async fn reached(&self) {
        let _ = self.shared.state.subscribe().wait_for(|state| *state != State::Passing).await;
    }

    /// Has the late write done, or answered.
    pub(crate) fn let_go(&self) {
        self.shared.state.send_replace(State::LetGo);
    }

    /// The status that the late write was answered with.
    pub(crate) async fn late(&self) -> u16 {
        let late = || locked(&self.shared.rules).late;
        until("a late answer", || async { late().is_some() }).await;
        late().unwrap_or_default()
    }

    /// The writes so far.
    pub(crate) fn writes(&self) -> Vec<String> {
        locked(&self.shared.rules).writes.clone()
    }

    /// Cuts all connections, watches too.
    pub(crate) fn cut(&self) {
        locked(&self.shared.connections).drain(..).for_each(|connection| connection.abort());
    }

    /// From now on nobody gets a connection, or everybody does again.
    pub(crate) fn open(&self, is_open: bool) {
        self.shared.is_open.store(is_open, Ordering::Relaxed);
        self.cut();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            if self.is_open.load(Ordering::Relaxed) {
                let connection = tokio::spawn(Arc::clone(&self).connection(stream)).abort_handle();
                locked(&self.connections).push(connection);
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        // a request that was cut off has its effect all the same
        let pass = service_fn(|request| {
            let passed = tokio::spawn(Arc::clone(&self).pass(request));
            async move { passed.await.map_err(io::Error::other)? }
        });
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), pass).await;
    }

    async fn pass(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH] {
            parts.headers.remove(name);
        }
        let is_write = parts.method != Method::GET && !parts.uri.query().unwrap_or_default().contains("dryRun");
        let is_renewal = body.windows(15).any(|part| part == b"/spec/renewTime");
        let name = format!("{} {}", parts.method, object(parts.uri.path()));
        let request = Request::from_parts(parts, Body::from(body.to_vec()));
        if !is_write || is_renewal {
            self.still_passes().await?;
            return self.forward(request).await;
        }
        let _turn = self.turn.lock().await;
        self.still_passes().await?;
        let (number, fate) = {
            let mut rules = locked(&self.rules);
            rules.writes.push(name);
            (rules.writes.len() as u64, rules.fate)
        };
        if fate == Some(Fate::Late(number)) {
            self.state.send_replace(State::Reached);
            let _ = self.state.subscribe().wait_for(|state| *state == State::LetGo).await;
        }
        let answer = self.forward(request).await;
        if fate == Some(Fate::Late(number)) {
            locked(&self.rules).late = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        }
        if fate == Some(Fate::AnswerLate(number)) {
            self.state.send_replace(State::Reached);
            let _ = self.state.subscribe().wait_for(|state| *state == State::LetGo).await;
        }
        if fate == Some(Fate::LastOne(number)) {
            self.state.send_replace(State::Reached);
            self.still_passes().await?;
        }
        if fate == Some(Fate::AnswerLost(number)) {
            return Err(io::Error::other("lost"));
        }
        answer
    }

    /// Once the last one was passed on, nobody hears anything any more.
    async fn still_passes(&self) -> io::Result<()> {
        let is_last = matches!(locked(&self.rules).fate, Some(Fate::LastOne(_)));
        if is_last && *self.state.borrow() == State::Reached {
            let _ = self.state.subscribe().wait_for(|state| *state == State::Passing).await;
            return Err(io::Error::other("killed"));
        }
        Ok(())
    }

    async fn forward(&self, request: Request<Body>) -> io::Result<Response<Body>> {
        let mut answer = self.upstream.send(request).await.map_err(io::Error::other)?;
        for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
            answer.headers_mut().remove(name);
        }
        Ok(answer)
    }
}

/// Which object a path is about: `deployments/web`.
fn object(path: &str) -> String {
    let mut words = path.rsplit('/');
    let (last, before) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // one that is made is named in the body
    if path.contains(&format!("/namespaces/{before}/")) { format!("{last}/") } else { format!("{before}/{last}") }
}

fn kubeconfig_of(server: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Config
clusters: [{{ name: gate, cluster: {{ server: '{server}' }} }}]
users: [{{ name: gate, user: {{}} }}]
contexts: [{{ name: gate, context: {{ cluster: gate, user: gate }} }}]
current-context: gate
"
    )
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
