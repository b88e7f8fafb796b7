//! New versions that ail, and images that others change meanwhile.

use crate::shop::{EXECUTABLE, Shop, expect};
use deploy_cli::demo::load::{self, Load, LoadConfig};
use std::{fs, path::Path};

impl Shop {
    fn load(&self) -> Load {
        load::start(LoadConfig::new([self.url()], 200)).unwrap()
    }
}

async fn lost_none(load: Load) {
    load.stop();
    let report = load.report().await.unwrap();
    assert_eq!(report.lost_total(), 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_healthy_once_is_taken_back_in_the_bake_under_load() {
    let Some(shop) = Shop::open("bake").await else { return };
    shop.version("v1", "");
    expect(0, shop.here(&["up"]).await);
    for (version, fault, cause) in
        [("v2", "unhealthy-after:2500", "500"), ("v3", "crash-after:2500", "exited with status 1")]
    {
        let load = shop.load();
        shop.version(version, fault);
        let screen = expect(3, shop.here(&["up", "--strategy", "blue-green", "--bake", "60s"]).await);
        assert!(screen.contains(cause), "{screen}");
        let served = load.progress().by_version;
        assert!(served.contains_key(version), "it was healthy, and got requests: {served:?}");
        match fault.starts_with("crash") {
            // what was in flight there is lost with it
            true => load.stop(),
            false => lost_none(load).await,
        }
        shop.serves("v1").await;
    }
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_that_ignores_sigterm_is_killed_in_time_under_load() {
    let Some(shop) = Shop::open("sigterm").await else { return };
    shop.version("v1", "ignore-sigterm");
    expect(0, shop.here(&["up"]).await);
    let load = shop.load();
    shop.version("v2", "");
    expect(0, shop.here(&["up"]).await);
    lost_none(load).await;
    let status = expect(0, shop.elsewhere(&["status"]).await);
    assert!(status.contains("2 running  all") && status.contains("kept for a fast way back: web v1"), "{status}");
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_logs_a_megabyte_a_second_comes_and_goes_under_load() {
    let Some(shop) = Shop::open("chatty").await else { return };
    shop.version("v1", "");
    expect(0, shop.here(&["up"]).await);
    let load = shop.load();
    for (version, fault) in [("v2", "chatty"), ("v3", "")] {
        shop.version(version, fault);
        expect(0, shop.here(&["up"]).await);
        shop.serves(version).await;
    }
    lost_none(load).await;
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_was_moved_after_the_plan_changes_nothing() {
    let Some(shop) = Shop::open("tag").await else { return };
    let (name, port) = (&shop.name, shop.port);
    let write = |image: &str| {
        let text = format!(
            "name: {name}
services:
  web:
    {image}
    entrypoint: [/deploy, demo-app]
    ports: ['127.0.0.1:{port}:8080']
"
        );
        fs::write(shop.folder.path().join("compose.yaml"), text).unwrap();
    };
    write(&format!("build: {{ dockerfile_inline: \"FROM {name}:v1\\nENV APP_VERSION=built\" }}"));
    expect(0, shop.here(&["plan"]).await);
    shop.host.name_image(&format!("{name}-web"), name, "v2").await.unwrap();

    write(&format!("image: {name}:v2\n    pull_policy: never"));
    let plan = shop.folder.path().join("plan.json");
    let plan = plan.to_str().unwrap();
    expect(0, shop.here(&["plan", "--out", plan]).await);
    let other = shop.host.program_image(Path::new(EXECUTABLE)).await.unwrap();
    shop.host.name_image(&other, name, "v2").await.unwrap();
    expect(0, shop.here(&["up", "--plan", plan]).await);
    shop.serves("built").await;
    expect(0, shop.here(&["up"]).await);
    shop.serves("v1").await;
    shop.host.remove_image(&format!("{name}-web")).await.unwrap();
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_a_smoke_check_gets_no_request() {
    let Some(shop) = Shop::open("smoke").await else { return };
    shop.version("v1", "");
    let unknown = expect(2, shop.here(&["up", "--smoke", "wbe:8080/"]).await);
    assert!(unknown.contains("(web), but found wbe"), "{unknown}");
    expect(0, shop.here(&["up", "--smoke", "web:8080/"]).await);
    let load = shop.load();
    shop.version("v2", "");
    for strategy in ["rolling", "blue-green"] {
        let asked = ["up", "--strategy", strategy, "--smoke", "web:8080/", "--smoke", "web:8080/nowhere"];
        let screen = expect(3, shop.here(&[&asked[..], &["--health-timeout", "5s"]].concat()).await);
        assert!(screen.contains("404"), "{screen}");
    }
    let served = load.progress().by_version;
    assert!(!served.contains_key("v2"), "{served:?}");
    lost_none(load).await;
    shop.serves("v1").await;
    shop.clear().await;
}
