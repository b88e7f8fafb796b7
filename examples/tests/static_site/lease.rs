use deploy_core::{
    journal::{Journal, JournalError, Record},
    lease::{Lease, LeaseEnd, LeaseError},
    model::{DeploymentId, Event, Payload, Release, StepId},
    target::{Cx, Target, TargetError},
};
use deploy_examples::{FolderJournal, FolderLease, StaticSite};
use std::{fs, path::Path};

/// As if the holder hadn't been heard of for 15 s.
fn expire(folder: &Path) {
    let path = folder.join("lease.json");
    let mut keeper: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    keeper["until"] = 1.into();
    fs::write(path, keeper.to_string()).unwrap();
}

#[tokio::test]
async fn an_expired_lease_goes_to_the_next_and_its_holder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (FolderLease::new(folder.path()), FolderLease::new(folder.path()));
    let late = first.take("first").await.unwrap();
    assert!(matches!(second.take("second").await, Err(LeaseError::Held { holder, .. }) if holder == "first"));
    expire(folder.path());
    let ended = first.renew(late.fence).await.unwrap_err().to_string();
    assert_eq!(ended, "expected to hold fence 1, but its lease has ended; nobody has taken over");
    let grant = second.take("second").await.unwrap();
    assert!(grant.before == LeaseEnd::Expired && grant.fence > late.fence);
    assert!(matches!(first.renew(late.fence).await, Err(LeaseError::Lost { .. })));

    let site = StaticSite::new("here".into(), "site".into(), folder.path());
    let deadline = tokio::time::Instant::now();
    let cx = Cx { deployment: DeploymentId(1), step: StepId::new("late"), fence: late.fence, deadline };
    let (version, artifact) = (String::new(), String::new());
    let release = Release { id: "site-1".into(), service: "site".into(), version, artifact };
    let stored = site.store(&cx, &release, &Payload::new("")).await;
    assert!(matches!(stored, Err(TargetError::Fenced { newest, .. }) if newest == grant.fence));

    let journal = FolderJournal::new(folder.path()).unwrap();
    let record = Record::new(1, late.fence, Event::Suspended { reason: "late".into() });
    let appended = journal.append(DeploymentId(1), &record).await;
    assert!(matches!(appended, Err(JournalError::Fenced { newest, .. }) if newest == grant.fence));
}

#[tokio::test]
async fn a_lease_that_was_freed_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let lease = FolderLease::new(folder.path());
    let first = lease.take("first").await.unwrap();
    lease.free(first.fence).await.unwrap();
    assert_eq!(lease.take("second").await.unwrap().before, LeaseEnd::Freed);
    lease.free(first.fence).await.unwrap();
    assert!(matches!(lease.take("third").await, Err(LeaseError::Held { holder, .. }) if holder == "second"));
}
