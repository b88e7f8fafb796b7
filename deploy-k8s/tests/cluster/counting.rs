//! A proxy between a deployer and the API server that notes what is asked.

use deploy_k8s::ClusterOptions;
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

/// Passes requests on to the API server, and notes each. Nothing of them is changed, and a watch is passed on as it comes.
pub(crate) struct Counting {
    folder: TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: JoinHandle<()>,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    method: String,
    /// The path from the kind on, without the namespace.
    pub(crate) what: String,
    pub(crate) namespace: Option<String>,
    query: String,
    is_renewal: bool,
}

/// What was asked, in order; shown by kind.
#[derive(Clone, Debug)]
pub(crate) struct Count(Vec<Asked>);

impl Counting {
    pub(crate) async fn new() -> Self {
        let mut config = kube::Config::infer().await.unwrap();
        // a watch is silent for as long as nothing happens; and what is tried again is counted
        (config.read_timeout, config.default_retry) = (None, false);
        let client = kube::Client::try_from(config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config"), kubeconfig(listener.local_addr().unwrap().port())).unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let server = tokio::spawn(serve(listener, client, Arc::clone(&asked)));
        Self { folder, asked, server }
    }

    /// How a deployer finds the API server behind it.
    pub(crate) fn options(&self) -> ClusterOptions {
        ClusterOptions { kubeconfig: Some(self.folder.path().join("config")), ..ClusterOptions::default() }
    }

    /// What was asked since this was called last.
    pub(crate) fn take(&self) -> Count {
        Count(std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Count {
    /// How many there are but for renewals of the lease: how many of those there are is a matter of time.
    pub(crate) fn but_renewals(&self) -> usize {
        self.all().count()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Asked> {
        self.0.iter().filter(|asked| !asked.is_renewal)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} requests, and {} renewals", self.but_renewals(), self.0.len() - self.but_renewals())?;
        let mut kinds = BTreeMap::<_, usize>::new();
        for asked in self.all() {
            *kinds.entry(asked.to_string()).or_default() += 1;
        }
        kinds.iter().try_for_each(|(kind, count)| writeln!(f, "{count:>4} {kind}"))
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.method.as_str() {
            "GET" if self.query.contains("watch=true") => "watch",
            method => method,
        };
        write!(f, "{verb} {}", self.what)?;
        let said = self.query.split('&').filter_map(|part| part.split_once('='));
        said.filter(|(name, _)| matches!(*name, "labelSelector" | "fieldSelector" | "dryRun"))
            .try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

async fn serve(listener: TcpListener, client: kube::Client, asked: Arc<Mutex<Vec<Asked>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (client, asked) = (client.clone(), Arc::clone(&asked));
        let pass = service_fn(move |request| pass(request, client.clone(), Arc::clone(&asked)));
        // a connection may break off whenever it likes
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), pass));
    }
}

async fn pass(
    request: Request<Incoming>,
    client: kube::Client,
    asked: Arc<Mutex<Vec<Asked>>>,
) -> Result<Response<Body>, kube::Error> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(kube::Error::HyperError)?.to_bytes();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked::of(&parts, &body));
    parts.headers.remove("host");
    client.send(Request::from_parts(parts, Body::from(body))).await
}

impl Asked {
    fn of(request: &hyper::http::request::Parts, body: &[u8]) -> Self {
        let path = request.uri.path();
        let (namespace, what) = match path.split_once("/namespaces/").map(|(_, rest)| rest.split_once('/')) {
            Some(Some((namespace, what))) => (Some(namespace.to_owned()), what),
            _ => (None, path),
        };
        let is_of_time = |op: &serde_json::Value| op["path"] == "/spec/renewTime";
        let ops = serde_json::from_slice::<Vec<serde_json::Value>>(body).unwrap_or_default();
        Self {
            method: request.method.to_string(),
            what: what.to_owned(),
            namespace,
            query: request.uri.query().unwrap_or_default().to_owned(),
            is_renewal: what == "leases/deploy" && ops.iter().any(is_of_time),
        }
    }
}

fn kubeconfig(port: u16) -> String {
    let name = "counted";
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": name, "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "users": [{ "name": name, "user": {} }],
        "current-context": name,
    })
    .to_string()
}
