use async_trait::async_trait;
use deploy_core::{
    model::{Millis, Payload, Release},
    testing::{
        Deployer,
        conformance::{self, Subject},
    },
};
use deploy_examples::{FolderJournal, FolderLease, StaticSite};
use std::{fs, path::Path, sync::Arc};

struct SiteSubject {
    folder: tempfile::TempDir,
}

fn deployer(folder: &Path) -> Result<Deployer, String> {
    let site = Arc::new(StaticSite::new("site".into(), "home".into(), folder));
    let journal = FolderJournal::new(folder).map_err(|error| error.to_string())?;
    Ok(Deployer {
        target: site.clone(),
        routers: vec![site],
        lease: Arc::new(FolderLease::new(folder)),
        journal: Arc::new(journal),
    })
}

fn release(name: &str) -> (Release, Payload) {
    let (version, artifact) = (name.to_owned(), format!("{name}.html"));
    let release = Release { id: format!("home-{name}").as_str().into(), service: "home".into(), version, artifact };
    (release, Payload::new(format!("<html><body>{name}</body></html>\n")))
}

#[async_trait]
impl Subject for SiteSubject {
    async fn reset(&self) -> Result<(), String> {
        fs::remove_dir_all(self.folder.path()).map_err(|error| error.to_string())
    }

    async fn deployer(&self) -> Result<Deployer, String> {
        deployer(self.folder.path())
    }

    fn releases(&self) -> [(Release, Payload); 2] {
        [release("one"), release("two")]
    }

    fn most(&self) -> u32 {
        1
    }

    /// A link leads to one release.
    fn shares_requests(&self) -> bool {
        false
    }

    fn patience(&self) -> Millis {
        Millis::from_secs(10)
    }
}

#[tokio::test]
async fn a_static_site_conforms() {
    let subject = SiteSubject { folder: tempfile::tempdir().unwrap() };
    let report = conformance::run("static site", &subject).await;
    report.record().unwrap();
    assert!(report.is_passed(), "{report}");
}
