use crate::{
    ground::Ground,
    load::{Connections, Load},
    site::Site,
    web::Web,
};
use deploy_core::{
    engine::Finish,
    model::End,
    strategy::{BlueGreen, Recreate, Rolling},
};

#[tokio::test(flavor = "multi_thread")]
async fn blue_green_under_load_loses_nothing() {
    let Some(ground) = Ground::new().await else { return };
    let site = Site::new(ground).await;
    let port = site.ground.start(&Web::default()).await;
    let before = site.ground.shown("deployment", "web").await;
    let load = Load::start(port, Connections::New);
    for version in ["2", "3"] {
        let report = site.deploy(&Web { version, ..Web::default() }, &BlueGreen).await;
        assert_eq!(report.finish, Finish::Ended(End::Succeeded));
        site.is_as_the_users(&before).await;
    }
    let seen = load.lost_none().await;
    assert!(seen.versions.contains_key("3"), "{seen:?}");
    let again = site.deploy(&Web { version: "3", ..Web::default() }, &BlueGreen).await;
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
