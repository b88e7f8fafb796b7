use crate::stand_in;
use assert_cmd::Command;
use deploy_compose::{Loader, model::Service};
use deploy_docker::{ConnectOptions, DockerHost};
use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const EXECUTABLE: &str = env!("CARGO_BIN_EXE_deploy");

/// How long a server may take to answer.
const ANSWER_BY: Duration = Duration::from_secs(10);

/// What lies over a published file in the tests.
const OVERRIDE: &str = "stand-ins.yaml";

/// A published Compose file in a folder of its own, with stand-ins for its images; nothing is left of it at the end.
pub(crate) struct Published {
    host: DockerHost,
    /// As long as any other test's, so that lines break at the same places.
    pub(crate) name: String,
    pub(crate) folder: TempDir,
    base: String,
    images: Vec<String>,
    /// Lines of the file that lies over the published one.
    over: String,
    other: Option<Other>,
    is_cleared: bool,
}

impl Published {
    /// None, with a message, where no Engine answers.
    pub(crate) async fn open(fixture: &str) -> Option<Self> {
        let host = match DockerHost::connect(&ConnectOptions::from_env()).await {
            Ok(host) => host,
            Err(error) => {
                eprintln!("skipped, because no Docker Engine answers: {error}");
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy-compose/tests/fixtures").join(fixture);
        copy(&published, folder.path()).unwrap();
        let name = format!("{fixture}-{:07}", std::process::id());
        let image = host.program_image(&stand_in_executable()).await.unwrap();
        host.name_image(&image, &name, "stand-in").await.unwrap();
        let base = format!("{name}:stand-in");
        Some(Self { host, name, folder, base, images: Vec::new(), over: String::new(), other: None, is_cleared: false })
    }

    /// Changes the published file's text, or that of another file in its folder.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} in {file}:\n{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Lays a text over the published file, such as ports that are free on this host.
    pub(crate) fn lay_over(&mut self, text: &str) {
        self.over.push_str(&format!("---\n{text}\n"));
    }

    /// Changes what was laid over.
    pub(crate) fn relay(&mut self, from: &str, to: &str) {
        self.over = self.over.replace(from, to);
    }

    /// What a path of a server on this host answers, within the time that one may take to begin.
    pub(crate) async fn get(&self, port: u16, path: &str) -> String {
        let exchange = async {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.map(|_| answer)
        };
        let answer = timeout(ANSWER_BY, exchange).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        body.to_owned()
    }

    /// A network that another project has made, as long as this one is there.
    pub(crate) async fn network_of_another(&mut self) -> String {
        let other = Other { name: format!("{}-edge", self.name), folder: tempfile::tempdir().unwrap() };
        let network = format!("{}-net", self.name);
        let text = format!(
            "services: {{ edge: {{ image: '{}', pull_policy: never, entrypoint: [/deploy], networks: [edge] }} }}\nnetworks: {{ edge: {{ name: {network} }} }}\n",
            self.base
        );
        fs::write(other.folder.path().join("compose.yaml"), text).unwrap();
        run(other.folder.path(), &["-p", &other.name, "up"]).await.expect(0);
        self.other = Some(other);
        network
    }

    /// Runs the executable, as its user would in the project's folder.
    pub(crate) async fn deploy(&mut self, args: &[&str]) -> Said {
        let [published, over] = self.files();
        let files = ["-p", &self.name, "-f", published.to_str().unwrap(), "-f", over.to_str().unwrap()];
        run(self.folder.path(), &[&files, args].concat()).await
    }

    /// The published file, and over it one that names a stand-in for each image and says how that is built.
    fn files(&mut self) -> [PathBuf; 2] {
        let published = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
        let published = published.iter().map(|name| self.folder.path().join(name)).find(|path| path.exists()).unwrap();
        // the process's variables are no part of what is published
        let project = Loader::new(self.folder.path()).files([&published]).name("fixture").load().unwrap();
        let mut text = "services:\n".to_owned();
        for service in project.services.values() {
            let image = image_of(service, &self.name);
            let stand_in = format!("{}/{image}", self.name);
            let dockerfile = stand_in::dockerfile(&image, &self.base).replace('\n', "\n        ");
            let build = format!("build: !override\n      dockerfile_inline: |\n        {dockerfile}");
            writeln!(text, "  {}:\n    image: {stand_in}\n    {build}", service.name).unwrap();
            if !self.images.contains(&stand_in) {
                self.images.push(stand_in);
            }
        }
        let over = self.folder.path().join(OVERRIDE);
        fs::write(&over, text + &self.over).unwrap();
        [published, over]
    }

    /// Takes the project and its images away.
    pub(crate) async fn clear(mut self) {
        self.take_away().await.expect(0);
    }

    async fn take_away(&mut self) -> Said {
        self.is_cleared = true;
        let down = self.deploy(&["down", "--volumes"]).await;
        for image in self.images.iter().chain([&self.base]) {
            self.host.remove_image(image).await.unwrap();
        }
        if let Some(other) = &self.other {
            run(other.folder.path(), &["-p", &other.name, "down", "--volumes"]).await.expect(0);
        }
        down
    }
}

/// A test that failed leaves nothing either.
impl Drop for Published {
    fn drop(&mut self) {
        if !self.is_cleared {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            std::thread::scope(|scope| scope.spawn(|| runtime.block_on(self.take_away())).join().map(drop).unwrap());
        }
    }
}

/// Another project on the same Engine.
struct Other {
    name: String,
    folder: TempDir,
}

async fn run(folder: &Path, args: &[&str]) -> Said {
    let mut command = Command::new(EXECUTABLE);
    command.current_dir(folder).env("NO_COLOR", "1").args(args);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Said {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A port of this host that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What the executable said.
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// What it wrote, where it ended like this.
    pub(crate) fn expect(self, status: i32) -> String {
        assert_eq!(self.status, status, "{}{}", self.out, self.err);
        self.out
    }
}

/// What the stand-in is called after: what is only built is named after its folder, as in the file's own project.
fn image_of(service: &Service, project: &str) -> String {
    match service.image.strip_prefix("fixture-") {
        Some(_) => format!("{}-{}", project.rsplit_once('-').unwrap().0, service.name),
        None => service.image.clone(),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?.path();
        let to = to.join(entry.file_name().unwrap_or_default());
        match entry.is_dir() {
            true => copy(&entry, &to)?,
            false => fs::copy(&entry, &to).map(drop)?,
        }
    }
    Ok(())
}

fn stand_in_executable() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples").join("stand_in")
}
