use super::{super::parts, Deployer};
use crate::{api::Api, names, testing::on_cluster};
use deploy_core::{
    journal::{Journal, JournalError, Record},
    lease::Lease,
    model::{DeploymentId, End, Event, Fence},
};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

const SEVEN: DeploymentId = DeploymentId(7);

fn record(seq: u64, fence: u64, reason: &str) -> Record {
    Record::new(seq, Fence(fence), Event::Suspended { reason: reason.into() })
}

async fn version(api: &Api, part: usize) -> String {
    let found = api.get::<ConfigMap>(&parts::name(SEVEN, part)).await.unwrap().unwrap();
    found.metadata.resource_version.unwrap()
}

#[test]
fn records_are_kept_in_order() {
    on_cluster("records", async |api| {
        let one = Deployer::new(&api, 15);
        assert_eq!(one.journal.deployments().await.unwrap(), []);
        assert_eq!(one.journal.read(SEVEN).await.unwrap(), []);
        let newer = json!({ "event": "from-the-future", "number": 7, "nested": { "list": [1, null] } });
        let records = [
            record(1, 1, "\"quoted\"\n and über lines"),
            Record::new(2, Fence(1), Event::Unknown(newer)),
            record(3, 2, "3"),
        ];
        for record in &records {
            one.journal.append(SEVEN, record).await.unwrap();
            for wrong in [0, record.seq, record.seq + 2] {
                let wrong = one.journal.append(SEVEN, &self::record(wrong, 2, "wrong")).await;
                assert!(matches!(wrong, Err(JournalError::OutOfOrder { .. })), "{wrong:?}");
            }
        }
        let none = one.journal.append(DeploymentId(8), &record(2, 2, "no first one")).await;
        assert!(matches!(none, Err(JournalError::OutOfOrder { expected: 1, found: 2 })), "{none:?}");
        one.journal.append(DeploymentId(10), &record(1, 2, "ten")).await.unwrap();
        let two = Deployer::new(&api, 15);
        assert_eq!(two.journal.read(SEVEN).await.unwrap(), records);
        assert_eq!(two.journal.deployments().await.unwrap(), [SEVEN, DeploymentId(10)]);
    });
}

#[test]
fn a_lost_answer_is_found_out() {
    on_cluster("lost", async |api| {
        let one = Deployer::new(&api, 15);
        for seq in 1..=2 {
            let record = record(seq, 1, "once");
            one.journal.append(SEVEN, &record).await.unwrap();
            let before = version(&api, 1).await;
            // who has forgotten everything, and who hasn't
            Deployer::new(&api, 15).journal.append(SEVEN, &record).await.unwrap();
            one.journal.append(SEVEN, &record).await.unwrap();
            assert_eq!(version(&api, 1).await, before, "nothing is written twice");
        }
        let other = Deployer::new(&api, 15).journal.append(SEVEN, &record(2, 1, "another")).await;
        assert!(matches!(other, Err(JournalError::OutOfOrder { expected: 3, found: 2 })), "{other:?}");
        one.journal.append(SEVEN, &record(3, 1, "next")).await.unwrap();
    });
}

#[test]
fn a_late_record_is_refused() {
    on_cluster("late", async |api| {
        let (one, two) = (Deployer::new(&api, 15), Deployer::new(&api, 15));
        let first = one.lease.take("one").await.unwrap().fence;
        one.journal.append(SEVEN, &record(1, first.0, "first")).await.unwrap();
        one.lease.free(first).await.unwrap();
        let second = two.lease.take("two").await.unwrap().fence;
        for _ in 0..2 {
            let late = one.journal.append(SEVEN, &record(2, first.0, "late")).await;
            assert!(
                matches!(late, Err(JournalError::Fenced { ours, newest }) if (ours, newest) == (first, second)),
                "{late:?}"
            );
        }
        two.journal.append(SEVEN, &record(2, second.0, "second")).await.unwrap();
        let end = Record::new(3, second, Event::Ended(End::Succeeded));
        two.journal.append(SEVEN, &end).await.unwrap();
        let before = version(&api, 1).await;
        two.lease.free(second).await.unwrap();
        one.lease.take("one").await.unwrap();
        assert_eq!(version(&api, 1).await, before, "what has ended isn't stamped");
    });
}

#[test]
fn of_two_writers_one_is_refused() {
    on_cluster("writers", async |api| {
        let (one, two) = (Deployer::new(&api, 15), Deployer::new(&api, 15));
        for seq in 1..=3 {
            let (a, b) = (record(seq, 1, "a"), record(seq, 1, "b"));
            match tokio::join!(one.journal.append(SEVEN, &a), two.journal.append(SEVEN, &b)) {
                (Ok(()), Err(JournalError::OutOfOrder { .. })) | (Err(JournalError::OutOfOrder { .. }), Ok(())) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(one.journal.read(SEVEN).await.unwrap().len(), 3);
    });
}

#[test]
fn a_long_journal_goes_on_in_another_config_map() {
    on_cluster("long", async |api| {
        let (one, two) = (Deployer::new(&api, 15), Deployer::new(&api, 15));
        let fence = one.lease.take("one").await.unwrap().fence.0;
        let long = "x".repeat(400_000);
        let records: Vec<_> = (1..=5).map(|seq| record(seq, fence, &long)).collect();
        for record in &records {
            one.journal.append(SEVEN, record).await.unwrap();
            two.journal.append(SEVEN, record).await.unwrap();
        }
        for (part, keys) in [(1, vec!["000001", "000002"]), (2, vec!["000003", "000004"]), (3, vec!["000005"])] {
            let found = api.get::<ConfigMap>(&parts::name(SEVEN, part)).await.unwrap().unwrap();
            assert_eq!(found.data.unwrap().into_keys().collect::<Vec<_>>(), keys);
        }
        assert_eq!(two.journal.read(SEVEN).await.unwrap(), records);
        assert_eq!(two.journal.deployments().await.unwrap(), [SEVEN]);
        one.lease.free(Fence(fence)).await.unwrap();
        two.lease.take("two").await.unwrap();
        let late = one.journal.append(SEVEN, &record(6, fence, "late")).await;
        assert!(matches!(late, Err(JournalError::Fenced { .. })), "{late:?}");
        let longer = two.journal.append(SEVEN, &record(6, fence + 1, &"x".repeat(500_000))).await;
        let Err(JournalError::Unreachable(why)) = longer else { panic!("{longer:?}") };
        assert!(why.to_string().starts_with("expected a record of at most 500000 bytes"), "{why}");
    });
}

#[test]
fn damage_is_told() {
    on_cluster("damage", async |api| {
        let one = Deployer::new(&api, 15);
        one.journal.append(SEVEN, &record(1, 1, "first")).await.unwrap();
        let edit = crate::patch::JsonPatch::new().set("/data/000001", "{}").set("/metadata/annotations", json!({}));
        api.patch::<ConfigMap>(&names::journal(SEVEN), edit).await.unwrap();
        let read = one.journal.read(SEVEN).await;
        assert!(matches!(read, Err(JournalError::Damaged { deployment: SEVEN, line: 1, .. })), "{read:?}");
        let append = one.journal.append(SEVEN, &record(2, 1, "second")).await;
        assert!(
            matches!(&append, Err(JournalError::Unreachable(why)) if why.to_string().contains("head")),
            "{append:?}"
        );
    });
}
