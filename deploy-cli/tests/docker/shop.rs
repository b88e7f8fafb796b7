use assert_cmd::Command;
use deploy_cli::demo::load::{self, LoadConfig, Report};
use deploy_docker::{ConnectOptions, DockerHost};
use std::{ffi::OsString, fs, net::TcpListener, path::Path, time::Duration};
use tempfile::TempDir;

pub(crate) const EXECUTABLE: &str = env!("CARGO_BIN_EXE_deploy");

/// A Compose project in a folder, with images named after it; nothing is left of it at the end.
pub(crate) struct Shop {
    pub(crate) host: DockerHost,
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
    /// What the command finds in its environment besides.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Shop {
    /// None, with a message, where no Engine answers.
    pub(crate) async fn open(name: &str) -> Option<Self> {
        let host = match DockerHost::connect(&ConnectOptions::from_env()).await {
            Ok(host) => host,
            Err(error) => {
                let may_skip = std::env::var("DEPLOY_TEST_ENGINE").as_deref() != Ok("required");
                assert!(may_skip, "{error}");
                eprintln!("skipped, because no Docker Engine answers: {error}");
                return None;
            }
        };
        let name = format!("cli-{name}-{}", std::process::id());
        let image = host.program_image(Path::new(EXECUTABLE)).await.unwrap();
        for tag in ["v1", "v2", "v3"] {
            host.name_image(&image, &name, tag).await.unwrap();
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Some(Self { host, name, port, folder: tempfile::tempdir().unwrap(), environment: Vec::new() })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Writes the Compose file of a version.
    pub(crate) fn version(&self, version: &str, fault: &str) {
        let Self { name, port, .. } = self;
        let text = format!(
            "name: {name}
services:
  web:
    image: {name}:{version}
    pull_policy: never
    entrypoint: [/deploy, demo-app]
    environment: {{ APP_VERSION: {version}, APP_FAIL: '{fault}' }}
    ports: ['127.0.0.1:{port}:8080']
    stop_grace_period: 2s
    healthcheck: {{ test: [CMD, /deploy, demo-app, --healthcheck], interval: 5s }}
    deploy: {{ replicas: 2 }}
"
        );
        fs::write(self.folder.path().join("compose.yaml"), text).unwrap();
    }

    /// The exit status, and what was written to both outputs.
    async fn deploy(&self, folder: &Path, args: &[&str]) -> (i32, String) {
        let mut command = Command::new(EXECUTABLE);
        command.current_dir(folder).args(args).env("NO_COLOR", "1").envs(self.environment.iter().cloned());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), said)
    }

    /// In the project's folder.
    pub(crate) async fn here(&self, args: &[&str]) -> (i32, String) {
        self.deploy(self.folder.path(), args).await
    }

    /// In another folder, by the project's name.
    pub(crate) async fn elsewhere(&self, args: &[&str]) -> (i32, String) {
        let elsewhere = tempfile::tempdir().unwrap();
        self.deploy(elsewhere.path(), &[&["-p", &self.name], args].concat()).await
    }

    /// What one request is answered by.
    pub(crate) async fn answer(&self) -> Report {
        let mut config = LoadConfig::new([self.url()], 1);
        config.duration = Some(Duration::from_millis(1));
        load::start(config).unwrap().report().await.unwrap()
    }

    pub(crate) async fn serves(&self, version: &str) {
        let report = self.answer().await;
        assert_eq!(report.by_version.get(version), Some(&1), "{report}");
    }

    pub(crate) async fn clear(self) {
        let (status, said) = self.elsewhere(&["down", "--volumes"]).await;
        for tag in ["v1", "v2", "v3"] {
            self.host.remove_image(&format!("{}:{tag}", self.name)).await.unwrap();
        }
        assert_eq!(status, 0, "{said}");
    }
}

/// Every step's outcome is told by its exit status; the text is in the failure's message.
pub(crate) fn expect(status: i32, (found, said): (i32, String)) -> String {
    assert_eq!(found, status, "{said}");
    said
}
