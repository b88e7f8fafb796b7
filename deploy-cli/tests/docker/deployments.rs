//! From the first version to the end.

use crate::shop::{Shop, expect};
use deploy_cli::demo::load::{self, LoadConfig};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_version_to_the_end_under_load() {
    let Some(shop) = Shop::open("under-load").await else { return };
    shop.version("v1", "");
    let plan = expect(0, shop.here(&["plan"]).await);
    assert!(plan.contains("web  v1, which is new here, 2 instances"), "{plan}");
    expect(0, shop.here(&["up"]).await);
    shop.serves("v1").await;

    let load = load::start(LoadConfig::new([shop.url()], 200)).unwrap();
    shop.version("v2", "");
    let lines = expect(0, shop.here(&["up", "--output", "json"]).await);
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["kind"], &last["exit"]), (&"finished".into(), &0.into()), "{lines}");
    shop.serves("v2").await;

    shop.version("v3", "exit");
    let screen = expect(3, shop.here(&["up"]).await);
    assert!(screen.contains("told to exit by APP_FAIL"), "the log is shown: {screen}");
    shop.serves("v2").await;

    expect(0, shop.elsewhere(&["rollback"]).await);
    shop.serves("v1").await;
    expect(0, shop.elsewhere(&["rollback", "v2"]).await);
    shop.serves("v2").await;
    expect(2, shop.elsewhere(&["rollback", "v9"]).await);
    load.stop();
    let report = load.report().await.unwrap();
    assert_eq!(report.lost_total(), 0, "{report}");

    let status = expect(0, shop.elsewhere(&["status"]).await);
    assert!(status.contains("2 running  all"), "{status}");
    let history = expect(0, shop.elsewhere(&["history"]).await);
    assert_eq!(history.lines().count(), 6, "{history}");
    expect(0, shop.elsewhere(&["down"]).await);
    assert_eq!(shop.answer().await.answered, 0);
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_run_without_its_file_and_refused_once_it_is_stale() {
    let Some(shop) = Shop::open("plan").await else { return };
    shop.version("v1", "");
    let plan = shop.folder.path().join("plan.json");
    let plan = plan.to_str().unwrap();
    expect(0, shop.here(&["plan", "--out", plan]).await);
    fs::remove_file(shop.folder.path().join("compose.yaml")).unwrap();
    expect(0, shop.here(&["up", "--plan", plan]).await);
    shop.serves("v1").await;
    let said = expect(6, shop.here(&["up", "--plan", plan]).await);
    assert!(said.contains("stale"), "{said}");
    shop.serves("v1").await;
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_told_line_by_line_and_one_that_fails_ends_with_its_last_lines() {
    let Some(shop) = Shop::open("build").await else { return };
    let (file, image) = (shop.folder.path().join("compose.yaml"), format!("{}-web", shop.name));
    let write = |steps: &str| {
        let build = format!("{{ dockerfile_inline: \"FROM {}:v1\\n{steps}\" }}", shop.name);
        let text = format!("name: {}\nservices: {{ web: {{ build: {build}, command: [x] }} }}\n", shop.name);
        fs::write(&file, text).unwrap();
    };
    write("ENV BUILT=1");
    let plan = expect(0, shop.here(&["plan"]).await);
    assert!(plan.contains(&format!("building {image}: [1/1] FROM")), "{plan}");
    write("RUN [\\\"/deploy\\\", \\\"bake-a-cake\\\"]");
    let said = expect(1, shop.here(&["up"]).await);
    let (_, error) = said.split_once("error: nothing was changed: expected to build image").unwrap();
    let lines: Vec<_> = error.lines().skip(1).collect();
    assert!(lines[0].starts_with("  | [2/2] RUN [\"/deploy\", \"bake-a-cake\"]"), "{said}");
    assert!(lines.iter().any(|line| line.contains("unrecognized subcommand 'bake-a-cake'")), "{said}");
    shop.host.remove_image(&image).await.unwrap();
    shop.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_not_there_is_said_so_and_nothing_is_made_to_look() {
    let Some(shop) = Shop::open("nowhere").await else { return };
    // each would find what the one before had made
    for args in [&["status"][..], &["history"], &["rollback"], &["resume"], &["abort"]] {
        let said = expect(1, shop.elsewhere(args).await);
        assert!(said.contains(&format!("expected project {} on the Docker Engine at", shop.name)), "{said}");
    }
    expect(0, shop.elsewhere(&["down"]).await);
    shop.clear().await;
}
