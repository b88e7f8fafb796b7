use async_trait::async_trait;
use deploy_core::{
    engine::{Engine, EngineError, Finish, Options, Report},
    journal::{Journal, JournalError, Record},
    model::{DeploymentId, End},
    strategy::BlueGreen,
};
use deploy_examples::{FolderJournal, FolderLease, StaticSite, page};
use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// A journal that fails once it has taken so many records.
struct Failing {
    inner: FolderJournal,
    left: AtomicU32,
}

#[async_trait]
impl Journal for Failing {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        let spent = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err();
        match spent {
            true => Err(JournalError::Unreachable(io::Error::from(io::ErrorKind::StorageFull).into())),
            false => self.inner.append(deployment, record).await,
        }
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        self.inner.read(deployment).await
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        self.inner.deployments().await
    }
}

/// Deploys a page, with a journal that takes so many records.
async fn deploy(folder: &Path, html: &str, records: u32) -> Result<Report, EngineError> {
    let site = Arc::new(StaticSite::new("here".into(), "site".into(), folder));
    let journal = Failing { inner: FolderJournal::new(folder).unwrap(), left: records.into() };
    let engine = Engine::builder(site.clone(), Arc::new(FolderLease::new(folder)), Arc::new(journal)).router(site);
    engine.build().deploy(&page("site".into(), "", html), &BlueGreen, &Options::default()).await
}

async fn deploy_well(folder: &Path, html: &str) -> Finish {
    deploy(folder, html, u32::MAX).await.unwrap().finish
}

/// The time to live of a deployer's lease passes that was killed, or whose journal failed.
fn let_the_lease_expire(folder: &Path) {
    let path = folder.join("lease.json");
    let mut lease: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    if lease["until"].is_u64() {
        lease["until"] = 1.into();
        fs::write(path, lease.to_string()).unwrap();
    }
}

/// What a web server shows.
fn served(folder: &Path) -> String {
    fs::read_to_string(folder.join("current/index.html")).unwrap()
}

/// How many releases have their pages out.
fn running(folder: &Path) -> usize {
    fs::read_dir(folder.join("releases")).unwrap().count()
}

const ONE: &str = "<html>one</html>";
const TWO: &str = "<html>two</html>";
const SUCCEEDED: Finish = Finish::Ended(End::Succeeded);

#[tokio::test(start_paused = true)]
async fn a_new_page_takes_the_place_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    for html in [ONE, TWO, ONE] {
        assert_eq!(deploy_well(folder.path(), html).await, SUCCEEDED);
        assert_eq!((served(folder.path()).as_str(), running(folder.path())), (html, 1));
    }
    assert_eq!(deploy_well(folder.path(), ONE).await, Finish::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn a_broken_page_is_taken_back_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    deploy_well(folder.path(), ONE).await;
    let finish = deploy_well(folder.path(), "<html>two").await;
    assert!(matches!(&finish, Finish::Ended(End::RolledBack { why }) if why.contains("</html>")), "{finish:?}");
    assert_eq!((served(folder.path()).as_str(), running(folder.path())), (ONE, 1));
}

#[tokio::test(start_paused = true)]
async fn interrupted_after_any_record_the_same_command_carries_on() {
    for records in 0.. {
        let folder = tempfile::tempdir().unwrap();
        deploy_well(folder.path(), ONE).await;
        let whole = deploy(folder.path(), TWO, records).await.is_ok();
        let shown = served(folder.path());
        assert!(shown == ONE || shown == TWO, "after {records} records: {shown}");
        let_the_lease_expire(folder.path());
        let finish = deploy_well(folder.path(), TWO).await;
        assert_eq!(finish, if whole { Finish::Unchanged } else { SUCCEEDED }, "after {records} records");
        assert_eq!((served(folder.path()).as_str(), running(folder.path())), (TWO, 1), "after {records} records");
        if whole {
            assert_eq!(records, 15, "records of a whole deployment");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn interrupted_after_any_record_another_page_comes_after_the_way_back() {
    for records in 1..15 {
        let folder = tempfile::tempdir().unwrap();
        deploy_well(folder.path(), ONE).await;
        deploy(folder.path(), TWO, records).await.unwrap_err();
        let_the_lease_expire(folder.path());
        assert_eq!(deploy_well(folder.path(), "<html>three</html>").await, SUCCEEDED, "after {records} records");
        let journal = FolderJournal::new(folder.path()).unwrap();
        assert_eq!(journal.deployments().await.unwrap().len(), 3);
        assert_eq!((served(folder.path()).as_str(), running(folder.path())), ("<html>three</html>", 1));
    }
}
