use crate::{
    api::Api,
    names::{self, KEY_SECRET},
    patch::JsonPatch,
    state::Store,
    testing::on_cluster,
};
use deploy_core::{
    model::{Fence, Payload, Release, ReleaseId, ServiceName},
    target::TargetError,
};
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

fn release(service: &str, digits: &str) -> Release {
    Release {
        id: ReleaseId::new(format!("{service}-{digits}")),
        service: service.into(),
        version: "1.4+build ü".into(),
        artifact: "registry/web@sha256:00".into(),
    }
}

fn payload(text: &str) -> Payload {
    Payload::new(format!("{{\"password\":\"{text} ü\"}}"))
}

async fn is_stored(store: &Store, release: &Release, text: &str) -> bool {
    store.load(&release.id).await.unwrap() == Some(payload(text))
}

async fn version(api: &Api, release: &Release) -> String {
    let found = api.get::<Secret>(&names::release(&release.id)).await.unwrap().unwrap();
    found.metadata.resource_version.unwrap()
}

fn is_fenced(answer: Result<(), TargetError>) -> bool {
    matches!(answer, Err(TargetError::Fenced { ours: Fence(1), newest: Fence(2) }))
}

#[test]
fn payloads_are_stored_and_discarded() {
    on_cluster("payloads", async |api| {
        let store = Store::new(api.clone());
        let web = release("web", "00ff");
        assert!(store.load(&web.id).await.unwrap().is_none());
        store.store(Fence(1), &web, &payload("one")).await.unwrap();
        assert!(is_stored(&store, &web, "one").await);
        let before = version(&api, &web).await;
        store.store(Fence(1), &web, &payload("one")).await.unwrap();
        assert_eq!(version(&api, &web).await, before, "nothing changes, so nothing is written");
        store.store(Fence(2), &web, &payload("two")).await.unwrap();
        assert!(is_stored(&store, &web, "two").await);
        assert!(is_fenced(store.store(Fence(1), &web, &payload("late")).await));
        assert!(is_fenced(store.set_hold(Fence(1), &web, &payload("late"), "late").await));
        assert!(is_fenced(store.clear_hold(Fence(1), &web.id).await));
        assert!(is_fenced(store.discard(Fence(1), &web.id, None).await));
        assert!(is_stored(&store, &web, "two").await);
        let large = store.store(Fence(2), &web, &Payload::new("x".repeat(1_000_001))).await;
        assert!(matches!(large, Err(TargetError::Rejected { .. })), "{large:?}");
        store.store(Fence(2), &web, &Payload::new("x".repeat(1_000_000))).await.unwrap();
        for _ in 0..2 {
            store.discard(Fence(2), &web.id, None).await.unwrap();
            assert!(store.load(&web.id).await.unwrap().is_none());
        }
    });
}

#[test]
fn what_was_loaded_before_it_changed_is_written_all_the_same() {
    on_cluster("loaded", async |api| {
        let (store, other, web) = (Store::new(api.clone()), Store::new(api.clone()), release("web", "00ff"));
        // loaded as absent, and then it is there
        assert!(store.load(&web.id).await.unwrap().is_none());
        other.store(Fence(1), &web, &payload("one")).await.unwrap();
        store.store(Fence(1), &web, &payload("one")).await.unwrap();
        for fence in [Fence(1), Fence(2)] {
            // loaded as it is to be, and then it is gone
            assert!(store.load(&web.id).await.unwrap().is_some());
            other.discard(Fence(2), &web.id, None).await.unwrap();
            store.store(fence, &web, &payload("one")).await.unwrap();
            assert!(is_stored(&other, &web, "one").await);
            // loaded, and then it is another
            assert!(store.load(&web.id).await.unwrap().is_some());
            let edit = JsonPatch::new().set("/metadata/labels/theirs", "1");
            api.patch::<Secret>(&names::release(&web.id), edit).await.unwrap();
            store.set_hold(fence, &web, &payload("one"), "hold").await.unwrap();
            assert_eq!(store.known(None).await.unwrap()[&web.id].hold.as_deref(), Some("hold"));
            let left = api.get::<Secret>(&names::release(&web.id)).await.unwrap().unwrap();
            assert!(left.metadata.labels.unwrap().contains_key("theirs"));
        }
        // listed, and then it is another
        let seen = || async { store.known(None).await.unwrap()[&web.id].seen.clone() };
        let listed = seen().await;
        other.clear_hold(Fence(3), &web.id).await.unwrap();
        let late = store.discard(Fence(2), &web.id, listed).await;
        assert!(matches!(late, Err(TargetError::Fenced { ours: Fence(2), newest: Fence(3) })), "{late:?}");
        store.discard(Fence(3), &web.id, seen().await).await.unwrap();
        assert!(other.load(&web.id).await.unwrap().is_none());
    });
}

