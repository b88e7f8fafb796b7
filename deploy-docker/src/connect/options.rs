use std::{env, path::PathBuf};

/// What decides which Engine is spoken to.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// An address, `unix:///var/run/docker.sock`, `ssh://user@host` or `tcp://host:port`: wins over everything else.
    pub host: Option<String>,
    /// A context by name: wins over all but `host`.
    pub context: Option<String>,
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`, or `.docker` in the home folder: where the contexts and the registries' credentials lie.
    pub config_folder: Option<PathBuf>,
    /// `DOCKER_CERT_PATH`: the folder of `ca.pem`, `cert.pem` and `key.pem`; the config folder where it is absent.
    pub cert_folder: Option<PathBuf>,
    /// Whether `DOCKER_TLS_VERIFY` is set: a `tcp://` address is then spoken to over TLS.
    pub tls: bool,
    /// `DOCKER_BUILDKIT`: `0` builds images with the classic builder, `1` with BuildKit; the Engine decides where it is
    /// absent.
    pub docker_buildkit: Option<String>,
}

impl ConnectOptions {
    /// What the environment says, as the `docker` command reads it.
    pub fn from_env() -> Self {
        let text = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let home = || env::home_dir().map(|home| home.join(".docker"));
        Self {
            host: None,
            context: None,
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            config_folder: text("DOCKER_CONFIG").map(PathBuf::from).or_else(home),
            cert_folder: text("DOCKER_CERT_PATH").map(PathBuf::from),
            tls: text("DOCKER_TLS_VERIFY").is_some(),
            docker_buildkit: text("DOCKER_BUILDKIT"),
        }
    }
}
