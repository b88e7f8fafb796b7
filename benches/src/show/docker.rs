//! A project on an Engine, seen from outside.

use super::{Instance, ShowError, engine::Engine, engine::encoded, recipe::Recipe};
use http_body_util::{BodyExt, Empty};
use hyper::{Method, Request, body::Bytes, client::conn::http1::handshake, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::Path,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, task::JoinSet, time::sleep};

/// The port that the application listens on.
const APP_PORT: u16 = 8080;

/// A Compose project on an Engine, seen from outside.
#[derive(Clone, Debug)]
pub struct Docker {
    engine: Engine,
    project: String,
}

impl Docker {
    /// Makes the project's image out of the static executable `deploy`.
    ///
    /// # Errors
    /// Where the Engine doesn't take it.
    pub async fn new(project: &str, deploy: &Path) -> Result<Self, ShowError> {
        let docker = Self { engine: Engine::from_env()?, project: project.into() };
        let archive = archive(deploy).map_err(ShowError::io(format!("read {}", deploy.display())))?;
        let changes = encoded("ENTRYPOINT [\"/deploy\"]");
        let path = format!("/images/create?fromSrc=-&repo={project}&tag=base&changes={changes}");
        docker.engine.post_tar(&path, archive).await?;
        Ok(docker)
    }

    /// Gives the image this tag too.
    ///
    /// # Errors
    /// Where the Engine refuses.
    pub async fn tag(&self, version: &str) -> Result<(), ShowError> {
        let project = &self.project;
        self.engine.call(Method::POST, &format!("/images/{project}:base/tag?repo={project}&tag={version}")).await?;
        Ok(())
    }

