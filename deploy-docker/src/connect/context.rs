use super::{ConnectError, ConnectOptions};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Where an Engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `unix:///var/run/docker.sock`, `ssh://user@host`, `tcp://host:port`.
    pub(super) url: String,
    /// The folder of `ca.pem`, `cert.pem` and `key.pem`, where TLS is spoken.
    pub(super) tls: Option<PathBuf>,
    /// Who named it, for people.
    pub(super) source: String,
}

impl Endpoint {
    pub(super) fn is_ssh(&self) -> bool {
        self.url.starts_with("ssh://")
    }
}

const DEFAULT_URL: &str = "unix:///var/run/docker.sock";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    #[serde(default)]
    endpoints: BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetaEndpoint {
    host: Option<String>,
}

/// An address wins over a context, the caller's own over the environment's, and that over `docker context use`.
pub(super) fn endpoint(options: &ConnectOptions) -> Result<Endpoint, ConnectError> {
    if let Some(host) = &options.host {
        return Ok(at_host(options, host, "the address given"));
    }
    if let Some(context) = &options.context {
        return at_context(options, context, "the context given");
    }
    if let Some(host) = &options.docker_host {
        return Ok(at_host(options, host, "DOCKER_HOST"));
    }
    if let Some(context) = &options.docker_context {
        return at_context(options, context, "DOCKER_CONTEXT");
    }
    match current_context(options)? {
        Some(context) => at_context(options, &context, "`docker context use`"),
        None => Ok(at_host(options, DEFAULT_URL, "the default")),
    }
}

fn at_host(options: &ConnectOptions, host: &str, source: &str) -> Endpoint {
    let url = if host.contains("://") { host.to_owned() } else { format!("tcp://{host}") };
    let certificates = || options.cert_folder.clone().or_else(|| options.config_folder.clone());
    let tls = (options.tls && !url.starts_with("unix://")).then(certificates).flatten();
    Endpoint { url, tls, source: source.to_owned() }
}

fn current_context(options: &ConnectOptions) -> Result<Option<String>, ConnectError> {
    let Some(folder) = &options.config_folder else { return Ok(None) };
    let path = folder.join("config.json");
    match fs::read(&path) {
        Ok(bytes) => {
            let config: Config = parse(&path, &bytes)?;
            Ok(config.current_context.filter(|name| !name.is_empty()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConnectError::ConfigUnreadable { path, source }),
    }
}

fn at_context(options: &ConnectOptions, name: &str, source: &str) -> Result<Endpoint, ConnectError> {
    if name == "default" {
        return Ok(at_host(options, options.docker_host.as_deref().unwrap_or(DEFAULT_URL), source));
    }
    let missing = || ConnectError::NoContext { context: name.to_owned(), named_by: source.to_owned() };
    let folder = options.config_folder.as_ref().ok_or_else(missing)?.join("contexts");
    let id: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join("meta").join(&id).join("meta.json");
    let bytes = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => missing(),
        _ => ConnectError::ConfigUnreadable { path: path.clone(), source: error },
    })?;
    let mut meta: Meta = parse(&path, &bytes)?;
    let url = meta.endpoints.remove("docker").and_then(|endpoint| endpoint.host).ok_or_else(missing)?;
    let certificates = folder.join("tls").join(&id).join("docker");
    let tls = certificates.join("cert.pem").exists().then_some(certificates);
    Ok(Endpoint { url, tls, source: format!("context {name}, {source}") })
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, bytes: &[u8]) -> Result<T, ConnectError> {
    serde_json::from_slice(bytes).map_err(|source| ConnectError::ConfigInvalid { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A config folder with one context, `far`, that is the current one.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), r#"{"auths":{},"currentContext":"far"}"#).unwrap();
        // the folder's name as `docker context create far` makes it
        let id = "512eea46ceb3921dff4363c7069d89d4964d1d9fccaa0f411851a7aa60a5c868";
        let meta = folder.path().join("contexts/meta").join(id);
        fs::create_dir_all(&meta).unwrap();
        let text =
            r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://far:2376","SkipTLSVerify":false}}}"#;
        fs::write(meta.join("meta.json"), text).unwrap();
        let tls = folder.path().join("contexts/tls").join(id).join("docker");
        fs::create_dir_all(&tls).unwrap();
        fs::write(tls.join("cert.pem"), "").unwrap();
        folder
    }

    fn options(folder: &Path) -> ConnectOptions {
        ConnectOptions { config_folder: Some(folder.to_owned()), ..ConnectOptions::default() }
    }

    #[test]
    fn the_order_is_that_of_the_docker_command() {
        let folder = folder();
        let mut options = options(folder.path());
        assert_eq!(endpoint(&options).unwrap().url, "tcp://far:2376");
        options.docker_context = Some("default".into());
        assert_eq!(endpoint(&options).unwrap().url, DEFAULT_URL);
        options.docker_host = Some("unix:///run/one.sock".into());
        assert_eq!(endpoint(&options).unwrap().url, "unix:///run/one.sock");
        options.context = Some("far".into());
        assert_eq!(endpoint(&options).unwrap().url, "tcp://far:2376");
        options.host = Some("near:2375".into());
        assert_eq!(endpoint(&options).unwrap().url, "tcp://near:2375");
    }

    #[test]
    fn a_context_brings_its_certificates() {
        let folder = folder();
        let tls = endpoint(&options(folder.path())).unwrap().tls.unwrap();
        assert!(tls.join("cert.pem").exists());
    }

    #[test]
    fn tls_is_spoken_where_the_environment_says_so_and_never_on_a_unix_socket() {
        let mut options = options(Path::new("/config"));
        options.tls = true;
        assert_eq!(at_host(&options, "tcp://far:2376", "test").tls, Some("/config".into()));
        options.cert_folder = Some("/certificates".into());
        assert_eq!(at_host(&options, "tcp://far:2376", "test").tls, Some("/certificates".into()));
        assert_eq!(at_host(&options, DEFAULT_URL, "test").tls, None);
    }

    #[test]
    fn an_unknown_context_is_named_with_its_source() {
        let folder = folder();
        let options = ConnectOptions { docker_context: Some("nowhere".into()), ..options(folder.path()) };
        insta::assert_snapshot!(endpoint(&options).unwrap_err(), @"expected the Docker context nowhere, named by DOCKER_CONTEXT, but found none of that name; `docker context ls` lists them");
    }

    #[test]
    fn without_any_configuration_the_default_socket_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(endpoint(&options(folder.path())).unwrap().url, DEFAULT_URL);
    }
}
