//! Images that are built from the project's own folder, by both builders.

use crate::{
    ground::{Ground, free_port, get},
    registry::Registry,
};
use bollard::query_parameters::{ListImagesOptions, RemoveImageOptions};
use deploy_core::{engine::Finish, model::End, strategy::Rolling};
use deploy_docker::{ConnectOptions, DockerHost, PrepareError, Progress};
use std::{collections::HashMap, fs, path::PathBuf, sync::Mutex, time::Duration};

/// A project whose service `web` is built from the folder `app`.
struct Built {
    ground: Ground,
    app: PathBuf,
}

/// What `DOCKER_BUILDKIT` says.
const CLASSIC: Option<&str> = Some("0");
const BUILDKIT: Option<&str> = None;

impl Built {
    async fn new(builder: Option<&str>) -> Option<Self> {
        let options = ConnectOptions { docker_buildkit: builder.map(str::to_owned), ..ConnectOptions::from_env() };
        Self::connected(options).await
    }

    async fn connected(options: ConnectOptions) -> Option<Self> {
        let mut ground = Ground::new().await?;
        ground.host = DockerHost::connect(&options).await.unwrap();
        let app = ground.folder.path().join("app");
        fs::create_dir(&app).unwrap();
        Some(Self { ground, app })
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.app.join(name), text.replace("IMAGE", &self.ground.image)).unwrap();
    }

    fn image(&self) -> String {
        format!("{}-web", self.ground.name)
    }

    async fn id(&self) -> String {
        self.ground.docker.inspect_image(&self.image()).await.unwrap().id.unwrap()
    }

    /// Prepares the project with these fields under `build`; the builder's lines, too.
    async fn prepare(&self, build: &str) -> (Result<(), PrepareError>, Vec<String>) {
        let text = format!("services:\n  web:\n    build:\n      context: app\n{build}    command: [/deploy, serve]\n");
        let lines = Mutex::new(Vec::new());
        let tell = |progress| {
            if let Progress::Building { line, .. } = progress {
                lines.lock().unwrap().push(line);
            }
        };
        let project = self.ground.open();
        let prepared = project.prepare(&self.ground.load(&text), &tell).await.map(|_| ());
        (prepared, lines.into_inner().unwrap())
    }

    /// Removes images without a name that have this in their environment: the classic builder leaves each step's.
    async fn forget(&self, variable: &str) {
        let filters = HashMap::from([("dangling".to_owned(), vec!["true".to_owned()])]);
        let options = ListImagesOptions { filters: Some(filters), ..Default::default() };
        let docker = &self.ground.docker;
        for one in docker.list_images(Some(options)).await.unwrap() {
            // somebody else's may go in between
            let Ok(found) = docker.inspect_image(&one.id).await else { continue };
            let variables = found.config.and_then(|config| config.env).unwrap_or_default();
            if variables.iter().any(|one| one == variable) {
                // the step's container may be going still
                for _ in 0..200 {
                    if docker.remove_image(&one.id, None::<RemoveImageOptions>, None).await.is_ok() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn clear(self, images: &[&str]) {
        self.ground.clear().await;
        for image in images.iter().copied().chain([self.image().as_str()]) {
            let _ = self.ground.docker.remove_image(image, None::<RemoveImageOptions>, None).await;
        }
    }
}

fn web(port: u16) -> String {
    format!(
        "services:\n  web:\n    build: {{ context: app, args: {{ GREETING: hello }} }}\n    command: [/deploy, serve]\n    ports: ['127.0.0.1:{port}:8080']\n"
    )
}

async fn another_release_only_if_a_source_changed(builder: Option<&str>) {
    let Some(built) = Built::new(builder).await else { return };
    let (ground, port) = (&built.ground, free_port());
    built.write("Dockerfile", "FROM IMAGE\nARG GREETING\nENV FILE=/all/page VERSION=$GREETING\nCOPY . /all\n");
    built.write(".dockerignore", "ignored");
    built.write("page", "first");
    let report = ground.deploy(&web(port), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("first"));
    let first = built.id().await;
    built.write("ignored", "whatever");
    // neither a new time nor a second's pause makes another image
    tokio::time::sleep(Duration::from_millis(1100)).await;
    built.write("page", "first");
    assert_eq!(ground.deploy(&web(port), &Rolling).await.finish, Finish::Unchanged);
    assert_eq!(built.id().await, first);
    built.write("page", "second");
    let report = ground.deploy(&web(port), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("second"));
    assert_ne!(built.id().await, first);
    built.clear(&[&first]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_is_another_release_and_an_unchanged_one_is_not() {
    another_release_only_if_a_source_changed(BUILDKIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_is_another_release_with_the_classic_builder() {
    another_release_only_if_a_source_changed(CLASSIC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_buildkit_is_built_with_it() {
    let Some(built) = Built::new(BUILDKIT).await else { return };
    let (ground, port) = (&built.ground, free_port());
    built.write(
        "Dockerfile",
        "FROM IMAGE\nARG TARGETARCH\nENV FILE=/page ARCH=$TARGETARCH\nRUN --mount=type=bind,source=page,target=/in/page --mount=type=cache,target=/cache [\"/deploy\", \"copy\", \"/in/page\", \"/page\"]\n",
    );
    built.write("page", "mounted");
    let report = ground.deploy(&web(port), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("mounted"));
    let found = ground.docker.inspect_image(&built.image()).await.unwrap();
    let arch = format!("ARCH={}", found.architecture.unwrap());
    assert!(found.config.unwrap().env.unwrap().contains(&arch), "{arch}");
    assert_eq!(ground.deploy(&web(port), &Rolling).await.finish, Finish::Unchanged);
    built.clear(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_buildkit_is_refused_by_the_classic_builder_with_what_to_do() {
    let Some(built) = Built::new(CLASSIC).await else { return };
    built.write("Dockerfile", "FROM IMAGE\nRUN --mount=type=cache,target=/cache [\"/deploy\"]\n");
    let error = built.prepare("").await.0.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("; the classic builder doesn't know everything that BuildKit does: unset DOCKER_BUILDKIT"),
        "{error}"
    );
    built.clear(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_names_the_step_and_ends_with_its_last_lines() {
    for (builder, told) in [(BUILDKIT, "[2/2] RUN"), (CLASSIC, "Step 2/2 : RUN")] {
        let Some(built) = Built::new(builder).await else { return };
        built.write("Dockerfile", "FROM IMAGE\nRUN [\"/deploy\", \"copy\", \"/nowhere\", \"/page\"]\n");
        let (prepared, lines) = built.prepare("").await;
        let error = prepared.unwrap_err();
        assert!(error.to_string().contains("/deploy copy /nowhere /page"), "{error}");
        let PrepareError::Build { lines: last, .. } = error else { panic!("{error}") };
        for lines in [&last, &lines] {
            assert!(lines.iter().any(|line| line.starts_with(told)), "{lines:?}");
            assert!(lines.iter().any(|line| line.contains("expected to copy /nowhere")), "{lines:?}");
        }
        built.clear(&[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syntax_image_out_of_reach_is_told_with_its_line() {
    let Some(built) = Built::new(BUILDKIT).await else { return };
    // nobody listens at port 1
    built.write("Dockerfile", "# syntax=127.0.0.1:1/docker/dockerfile:1\nFROM IMAGE\n");
    let error = built.prepare("").await.0.unwrap_err().to_string();
    let advice = format!(
        "; line 1 of {}/Dockerfile has it read by the image 127.0.0.1:1/docker/dockerfile:1",
        built.app.display()
    );
    assert!(error.contains("connection refused") && error.contains(&advice), "{error}");
    built.clear(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_chooses_no_builder_is_refused() {
    let Some(built) = Built::new(Some("perhaps")).await else { return };
    built.write("Dockerfile", "FROM IMAGE\n");
    assert!(matches!(built.prepare("").await.0, Err(PrepareError::NoBuilder { found }) if found == "perhaps"));
    built.clear(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_share_an_image_have_it_built_once() {
    let Some(built) = Built::new(CLASSIC).await else { return };
    let (ground, image) = (&built.ground, format!("{}-web", built.ground.name));
    built.write("Dockerfile", "FROM IMAGE\nCOPY . /all\n");
    let service = |name| format!("  {name}:\n    image: {image}\n    build: app\n    command: [/deploy, serve]\n");
    let text = format!("services:\n{}{}", service("one"), service("two"));
    let begun = std::sync::atomic::AtomicU32::new(0);
    let tell = |progress| {
        if matches!(progress, Progress::Building { line, .. } if line.starts_with("Step 1/2")) {
            begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let prepared = ground.open().prepare(&ground.load(&text), &tell).await.unwrap();
    assert_eq!((prepared.services.len(), begun.into_inner()), (2, 1));
    let artifacts: Vec<_> = prepared.services.iter().map(|service| service.release.artifact.clone()).collect();
    assert_eq!(artifacts[0], artifacts[1]);
    built.clear(&[]).await;
}

/// A server of this host, from now until the runtime ends.
async fn serve() -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
        }
    });
    port
}

/// One field each that the Engine's call has a parameter for.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_says_of_a_build_reaches_the_builder() {
    for builder in [BUILDKIT, CLASSIC] {
        let Some(built) = Built::new(builder).await else { return };
        let (port, ground) = (serve().await, &built.ground);
        let (name, tag) = (&ground.name, format!("{}-web:extra", ground.name));
        let build = format!(
            "      dockerfile_inline: |\n        FROM {} AS base\n        RUN [\"/deploy\", \"get\", \"one.{name}\", \"{port}\"]\n        RUN [\"/deploy\", \"get\", \"two.{name}\", \"{port}\"]\n        FROM base AS last\n        RUN [\"/deploy\", \"no\"]\n      target: base\n      labels: {{ 'from.file': 'yes' }}\n      network: host\n      extra_hosts: ['one.{name}:127.0.0.1', 'two.{name}=127.0.0.1']\n      shm_size: 32m\n      tags: ['{tag}']\n      no_cache: true\n      cache_from: [nobody.has/this]\n",
            ground.image
        );
        let (prepared, lines) = built.prepare(&build).await;
        prepared.unwrap();
        assert_eq!(lines.iter().filter(|line| line.trim() == "hi").count(), 2, "{lines:?}");
        let id = built.id().await;
        let found = ground.docker.inspect_image(&tag).await.unwrap();
        assert_eq!(found.id.as_ref(), Some(&id));
        assert_eq!(found.config.unwrap().labels.unwrap()["from.file"], "yes");
        // without the cache the same steps run again
        let (_, lines) = built.prepare(&build).await;
        assert!(lines.iter().any(|line| line.trim() == "hi"), "{lines:?}");
        built.clear(&[&tag, &id]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_given_up_ends_on_the_engine_too() {
    for builder in [BUILDKIT, CLASSIC] {
        let Some(built) = Built::new(builder).await else { return };
        let port = free_port();
        // nobody else's cache knows this port
        built.write("Dockerfile", &format!("FROM IMAGE\nENV PORT={port} VERSION=step\nRUN [\"/deploy\", \"serve\"]\n"));
        let connect = || tokio::net::TcpStream::connect(("127.0.0.1", port));
        let serves = async {
            while connect().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            prepared = built.prepare("      network: host\n") => panic!("{prepared:?}"),
            () = serves => {}
        }
        let ends = async {
            while connect().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ends).await.expect("the step to end with its build");
        built.forget(&format!("PORT={port}")).await;
        built.clear(&[]).await;
    }
}

/// Sockets that this process has open.
fn sockets() -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let aims = descriptors.filter_map(|one| fs::read_link(one.path()).ok());
    aims.filter(|to| to.to_string_lossy().starts_with("socket:")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_leaves_no_connection_behind() {
    let Some(built) = Built::new(BUILDKIT).await else { return };
    built.write("Dockerfile", "FROM IMAGE\nCOPY . /all\n");
    let _open = built.ground.open();
    let mut found = Vec::new();
    for _ in 0..4 {
        built.prepare("").await.0.unwrap();
        // what was closed a moment ago may still be counted
        tokio::time::sleep(Duration::from_millis(300)).await;
        found.push(sockets());
    }
    assert_eq!(found[0], found[3], "{found:?}");
    built.clear(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_image_is_pulled_as_who_we_are() {
    for builder in [BUILDKIT, CLASSIC] {
        let registry = Registry::start("ann", "secret").await;
        let folder = tempfile::tempdir().unwrap();
        let options = |folder: &tempfile::TempDir| ConnectOptions {
            docker_buildkit: builder.map(str::to_owned),
            config_folder: Some(folder.path().to_owned()),
            ..ConnectOptions::from_env()
        };
        let Some(mut built) = Built::connected(options(&folder)).await else { return };
        let base = registry.image(&built.ground.name);
        built.write("Dockerfile", &format!("FROM {base}\nCOPY . /all\n"));
        let error = built.prepare("").await.0.unwrap_err().to_string();
        assert!(error.ends_with("log in at its registry with `docker login`"), "{error}");
        fs::write(folder.path().join("config.json"), registry.config()).unwrap();
        built.ground.host = DockerHost::connect(&options(&folder)).await.unwrap();
        built.prepare("").await.0.unwrap();
        let layers = built.ground.docker.inspect_image(&built.image()).await.unwrap().root_fs.unwrap().layers.unwrap();
        assert_eq!(layers[0], registry.layer());
        built.clear(&[&base]).await;
    }
}
