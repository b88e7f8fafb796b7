use crate::{
    ground::Ground,
    load::{Connections, Load},
    site::Site,
    stage::{SETTLE, is_thorough},
    web::Web,
};
use deploy_core::{
    engine::Finish,
    model::{End, Order},
    strategy::{BlueGreen, Recreate, Rolling},
};

#[tokio::test(flavor = "multi_thread")]
async fn blue_green_under_load_loses_nothing() {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    let port = site.ground.start(&Web::default()).await;
    let before = site.ground.shown("deployment", "web").await;
    let load = Load::start(port, Connections::New);
    // all: as often as it must be shown
    let last = if is_thorough() { 11 } else { 3 };
    for version in (2..=last).map(|version| version.to_string()) {
        let report = site.deploy(&Web { version: &version, ..Web::default() }, &BlueGreen).await;
        assert_eq!(report.finish, Finish::Ended(End::Succeeded));
        site.is_as_the_users(&before).await;
    }
    let seen = load.lost_none().await;
    eprintln!("{seen:?}");
    let last = last.to_string();
    assert!(seen.versions.contains_key(&last), "{seen:?}");
    let again = site.deploy(&Web { version: &last, ..Web::default() }, &BlueGreen).await;
    assert_eq!(again.finish, Finish::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_with_a_pre_stop_under_load_loses_nothing() {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    let web = Web { pre_stop: Some(3), ..Web::default() };
    let port = site.ground.start(&web).await;
    let before = site.ground.shown("deployment", "web").await;
    let load = Load::start(port, Connections::New);
    let report = site.deploy(&Web { version: "2", ..web }, &Rolling).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    site.is_as_the_users(&before).await;
    site.ground.runs_in("web", 4).await;
    load.lost_none().await;
}

/// One that ends the old pods first, unless it is told otherwise. Connections are kept, and closed in good order.
#[tokio::test(flavor = "multi_thread")]
async fn blue_green_has_both_sides_of_a_recreate_deployment_under_load() {
    let Some(ground) = Ground::new().await else { return };
    let mut site = Site::new(ground).await;
    site.settle = SETTLE;
    let drains = ("ON_TERM", "drain");
    let web = Web { replicas: 2, strategy: "{ type: Recreate }", env: &[drains], ..Web::default() };
    let port = site.ground.start(&web).await;
    let before = site.ground.shown("deployment", "web").await;
    let load = Load::start(port, Connections::Kept);
    let report = site.deploy(&Web { version: "2", ..web.clone() }, &BlueGreen).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    site.is_as_the_users(&before).await;
    let broken = Web { version: "3", env: &[drains, ("EXIT_MS", "1")], ..web.clone() };
    let report = site.deploy(&broken, &BlueGreen).await;
    assert!(matches!(report.finish, Finish::Ended(End::RolledBack { .. })), "{:?}", report.finish);
    site.is_as_the_users(&before).await;
    let seen = load.lost_none().await;
    assert!(seen.versions.contains_key("2") && !seen.versions.contains_key("3"), "{seen:?}");
    // both would write there
    let data = Web { pod: &["volumes: [{ name: data, hostPath: { path: /tmp } }]"], ..web };
    let prepared = site.prepare(&data).await;
    assert_eq!(prepared.services[0].order, Order::StopFirst);
    assert!(prepared.services[0].notes.iter().any(|note| note.contains("data")), "{:?}", prepared.services[0].notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn recreate_ends_the_old_first_and_gives_the_strategy_back() {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    let web = Web { replicas: 2, ..Web::default() };
    site.ground.start(&web).await;
    let before = site.ground.shown("deployment", "web").await;
    let report = site.deploy(&Web { version: "2", ..web }, &Recreate).await;
    assert_eq!(report.finish, Finish::Ended(End::Succeeded));
    site.is_as_the_users(&before).await;
}
