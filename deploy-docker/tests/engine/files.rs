//! Secrets and bound files: part of a release, and brought back with it.

use crate::ground::{Ground, free_port, get};
use deploy_core::{
    engine::{Finish, Options, Request},
    model::End,
    strategy::Rolling,
};

fn web(port: u16, file: &str) -> String {
    format!(
        "services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    environment: {{ FILE: {file} }}\n    ports: ['127.0.0.1:{port}:8080']\n    secrets: [token]\n    volumes: ['./app.conf:/etc/app/app.conf:ro']\nsecrets: {{ token: {{ file: token }} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_another_release_and_an_earlier_one_comes_back_with_its_own() {
    let Some(ground) = Ground::new().await else { return };
    let port = free_port();
    let write = |name: &str, text: &str| std::fs::write(ground.folder.path().join(name), text).unwrap();
    write("token", "first secret");
    write("app.conf", "first configuration");
    let project = ground.open();
    let first = ground.prepare(&project, &web(port, "/run/secrets/token")).await;
    drop(project);
    let report = ground.deploy(&web(port, "/run/secrets/token"), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("first secret"));
    write("token", "second secret");
    write("app.conf", "second configuration");
    let report = ground.deploy(&web(port, "/etc/app/app.conf"), &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("second configuration"));
    // the payload lies in the store: no file of the day is needed
    let project = ground.open();
    let engine = ground.engine(&project).await;
    let back = Request { services: first.services, payloads: Default::default() };
    let report = engine.deploy(&back, &Rolling, &Options::default()).await.unwrap();
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    assert_eq!(get(port).await.as_deref(), Some("first secret"));
    drop((engine, project));
    ground.clear().await;
}
