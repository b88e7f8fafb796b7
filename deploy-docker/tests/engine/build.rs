//! Images that are built from the project's own folder.

use crate::ground::{Ground, free_port, get};
use bollard::query_parameters::RemoveImageOptions;
use deploy_core::{engine::Finish, model::End, strategy::Rolling};
use deploy_docker::Progress;
use std::sync::Mutex;

fn web(port: u16) -> String {
    format!(
        "services:\n  web:\n    build: {{ context: app, args: {{ GREETING: hello }} }}\n    command: [/deploy, serve]\n    ports: ['127.0.0.1:{port}:8080']\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_is_another_release_and_an_unchanged_one_is_not() {
    let Some(ground) = Ground::new().await else { return };
    let (port, app) = (free_port(), ground.folder.path().join("app"));
    std::fs::create_dir(&app).unwrap();
    let write = |name: &str, text: &str| std::fs::write(app.join(name), text).unwrap();
    write(
        "Dockerfile",
        &format!("FROM {}\nARG GREETING\nENV FILE=/page VERSION=$GREETING\nCOPY page /page\n", ground.image),
    );
    write(".dockerignore", "ignored");
    write("page", "first");
    let report = ground.deploy(&web(port), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("first"));
    write("ignored", "whatever");
    assert_eq!(ground.deploy(&web(port), &Rolling).await.finish, Finish::Unchanged);
    let image = format!("{}-web", ground.name);
    let first = ground.docker.inspect_image(&image).await.unwrap().id.unwrap();
    write("page", "second");
    let report = ground.deploy(&web(port), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("second"));
    ground.clear().await;
    for image in [image, first] {
        ground.docker.remove_image(&image, None::<RemoveImageOptions>, None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_shows_what_the_builder_said() {
    let Some(ground) = Ground::new().await else { return };
    let app = ground.folder.path().join("app");
    std::fs::create_dir(&app).unwrap();
    std::fs::write(app.join("Dockerfile"), format!("FROM {}\nCOPY nowhere /\n", ground.image)).unwrap();
    let project = ground.open();
    let lines = Mutex::new(Vec::new());
    let tell = |progress| {
        if let Progress::Building { line, .. } = progress {
            lines.lock().unwrap().push(line);
        }
    };
    let error = project.prepare(&ground.load(&web(80)), &tell).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert!(lines.lock().unwrap().iter().any(|line| line.contains("COPY nowhere")), "{lines:?}");
    drop(project);
    ground.clear().await;
}
