use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::auth::DockerCredentials;
use futures_util::future::join_all;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// The part of the `docker` command's configuration that says who we are at registries.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: HashMap<String, Auth>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// What a credential helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FromHelper {
    username: String,
    secret: String,
}

/// How long a credential helper may take: it may ask a person.
const HELPER: Duration = Duration::from_secs(60);

/// Who we are at a registry, as `docker login` left it; nobody where it left nothing, or nothing that can be read: the
/// registry then says whether it wants to know.
pub(super) async fn credentials(config_folder: Option<&Path>, registry: &str) -> Option<DockerCredentials> {
    config(config_folder).await?.at(registry).await
}

/// Who we are at every registry that we are known at, under the names that `docker login` gave them.
pub(super) async fn all_credentials(config_folder: Option<&Path>) -> HashMap<String, DockerCredentials> {
    let config = config(config_folder).await.unwrap_or_default();
    let mut registries: BTreeSet<String> = config.auths.keys().chain(config.cred_helpers.keys()).cloned().collect();
    if let Some(store) = &config.creds_store {
        registries.extend(ask::<HashMap<String, String>>(store, "list", "").await.unwrap_or_default().into_keys());
    }
    let found = registries.into_iter().map(|registry| {
        let config = &config;
        async move { Some((registry.clone(), config.at(&registry).await?)) }
    });
    join_all(found).await.into_iter().flatten().collect()
}

/// The same under the registries' host names, as BuildKit asks for them.
pub(super) fn by_host(credentials: HashMap<String, DockerCredentials>) -> HashMap<String, DockerCredentials> {
    let host = |registry: &str| {
        let address = registry.split_once("://").map_or(registry, |(_, address)| address);
        match address.split('/').next().unwrap_or_default() {
            "index.docker.io" | "docker.io" => "registry-1.docker.io".to_owned(),
            host => host.to_owned(),
        }
    };
    credentials.into_iter().map(|(registry, credentials)| (host(&registry), credentials)).collect()
}

async fn config(folder: Option<&Path>) -> Option<Config> {
    let text = tokio::fs::read(folder?.join("config.json")).await.ok()?;
    serde_json::from_slice(&text).ok()
}

impl Config {
    async fn at(&self, registry: &str) -> Option<DockerCredentials> {
        match self.cred_helpers.get(registry).or(self.creds_store.as_ref()) {
            Some(helper) => from_helper(helper, registry).await,
            None => from_file(self.auths.get(registry)?, registry),
        }
    }
}

fn from_file(auth: &Auth, registry: &str) -> Option<DockerCredentials> {
    let text = String::from_utf8(STANDARD.decode(auth.auth.as_deref()?).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    let identitytoken = auth.identitytoken.clone().filter(|token| !token.is_empty());
    Some(DockerCredentials {
        username: Some(username.to_owned()),
        password: Some(password.to_owned()).filter(|_| identitytoken.is_none()),
        serveraddress: Some(registry.to_owned()),
        identitytoken,
        ..DockerCredentials::default()
    })
}

async fn from_helper(helper: &str, registry: &str) -> Option<DockerCredentials> {
    let found: FromHelper = ask(helper, "get", registry).await?;
    let serveraddress = Some(registry.to_owned());
    // the name by which helpers say that the secret is a token
    Some(match found.username.as_str() {
        "<token>" => DockerCredentials { identitytoken: Some(found.secret), serveraddress, ..Default::default() },
        _ => DockerCredentials {
            username: Some(found.username),
            password: Some(found.secret),
            serveraddress,
            ..Default::default()
        },
    })
}

/// What a helper answers; nothing where it has no answer, or isn't there.
async fn ask<T: DeserializeOwned>(helper: &str, what: &str, about: &str) -> Option<T> {
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let answer = async {
        stdin.write_all(about.as_bytes()).await.ok()?;
        drop(stdin);
        child.wait_with_output().await.ok().filter(|output| output.status.success())
    };
    serde_json::from_slice(&timeout(HELPER, answer).await.ok()??.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(config: &str, registry: &str) -> Option<DockerCredentials> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        credentials(Some(folder.path()), registry).await
    }

    #[tokio::test]
    async fn a_login_is_found_under_its_registry() {
        let config = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{}"}}}}}}"#, STANDARD.encode("ann:pass:word"));
        let ann = found(&config, "ghcr.io").await.unwrap();
        assert_eq!((ann.username.as_deref(), ann.password.as_deref()), (Some("ann"), Some("pass:word")));
        assert_eq!(ann.serveraddress.as_deref(), Some("ghcr.io"));
        assert_eq!(found(&config, "quay.io").await, None);
    }

    #[tokio::test]
    async fn an_identity_token_takes_the_passwords_place() {
        let auth = STANDARD.encode("ann:");
        let config = format!(r#"{{"auths":{{"r.io":{{"auth":"{auth}","identitytoken":"t"}}}}}}"#);
        let ann = found(&config, "r.io").await.unwrap();
        assert_eq!((ann.password, ann.identitytoken.as_deref()), (None, Some("t")));
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_leaves_us_nobody() {
        assert_eq!(found(r#"{"credHelpers":{"r.io":"no-such-helper-of-ours"}}"#, "r.io").await, None);
        assert_eq!(found("no json", "r.io").await, None);
    }

    #[tokio::test]
    async fn all_logins_are_found_and_buildkit_asks_by_host() {
        let folder = tempfile::tempdir().unwrap();
        let auth = STANDARD.encode("ann:secret");
        let config = format!(
            r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{auth}"}},"https://r.io/v2/":{{"auth":"{auth}"}},
                "ghcr.io":{{"auth":"{auth}"}},"empty.io":{{}}}},"credHelpers":{{"h.io":"no-such-helper-of-ours"}}}}"#
        );
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let all = all_credentials(Some(folder.path())).await;
        let names = |of: &HashMap<String, DockerCredentials>| {
            let mut names: Vec<_> = of.keys().cloned().collect();
            names.sort();
            names
        };
        assert_eq!(names(&all), ["ghcr.io", "https://index.docker.io/v1/", "https://r.io/v2/"]);
        assert_eq!(names(&by_host(all)), ["ghcr.io", "r.io", "registry-1.docker.io"]);
        assert!(all_credentials(None).await.is_empty());
    }
}
