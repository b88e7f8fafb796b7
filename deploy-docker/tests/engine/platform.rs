//! Images for another platform than the one that a file names.

use crate::ground::Ground;
use bollard::{Docker, query_parameters as query};
use deploy_core::{engine::Finish, model::End, strategy::Rolling};
use deploy_docker::PrepareError;
use futures_util::TryStreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Loads a small image for Linux on a processor.
async fn load(docker: &Docker, name: &str, architecture: &str) {
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    layer.append_data(&mut header, "base", &b"base"[..]).unwrap();
    let layer = layer.into_inner().unwrap();
    let digest: String = Sha256::digest(&layer).iter().map(|byte| format!("{byte:02x}")).collect();
    let config = json!({
        "architecture": architecture, "os": "linux", "config": { "Cmd": ["/base"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }]);
    let mut archive = tar::Builder::new(Vec::new());
    let files = [
        ("layer.tar", layer),
        ("config.json", config.to_string().into()),
        ("manifest.json", manifest.to_string().into()),
    ];
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, &content[..]).unwrap();
    }
    let archive = bollard::body_full(archive.into_inner().unwrap().into());
    let answers = docker.import_image(query::ImportImageOptions::default(), archive, None);
    answers.try_collect::<Vec<_>>().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_for_another_platform_is_as_good_as_none() {
    let Some(ground) = Ground::new().await else { return };
    // nobody listens there, so that a pull is seen by its failure
    let image = format!("127.0.0.1:1/{}:1", ground.name);
    load(&ground.docker, &image, "s390x").await;
    let project = ground.open();
    let prepared = async |more: &str| {
        let text = format!("services:\n  web:\n    image: {image}\n    {more}\n");
        project.prepare(&ground.load(&text), &|_| {}).await.map(|prepared| prepared.services.len())
    };
    let there = prepared("init: true").await;
    let named = prepared("platform: linux/s390x").await;
    let pulled = prepared("platform: linux/ppc64le").await;
    let refused = prepared("pull_policy: never\n    platform: linux/ppc64le").await;
    let _ = ground.docker.remove_image(&image, None::<query::RemoveImageOptions>, None).await;
    drop(project);
    ground.clear().await;
    assert_eq!((there.unwrap(), named.unwrap()), (1, 1));
    assert!(matches!(pulled, Err(PrepareError::NoImage { .. })), "{pulled:?}");
    let refused = refused.unwrap_err().to_string();
    let told = |found: &str| {
        format!(
            "compose.yaml:5:5: services.web.platform: expected image {image} for linux/ppc64le, but found it for {found} only: name one that is made for it, or change `platform`"
        )
    };
    // an Engine that keeps the images of several platforms under one name doesn't say for which
    assert!(refused == told("linux/s390x") || refused == told("others"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_for_the_platform_that_is_named_is_deployed() {
    let Some(ground) = Ground::new().await else { return };
    let platform = ground.docker.version().await.unwrap().arch.unwrap();
    let text =
        format!("services:\n  web:\n    image: IMAGE\n    command: [/deploy, serve]\n    platform: linux/{platform}\n");
    let report = ground.deploy(&text, &Rolling).await;
    ground.clear().await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
}
