use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use std::{collections::HashMap, path::Path, process::Stdio};
use tokio::{io::AsyncWriteExt, process::Command};

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

/// Who we are at a registry, as `docker login` left it; nobody where it left nothing, or nothing that can be read: the
/// registry then says whether it wants to know.
pub(super) async fn credentials(config_folder: Option<&Path>, registry: &str) -> Option<DockerCredentials> {
    let text = tokio::fs::read(config_folder?.join("config.json")).await.ok()?;
    let config: Config = serde_json::from_slice(&text).ok()?;
    let helper = config.cred_helpers.get(registry).or(config.creds_store.as_ref());
    match helper {
        Some(helper) => from_helper(helper, registry).await,
        None => from_file(config.auths.get(registry)?, registry),
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
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    stdin.write_all(registry.as_bytes()).await.ok()?;
    drop(stdin);
    let output = child.wait_with_output().await.ok().filter(|output| output.status.success())?;
    let found: FromHelper = serde_json::from_slice(&output.stdout).ok()?;
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
}