    /// Every container whose name or label says that it belongs to the project, with its application's version as its
    /// environment tells it.
    ///
    /// # Errors
    /// Where the Engine can't be asked.
    pub async fn instances(&self) -> Result<Vec<Instance>, ShowError> {
        let all = self.engine.call(Method::GET, "/containers/json?all=true").await?;
        let mut instances = Vec::new();
        for found in all.as_array().into_iter().flatten().filter(|found| self.is_ours(found)) {
            let Some(id) = found["Id"].as_str() else { continue };
            match self.engine.call(Method::GET, &format!("/containers/{id}/json")).await {
                Ok(container) => instances.push(instance(id, &container)),
                // it was removed meanwhile
                Err(ShowError::Engine { status: 404, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        instances.sort();
        Ok(instances)
    }

    /// The versions of the application that run now. `known` remembers what was asked already.
    ///
    /// # Errors
    /// Where the Engine can't be asked.
    pub async fn running_versions(
        &self,
        known: &mut HashMap<String, Option<String>>,
    ) -> Result<BTreeSet<String>, ShowError> {
        let all = self.engine.call(Method::GET, "/containers/json").await?;
        let mut versions = BTreeSet::new();
        for found in all.as_array().into_iter().flatten().filter(|found| self.is_ours(found)) {
            let Some(id) = found["Id"].as_str() else { continue };
            if !known.contains_key(id) {
                let container = self.engine.call(Method::GET, &format!("/containers/{id}/json")).await;
                known.insert(id.into(), container.ok().and_then(|container| instance(id, &container).version));
            }
            versions.extend(known.get(id).cloned().flatten());
        }
        Ok(versions)
    }

    /// Whether an object of the Engine bears the project's name, or a label does.
    fn is_ours(&self, found: &Value) -> bool {
        let begins = |name: &Value| {
            let rest = name.as_str().and_then(|name| name.trim_start_matches('/').strip_prefix(&self.project));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        };
        let mut names = found["Names"].as_array().into_iter().flatten().chain([&found["Name"]]);
        let mut labels = found["Labels"].as_object().into_iter().flatten();
        names.any(begins) || labels.any(|(_, value)| value == self.project.as_str())
    }

    /// Names of what is left of the project: containers, networks, volumes.
    ///
    /// # Errors
    /// Where the Engine can't be asked.
    pub async fn leftovers(&self) -> Result<Vec<String>, ShowError> {
        let containers = self.instances().await?.into_iter().map(|container| container.name);
        let others = self.paths().await?.into_iter().map(|(path, _)| path);
        Ok(containers.chain(others).collect())
    }

    /// The project's networks, each with its id, and its volumes. (A volume has but its name: the time that an older Engine
    /// says it was made at is that of the last change in it.)
    ///
    /// # Errors
    /// Where the Engine can't be asked.
    pub async fn objects(&self) -> Result<BTreeSet<String>, ShowError> {
        let networks = self.engine.call(Method::GET, "/networks").await?;
        let volumes = self.engine.call(Method::GET, "/volumes").await?;
        let ours = |list: &Value| -> Vec<Value> {
            list.as_array().into_iter().flatten().filter(|found| self.is_ours(found)).cloned().collect()
        };
        let text = |found: &Value, field: &str| found[field].as_str().unwrap_or_default().to_owned();
        let networks = ours(&networks).into_iter();
        let networks = networks.map(|one| format!("network {} ({:.12})", text(&one, "Name"), text(&one, "Id")));
        let volumes = ours(&volumes["Volumes"]).into_iter().map(|one| format!("volume {}", text(&one, "Name")));
        Ok(networks.chain(volumes).collect())
    }

    async fn paths(&self) -> Result<Vec<(String, &'static str)>, ShowError> {
        let networks = self.engine.call(Method::GET, "/networks").await?;
        let volumes = self.engine.call(Method::GET, "/volumes").await?;
        let mut paths = Vec::new();
        for (list, kind, query) in [(&networks, "networks", ""), (&volumes["Volumes"], "volumes", "?force=true")] {
            let ours = list.as_array().into_iter().flatten().filter(|found| self.is_ours(found));
            paths.extend(ours.filter_map(|found| Some((format!("/{kind}/{}", found["Name"].as_str()?), query))));
        }
        Ok(paths)
    }

    /// Removes whatever is left of the project, and its images.
    ///
    /// # Errors
    /// The first thing that couldn't be removed.
    pub async fn clear(&self) -> Result<(), ShowError> {
        for container in self.instances().await? {
            self.remove(&format!("/containers/{}?force=true&v=true", container.id)).await?;
        }
        for (path, query) in self.paths().await? {
            match self.remove(&format!("{path}{query}")).await {
                // once in some hundreds of deployments Engine 20.10 takes a network for used that isn't
                Err(ShowError::Engine { status: 403, .. }) => {}
                removed => removed?,
            }
        }
        Ok(())
    }

    /// Removes the project's images.
    ///
    /// # Errors
    /// The first one that couldn't be removed.
    pub async fn clear_images(&self) -> Result<(), ShowError> {
        let images = self.engine.call(Method::GET, "/images/json").await?;
        let tags = images.as_array().into_iter().flatten().flat_map(|image| image["RepoTags"].as_array()).flatten();
        let ours = tags.filter_map(Value::as_str).filter(|tag| tag.starts_with(&format!("{}:", self.project)));
        for tag in ours {
            self.remove(&format!("/images/{tag}")).await?;
        }
        Ok(())
    }

    async fn remove(&self, path: &str) -> Result<(), ShowError> {
        match self.engine.call(Method::DELETE, path).await {
            Ok(_) | Err(ShowError::Engine { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Starts a container in the project's network, with these words for the `deploy` executable.
    ///
    /// # Errors
    /// Where the Engine refuses.
    pub async fn start(&self, name: &str, words: &[&str], environment: &[(&str, String)]) -> Result<String, ShowError> {
        let environment: Vec<_> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let body = json!({
            "Image": format!("{}:base", self.project),
            "Cmd": words,
            "Env": environment,
            "HostConfig": { "NetworkMode": format!("{}_default", self.project) },
        });
        let container = self.engine.post(&format!("/containers/create?name={name}"), &body).await?;
        let id = container["Id"].as_str().unwrap_or(name).to_owned();
        self.engine.call(Method::POST, &format!("/containers/{id}/start")).await?;
        Ok(id)
    }

    /// Sends SIGTERM to a container, waits for its end, and removes it. What it wrote to its standard output.
    ///
    /// # Errors
    /// Where the Engine refuses.
    pub async fn end(&self, id: &str) -> Result<String, ShowError> {
        self.engine.call(Method::POST, &format!("/containers/{id}/kill?signal=SIGTERM")).await?;
        self.engine.call(Method::POST, &format!("/containers/{id}/wait")).await?;
        let said = self.engine.stdout(id).await?;
        self.remove(&format!("/containers/{id}?force=true")).await?;
        Ok(said)
    }

    /// What the Engine itself needs for `count` starts side by side until each has answered a request.
    ///
    /// # Errors
    /// Where the Engine refuses, or there is no answer within 30 s.
    pub async fn bare_starts(&self, count: u32, recipe: &Recipe) -> Result<Duration, ShowError> {
        let began = Instant::now();
        let mut starts = JoinSet::new();
        for number in 0..count {
            let (docker, environment) = (self.clone(), recipe.environment());
            starts.spawn(async move {
                let name = format!("{}-bare-{number}", docker.project);
                let id = docker.start(&name, &["demo-app"], &environment).await?;
                let container = docker.engine.call(Method::GET, &format!("/containers/{id}/json")).await?;
                let network = &container["NetworkSettings"]["Networks"][format!("{}_default", docker.project)];
                let address = network["IPAddress"].as_str().unwrap_or_default().to_owned();
                first_answer(&format!("{address}:{APP_PORT}")).await?;
                Ok::<_, ShowError>((id, began.elapsed()))
            });
        }
        let mut last = Duration::ZERO;
        let mut started = Vec::new();
        for start in starts.join_all().await {
            let (id, took) = start?;
            last = last.max(took);
            started.push(id);
        }
        for id in started {
            self.remove(&format!("/containers/{id}?force=true")).await?;
        }
        Ok(last)
    }
}

fn archive(deploy: &Path) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(fs::metadata(deploy)?.len());
    header.set_mode(0o755);
    archive.append_data(&mut header, "deploy", fs::File::open(deploy)?)?;
    archive.into_inner()
}

fn instance(id: &str, container: &Value) -> Instance {
    let variables = container["Config"]["Env"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut versions = variables.filter_map(|variable| variable.strip_prefix("APP_VERSION="));
    // what stands for a kept one runs nothing, and has no environment
    let version = versions.next().or_else(|| container["Config"]["Labels"]["deploy.version"].as_str());
    let name = container["Name"].as_str().unwrap_or(id).trim_start_matches('/').to_owned();
    let state = container["State"]["Status"].as_str();
    let runs = matches!(state, Some("running" | "paused" | "restarting"));
    let kept = !runs && name.ends_with("-kept");
    Instance { id: id.into(), name, version: version.map(Into::into), runs, kept }
}

/// Asks until there is an answer, every 2 ms.
///
/// # Errors
/// Where there is none within 30 s.
pub async fn first_answer(address: &str) -> Result<(), ShowError> {
    let limit = Duration::from_secs(30);
    let began = Instant::now();
    while began.elapsed() < limit {
        if ask(address).await.is_ok_and(|status| status == 200) {
            return Ok(());
        }
        sleep(Duration::from_millis(2)).await;
    }
    let what = format!("get an answer from {address}");
    Err(ShowError::Late { what, seconds: limit.as_secs(), output: String::new() })
}

async fn ask(address: &str) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/").header(header::HOST, address).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    Ok(status)
}