#[test]
fn the_same_payload_under_a_newer_fence_keeps_late_writes_out() {
    on_cluster("stamped", async |api| {
        let store = Store::new(api);
        let web = release("web", "00ff");
        store.store(Fence(1), &web, &payload("one")).await.unwrap();
        store.store(Fence(2), &web, &payload("one")).await.unwrap();
        assert!(is_fenced(store.discard(Fence(1), &web.id, None).await));
    });
}

#[test]
fn a_hold_comes_and_goes() {
    on_cluster("hold", async |api| {
        let store = Store::new(api.clone());
        let (old, new) = (release("web", "00"), release("web", "01"));
        // there already, and not
        store.store(Fence(1), &old, &payload("old")).await.unwrap();
        for release in [&old, &new] {
            for text in ["one", "one", "two"] {
                store.set_hold(Fence(1), release, &payload(text), &format!("{{\"{text}\":1}}")).await.unwrap();
                let known = store.known(None).await.unwrap();
                assert_eq!(known[&release.id].hold, Some(format!("{{\"{text}\":1}}")));
                assert!(is_stored(&store, release, text).await);
            }
        }
        store.store(Fence(1), &old, &payload("three")).await.unwrap();
        assert!(store.known(None).await.unwrap()[&old.id].hold.is_some(), "storing leaves it");
        let edit = JsonPatch::new().set("/metadata/annotations/theirs", "1").set("/metadata/labels/theirs", "1");
        api.patch::<Secret>(&names::release(&old.id), edit).await.unwrap();
        for _ in 0..2 {
            store.clear_hold(Fence(1), &old.id).await.unwrap();
            let known = store.known(None).await.unwrap();
            assert_eq!((known[&old.id].hold.is_some(), known[&new.id].hold.is_some()), (false, true));
        }
        let left = api.get::<Secret>(&names::release(&old.id)).await.unwrap().unwrap();
        let is_left = |all: Option<std::collections::BTreeMap<String, String>>| all.unwrap().contains_key("theirs");
        assert!(is_left(left.metadata.annotations) && is_left(left.metadata.labels), "others' are left alone");
        assert!(is_stored(&store, &old, "three").await);
        store.clear_hold(Fence(1), &ReleaseId::new("web-gone")).await.unwrap();
    });
}

#[test]
fn releases_are_found_by_their_services() {
    on_cluster("known", async |api| {
        let store = Store::new(api.clone());
        let long = "a".repeat(200);
        let releases = [release("web", "00"), release("web", "01"), release("api", "00"), release(&long, "00")];
        for release in &releases {
            store.store(Fence(1), release, &payload("x")).await.unwrap();
        }
        store.key().await.unwrap();
        let found = async |services: Option<&[&str]>| {
            let named: Option<Vec<ServiceName>> = services.map(|all| all.iter().map(|one| (*one).into()).collect());
            let known = store.known(named.as_deref()).await.unwrap();
            known.into_values().map(|known| known.release).collect::<Vec<_>>()
        };
        let all = found(None).await;
        assert!(all.len() == 4 && releases.iter().all(|release| all.contains(release)), "{all:?}");
        assert_eq!(found(Some(&["web"])).await, releases[..2]);
        assert_eq!(found(Some(&[&long, "none"])).await, releases[3..]);
        assert_eq!(found(Some(&[])).await, []);
        let many: Vec<_> = (0..25).map(|number| format!("none{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).chain(["api"]).collect();
        assert_eq!(found(Some(&many)).await, releases[2..3]);
        let made = api.get::<Secret>(&names::release(&releases[0].id)).await.unwrap().unwrap();
        assert_eq!(made.type_.as_deref(), Some("deploy-rs.github.io/release"));
    });
}

#[test]
fn a_race_ends_with_one_key() {
    on_cluster("key", async |api| {
        let stores = [(); 4].map(|()| Store::new(api.clone()));
        assert!(stores[0].key_if_there().await.unwrap().is_none());
        let [a, b, c, d] = &stores;
        let (a, b, c, d) = tokio::join!(a.key(), b.key(), c.key(), d.key());
        let key = a.unwrap();
        assert!([b, c, d].into_iter().all(|other| other.unwrap() == key));
        assert_eq!(Store::new(api.clone()).key_if_there().await.unwrap().unwrap().hex16("x"), key.hex16("x"));
        api.patch::<Secret>(KEY_SECRET, JsonPatch::new().set("/data", json!({ "key": "AAAA" }))).await.unwrap();
        let damaged = Store::new(api).key().await;
        assert!(matches!(&damaged, Err(TargetError::Rejected { why }) if why.contains("found 3")), "{damaged:?}");
    });
}
