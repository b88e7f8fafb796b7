use crate::api::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::{path::PathBuf, time::Duration};
use tokio::time::timeout;

/// How long a connection to the API server may take to stand.
const CONNECT_BY: Duration = Duration::from_secs(10);
/// How long the API server may take to answer the first time.
const ANSWERS_BY: Duration = Duration::from_secs(5);

/// Which cluster and namespace; what isn't said is as for `kubectl`.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// The configuration file, in place of those that `KUBECONFIG` names and of `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context, in place of the current one.
    pub context: Option<String>,
    /// The namespace, in place of the context's.
    pub namespace: Option<String>,
}

/// A cluster, and the namespace that is meant where none is said.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    address: String,
    namespace: String,
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No configuration that can be used.
    #[error("expected a kubeconfig with a usable context, but found none; set KUBECONFIG, or name a context")]
    Config(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client couldn't be made, for the sake of a certificate or a command for credentials.
    #[error("expected credentials for {address} that can be used, but found others")]
    Client {
        /// The API server.
        address: String,
        /// What is wrong with them.
        #[source]
        source: Box<kube::Error>,
    },
    /// It didn't answer.
    #[error("expected the API server at {address} to answer, but it didn't; look at `kubectl cluster-info`")]
    Silent {
        /// The API server.
        address: String,
        /// What came instead.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Cluster {
    /// Finds the cluster as `kubectl` does, or the one that this program runs in. Sends nothing yet.
    ///
    /// # Errors
    /// [`ConnectError`], before anything was sent.
    pub async fn connect(options: &ClusterOptions) -> Result<Self, ConnectError> {
        let mut config = Self::config(options).await?;
        config.connect_timeout = Some(CONNECT_BY);
        // a watch is silent for as long as nothing happens
        config.read_timeout = None;
        let address = config.cluster_url.to_string();
        let namespace = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = kube::Client::try_from(config)
            .map_err(|source| ConnectError::Client { address: address.clone(), source: Box::new(source) })?;
        Ok(Self { client, address, namespace })
    }

    async fn config(options: &ClusterOptions) -> Result<kube::Config, ConnectError> {
        let chosen = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
        let from = match &options.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        match from {
            Ok(from) => kube::Config::from_custom_kubeconfig(from, &chosen)
                .await
                .map_err(|error| ConnectError::Config(error.into())),
            // as `kubectl` in a pod
            Err(error) if options.kubeconfig.is_none() && options.context.is_none() => {
                kube::Config::incluster().map_err(|_| ConnectError::Config(error.into()))
            }
            Err(error) => Err(ConnectError::Config(error.into())),
        }
    }

    /// Waits until the API server has answered, for a few seconds at most.
    ///
    /// # Errors
    /// [`ConnectError::Silent`] where it doesn't.
    pub async fn answers(&self) -> Result<(), ConnectError> {
        let silent = |source| ConnectError::Silent { address: self.address.clone(), source };
        match timeout(ANSWERS_BY, self.client.apiserver_version()).await {
            // who may not ask for its version was answered too
            Ok(Ok(_) | Err(kube::Error::Api(_))) => Ok(()),
            Ok(Err(error)) => Err(silent(error.into())),
            Err(elapsed) => Err(silent(elapsed.into())),
        }
    }

    /// The API server's address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The namespace that is meant where none is said.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn api(&self, namespace: &str) -> Api {
        Api::new(self.client.clone(), namespace)
    }
}
