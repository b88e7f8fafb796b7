//! Deployments on child processes, as the subcommands conduct them.

#![expect(clippy::unwrap_used, reason = "a test may end where it can't go on")]

use deploy_cli::{
    CommandError, Exit, Place,
    args::{DownArgs, OnInterrupt, Output, RollbackArgs, RunArgs},
    commands,
    demo::load::{self, LoadConfig},
    run::{Conduct, Work},
    wiring,
};
use deploy_core::{
    engine::{StepState, history},
    model::Millis,
    strategy::Rolling,
};
use deploy_local::{Local, LocalOptions, LocalService};
use std::{net::TcpListener, path::PathBuf, sync::Arc};
use tempfile::TempDir;

const RUN: RunArgs = RunArgs { on_interrupt: OnInterrupt::Back, lease_wait: Millis::from_secs(10) };

/// A project on child processes in a folder of its own.
struct Shop {
    local: Arc<Local>,
    place: Place,
    port: u16,
    folder: Arc<TempDir>,
}

impl Shop {
    async fn open() -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Self::at(port, Arc::new(tempfile::tempdir().unwrap())).await
    }

    /// As the next process finds it, once this one is gone.
    async fn reopen(self) -> Self {
        let (port, folder) = (self.port, Arc::clone(&self.folder));
        drop(self);
        Self::at(port, folder).await
    }

    async fn at(port: u16, folder: Arc<TempDir>) -> Self {
        let executable = Some(PathBuf::from(env!("CARGO_BIN_EXE_deploy")));
        let options = LocalOptions { executable, ..LocalOptions::new(folder.path()) };
        let local = Arc::new(Local::open(options).await.unwrap());
        Self { place: wiring::local("shop", Arc::clone(&local)), local, port, folder }
    }

    async fn up(&self, version: &str, fault: &str) -> Exit {
        let service = LocalService::new("web", version, env!("CARGO_BIN_EXE_deploy"))
            .args(["demo-app"])
            .env("APP_VERSION", version)
            .env("APP_FAIL", fault)
            .count(2)
            .port(self.port)
            .healthy_at("/healthz");
        let request = self.local.request(&[service]).unwrap();
        Conduct::new(&self.place, Output::Plain, &RUN).run(Work::Deploy(&request, &Rolling)).await.unwrap()
    }

    /// Begins to bring a version, and leaves as a killed process does: while its instances aren't healthy yet.
    async fn begin(&self, version: &str, fault: &str) {
        let checking = async {
            loop {
                let last = self.place.last().await.unwrap();
                let state = last.and_then(|last| last.state).filter(|state| state.end().is_none());
                if state.is_some_and(|state| state.step(&"web/check".into()) == Some(&StepState::Started)) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            exit = self.up(version, fault) => panic!("it ended by itself: {exit:?}"),
            () = checking => {}
        }
    }

    async fn rollback(&self, to: Option<&str>) -> Result<Exit, CommandError> {
        let args = RollbackArgs { to: to.map(str::to_owned), strategy: None, run: RUN };
        commands::rollback(&self.place, &args, Output::Plain).await
    }

    /// The version that answers; none where nobody does.
    async fn version(&self) -> Option<String> {
        let mut config = LoadConfig::new([format!("http://127.0.0.1:{}/", self.port)], 1);
        config.duration = Some(std::time::Duration::from_millis(1));
        let report = load::start(config).unwrap().report().await.unwrap();
        report.by_version.into_keys().next()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_version_to_the_end_under_load() {
    let shop = Shop::open().await;
    assert_eq!(shop.up("v1", "").await, Exit::Done);
    assert_eq!(shop.version().await.as_deref(), Some("v1"));

    let load = load::start(LoadConfig::new([format!("http://127.0.0.1:{}/", shop.port)], 200)).unwrap();
    assert_eq!(shop.up("v2", "").await, Exit::Done);
    assert_eq!(shop.up("v2", "").await, Exit::Done, "unchanged");
    assert_eq!(shop.up("v3", "exit").await, Exit::TakenBack);
    assert_eq!(shop.version().await.as_deref(), Some("v2"));
    assert_eq!(shop.rollback(None).await.unwrap(), Exit::Done);
    assert_eq!(shop.version().await.as_deref(), Some("v1"));
    assert_eq!(shop.rollback(Some("v2")).await.unwrap(), Exit::Done);
    assert_eq!(shop.version().await.as_deref(), Some("v2"));
    load.stop();
    let report = load.report().await.unwrap();
    assert_eq!(report.lost_total(), 0, "{report}");

    let numbers: Vec<_> = history(&*shop.place.journal, 9).await.unwrap().iter().map(|one| one.id.0).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1], "what was unchanged is no deployment");
    let down = DownArgs { volumes: false, lease_wait: Millis::from_secs(10) };
    assert_eq!(commands::down(&shop.place, &down, Output::Plain).await.unwrap(), Exit::Done);
    assert_eq!(shop.version().await, None);
    let (world, _) = shop.place.observe(&["web".into()].into()).await.unwrap();
    assert_eq!((world.workloads.len(), world.objects.len(), world.stored.len()), (0, 0, 0));
    assert!(matches!(shop.rollback(Some("v1")).await, Err(CommandError::NotKept { .. })), "its payload is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_halfway_is_carried_on_or_taken_back() {
    let shop = Shop::open().await;
    assert_eq!(shop.up("v1", "").await, Exit::Done);
    shop.begin("v2", "unhealthy").await;
    let shop = shop.reopen().await;
    assert_eq!(commands::abort(&shop.place, &RUN, Output::Plain).await.unwrap(), Exit::Done);
    assert_eq!(shop.version().await.as_deref(), Some("v1"));

    shop.begin("v3", "").await;
    let shop = shop.reopen().await;
    assert_eq!(commands::resume(&shop.place, &RUN, Output::Plain).await.unwrap(), Exit::Done);
    assert_eq!(shop.version().await.as_deref(), Some("v3"));

    // an interrupted deployment is given up by `down`, and doesn't come back
    shop.begin("v4", "unhealthy").await;
    let shop = shop.reopen().await;
    let down = DownArgs { volumes: true, lease_wait: Millis::from_secs(10) };
    assert_eq!(commands::down(&shop.place, &down, Output::Plain).await.unwrap(), Exit::Done);
    assert_eq!(commands::resume(&shop.place, &RUN, Output::Plain).await.unwrap_err().exit(), Exit::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_to_resume_abort_or_go_back_to() {
    let shop = Shop::open().await;
    for ended in [
        commands::resume(&shop.place, &RUN, Output::Plain).await,
        commands::abort(&shop.place, &RUN, Output::Plain).await,
        shop.rollback(None).await,
    ] {
        assert_eq!(ended.unwrap_err().exit(), Exit::Failed);
    }
    assert_eq!(shop.rollback(Some("v7")).await.unwrap_err().exit(), Exit::BadInput);
}
