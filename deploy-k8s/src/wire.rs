//! What is made of answers that a real API server gives too rarely to be tried on one.

use crate::{
    api::Api,
    content::Content,
    kinds::Deployment,
    namespace::{Namespace, NamespaceOptions},
    objects::Kinds,
    patch::JsonPatch,
    scratch::Scratch,
    shared::{ATTEMPTS, Change},
    state::{Held, KubeLease, Store},
    testing::fake::{Asked, Say, answered_by, list, refusal},
    view::Watched,
};
use deploy_core::{
    health::Health,
    lease::{Lease, LeaseEnd},
    model::{DeploymentId, Fence, Millis, ObjectRef, Payload, Release, ServiceName, StepId},
    target::{Cx, TargetError},
};
use k8s_openapi::api::core::v1::Service;
use kube::{ResourceExt, runtime::watcher::Config};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

fn cx() -> Cx {
    let deadline = Instant::now() + Duration::from_secs(60);
    Cx { deployment: DeploymentId(1), step: StepId::new("web/step"), fence: Fence(3), deadline }
}

fn service(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": "shop", "resourceVersion": version, "annotations": {} },
        "spec": { "selector": { "app": "web" } },
    })
}

fn event(kind: &str, object: Value) -> Value {
    json!({ "type": kind, "object": object })
}

/// Answers what a watch of one Service asks, as if nothing happened; none where something else is asked.
fn quiet(asked: &Asked) -> Option<Say> {
    match asked.method.as_str() {
        "GET" if asked.path.contains("watch=true") => Some(Say::Watch(Vec::new())),
        "GET" if asked.path.contains("services?") => Some(Say::Json(200, list("Service", "1", &[service("web", "1")]))),
        _ => None,
    }
}

fn watched(api: &Api) -> Watched<Service> {
    Watched::begin(api, Config::default(), watch::Sender::new(()))
}

/// Writes to the Service; `is_done` tells from it whether nothing is left to write.
async fn write(api: &Api, is_done: fn(&Service) -> bool) -> Result<(), TargetError> {
    let namespace = Namespace::of(api.clone(), &NamespaceOptions::default());
    let watched = watched(api);
    watched.up().await?;
    let there = watched.get("web").unwrap();
    let change = |now: &Service| Ok((!is_done(now)).then(|| Change::new(JsonPatch::new().set("/spec/x", 1))));
    namespace.shared.write(&cx(), &watched, &*there, change).await
}

fn count(came: &[Asked], method: &str) -> usize {
    came.iter().filter(|asked| asked.method == method).count()
}

#[test]
fn a_storm_of_conflicts_comes_to_an_end() {
    for (code, reason) in [(409, "Conflict"), (422, "Invalid")] {
        let say = move |asked: &Asked| match (quiet(asked), asked.method.as_str()) {
            (Some(say), _) => say,
            (None, "GET") => Say::Json(200, service("web", "2")),
            (None, _) => Say::Json(code, refusal(code, reason)),
        };
        let came = answered_by(say, async |api| {
            let error = write(&api, |_| false).await.unwrap_err();
            let TargetError::Unreachable { source, .. } = error else { panic!("{error}") };
            assert_eq!(source.to_string(), "somebody else writes to web all the time");
        });
        assert_eq!(count(&came, "PATCH"), ATTEMPTS);
    }
}

#[test]
fn the_list_of_objects_gives_a_storm_up_too() {
    let say = |asked: &Asked| match asked.method.as_str() {
        "GET" => Say::Json(404, refusal(404, "NotFound")),
        _ => Say::Json(409, refusal(409, "AlreadyExists")),
    };
    let came = answered_by(say, async |api| {
        let namespace = Namespace::of(api, &NamespaceOptions::default());
        let field = str::to_owned;
        let entry = crate::objects::Entry { api_version: field("v1"), kind: field("Secret"), name: field("x") };
        let error = namespace.shared.inventory.add(Fence(3), &entry).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    });
    assert_eq!(count(&came, "POST"), ATTEMPTS);
}

#[test]
fn what_is_invalid_is_refused_at_once() {
    let say = |asked: &Asked| {
        let mut status = refusal(422, "Invalid");
        status["details"] =
            json!({ "causes": [{ "reason": "FieldValueInvalid", "field": "spec.x", "message": "no" }] });
        quiet(asked).unwrap_or(Say::Json(422, status))
    };
    let came = answered_by(say, async |api| {
        let error = write(&api, |_| false).await.unwrap_err();
        assert!(matches!(&error, TargetError::Rejected { why } if why.contains("change Service web")), "{error}");
    });
    assert_eq!(count(&came, "PATCH"), 1);
}

/// The client tries it again by itself, and then finds that its own write came before.
#[test]
fn an_answer_lost_after_a_write_is_no_conflict() {
    let mut writes = 0;
    let say = move |asked: &Asked| match (quiet(asked), asked.method.as_str()) {
        (Some(say), _) => say,
        (None, "GET") => Say::Json(200, service("done", "2")),
        (None, _) => {
            writes += 1;
            let code = if writes == 1 { 504 } else { 422 };
            Say::Json(code, refusal(code, "Timeout"))
        }
    };
    let came = answered_by(say, async |api| write(&api, |now| now.name_any() == "done").await.unwrap());
    assert_eq!(count(&came, "PATCH"), 2);
}

#[test]
fn a_configuration_is_found_whose_answer_was_lost() {
    let mut stored = Value::Null;
    let say = move |asked: &Asked| match (asked.method.as_str(), stored.is_null()) {
        ("POST", true) => {
            stored = asked.body.clone();
            Say::Nothing
        }
        ("POST", false) => Say::Json(409, refusal(409, "AlreadyExists")),
        _ => Say::Json(200, stored.clone()),
    };
    let came = answered_by(say, async |api| {
        let store = Store::new(api);
        let (id, service, payload) = ("web-1".into(), ServiceName::new("web"), Payload::new("{}"));
        let release = Release { id, service, version: "1".into(), artifact: "web:1".into() };
        let lost = store.store(Fence(3), &release, &payload).await.unwrap_err();
        assert!(lost.is_retryable(), "{lost}");
        store.store(Fence(3), &release, &payload).await.unwrap();
    });
    let asked: Vec<_> = came.iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(asked, ["POST", "POST", "GET"]);
}

fn job(version: &str, conditions: Value) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": "migrate", "namespace": "shop", "uid": "1", "resourceVersion": version },
        "spec": { "selector": { "matchLabels": { "job-name": "migrate" } } },
        "status": { "active": 1, "conditions": conditions },
    })
}

#[test]
fn who_may_not_watch_an_object_reads_it() {
    let say = |asked: &Asked| match asked.path.contains("/jobs/migrate") {
        true => Say::Json(200, job("2", json!([{ "type": "Complete", "status": "True" }]))),
        false => Say::Json(403, refusal(403, "Forbidden")),
    };
    let came = answered_by(say, async |api| {
        let namespace = Namespace::of(api, &NamespaceOptions::default());
        let object = ObjectRef { target: "shop".into(), kind: "job.batch".into(), name: "migrate".into() };
        for _ in 0..3 {
            assert_eq!(namespace.shared.look(&cx(), &object).await.unwrap().health, Health::Healthy);
        }
    });
    // it isn't tried each time
    assert_eq!(came.iter().filter(|asked| !asked.path.contains("/jobs/migrate")).count(), 1, "{came:?}");
}

/// Its controller may clear it away at once: what it was last is what counts.
#[test]
fn a_job_that_is_gone_has_ended_as_it_was_seen_last() {
    for (end, expected) in [
        (Some("Complete"), Health::Healthy),
        (Some("Failed"), Health::Unhealthy("it failed: no".into())),
        (
            None,
            Health::Unhealthy(
                "it is gone, and nobody saw how it ended: somebody deleted it, or its `ttlSecondsAfterFinished` is over".into(),
            ),
        ),
    ] {
        let conditions = end.map(|end| json!({ "type": end, "status": "True", "message": "no" }));
        let last = job("2", conditions.into_iter().collect());
        let say = move |asked: &Asked| match (asked.path.contains("/jobs"), asked.path.contains("watch=true")) {
            (true, false) => Say::Json(200, list("Job", "1", &[job("1", json!([]))])),
            (true, true) => Say::Watch(vec![event("DELETED", last.clone())]),
            (false, false) => Say::Json(200, list("Pod", "1", &[])),
            (false, true) => Say::Watch(Vec::new()),
        };
        answered_by(say, async |api| {
            let namespace = Namespace::of(api, &NamespaceOptions::default());
            let object = ObjectRef { target: "shop".into(), kind: "job.batch".into(), name: "migrate".into() };
            let end = async {
                loop {
                    match namespace.shared.look(&cx(), &object).await.unwrap().health {
                        Health::Waiting(_) => sleep(Duration::from_millis(10)).await,
                        end => return end,
                    }
                }
            };
            assert_eq!(timeout(Duration::from_secs(10), end).await, Ok(expected));
        });
    }
}

#[test]
fn a_key_is_found_whose_answer_was_lost() {
    let mut stored = Value::Null;
    let say = move |asked: &Asked| match (asked.method.as_str(), stored.is_null()) {
        ("POST", _) => {
            stored = asked.body.clone();
            Say::Nothing
        }
        (_, true) => Say::Json(404, refusal(404, "NotFound")),
        (_, false) => Say::Json(200, stored.clone()),
    };
    let came = answered_by(say, async |api| {
        Store::new(api).key().await.unwrap();
    });
    let asked: Vec<_> = came.iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(asked, ["GET", "POST", "GET"]);
}

#[test]
fn a_lease_is_ours_whose_answer_was_lost() {
    let mut taken = Value::Null;
    let say = move |asked: &Asked| match (asked.method.as_str(), taken.is_null()) {
        ("GET", _) if asked.path.contains("/configmaps") => Say::Json(200, list("ConfigMap", "1", &[])),
        ("GET", true) => Say::Json(404, refusal(404, "NotFound")),
        ("GET", false) => Say::Json(200, taken.clone()),
        _ => {
            taken = asked.body.clone();
            Say::Nothing
        }
    };
    let came = answered_by(say, async |api| {
        let lease = KubeLease::new(api, Millis::from_secs(15), Arc::<Held>::default());
        let grant = lease.take("ana").await.unwrap();
        assert_eq!((grant.fence, grant.before), (Fence(1), LeaseEnd::Freed));
    });
    assert_eq!(count(&came, "POST"), 1);
}

#[test]
fn the_oldest_journals_are_cleared_away_with_the_lease_taken_and_may_stay() {
    for code in [200, 403] {
        let say = move |asked: &Asked| match asked.method.as_str() {
            "GET" if asked.path.contains("/configmaps") => {
                let journal = |number: u32| json!({ "metadata": { "name": format!("deploy-journal-{number}"), "namespace": "shop" } });
                Say::Json(200, list("ConfigMap", "1", &(1..=103).map(journal).collect::<Vec<_>>()))
            }
            "GET" => Say::Json(404, refusal(404, "NotFound")),
            "DELETE" if code == 403 => Say::Json(403, refusal(403, "Forbidden")),
            "DELETE" => Say::Json(200, json!({ "kind": "Status", "apiVersion": "v1", "metadata": {} })),
            _ => Say::Json(201, asked.body.clone()),
        };
        let came = answered_by(say, async |api| {
            let lease = KubeLease::new(api, Millis::from_secs(15), Arc::<Held>::default());
            lease.take("ana").await.unwrap();
        });
        let deleted: Vec<_> = came.iter().filter(|asked| asked.method == "DELETE").collect();
        assert!(
            came.iter().position(|asked| asked.method == "POST") < came.iter().position(|one| one.method == "DELETE")
        );
        let names: Vec<_> = deleted.iter().filter_map(|asked| asked.path.rsplit('/').next()).collect();
        let all = ["deploy-journal-2?", "deploy-journal-1?"];
        assert_eq!(names, if code == 200 { &all[..] } else { &all[..1] });
    }
}

#[test]
fn a_server_that_asks_for_time_is_given_it() {
    let mut refused = false;
    let say = move |_: &Asked| match std::mem::replace(&mut refused, true) {
        false => Say::With(429, "retry-after: 1", refusal(429, "TooManyRequests")),
        true => Say::Json(200, service("web", "1")),
    };
    let came = answered_by(say, async |api| {
        assert!(api.get::<Service>("web").await.unwrap().is_some());
    });
    assert_eq!(came.len(), 2);
    assert!(came[1].at - came[0].at >= Duration::from_secs(1), "{came:?}");
}

#[test]
fn a_server_in_trouble_may_recover() {
    for code in [500, 503, 504] {
        let mut asked = 0;
        let say = move |_: &Asked| {
            asked += 1;
            match asked {
                1 => Say::Json(code, refusal(code, "InternalError")),
                _ => Say::Json(200, service("web", "1")),
            }
        };
        answered_by(say, async |api| {
            let answer = api.get::<Service>("web").await.map_err(TargetError::from);
            // the client itself tries again what wasn't begun
            match answer {
                Err(error) => assert!(code == 500 && error.is_retryable(), "{code}: {error}"),
                Ok(there) => assert!(code != 500 && there.is_some()),
            }
        });
    }
}

/// Waits until a Service is seen.
async fn seen(watched: &Watched<Service>, name: &str) {
    let see = async {
        while watched.get(name).is_none() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), see).await.unwrap_or_else(|_| panic!("{name} was never seen"));
}

#[test]
fn a_watch_that_is_gone_is_begun_anew_with_a_list() {
    let mut lists = 0;
    let say = move |asked: &Asked| match (asked.path.contains("watch=true"), lists) {
        (false, _) => {
            lists += 1;
            let name = ["old", "new"][lists.min(2) - 1];
            Say::Json(200, list("Service", &lists.to_string(), &[service(name, &lists.to_string())]))
        }
        (true, 1) => Say::Watch(vec![event("ERROR", refusal(410, "Expired"))]),
        (true, _) => Say::Watch(Vec::new()),
    };
    answered_by(say, async |api| {
        let watched = watched(&api);
        seen(&watched, "new").await;
        assert!(watched.get("old").is_none(), "what went in between isn't there any more");
        watched.up().await.unwrap();
    });
}

#[test]
fn a_watch_that_was_cut_goes_on_where_it_was() {
    let mut watches = 0;
    let say = move |asked: &Asked| {
        if !asked.path.contains("watch=true") {
            return Say::Json(200, list("Service", "1", &[service("one", "1")]));
        }
        watches += 1;
        match watches {
            1 => Say::Torn(vec![event("ADDED", service("two", "2"))]),
            _ => Say::Watch(vec![event("ADDED", service("three", "3"))]),
        }
    };
    let came = answered_by(say, async |api| {
        let watched = watched(&api);
        seen(&watched, "three").await;
        assert!(watched.get("one").is_some() && watched.get("two").is_some());
    });
    assert!(came[2].path.contains("resourceVersion=2"), "{}", came[2].path);
}

#[test]
fn an_older_server_says_which_kind_it_lacks() {
    let say = |_: &Asked| Say::Json(404, refusal(404, "NotFound"));
    answered_by(say, async |api| {
        let unknown = Kinds::default().resolve(&api, "batch/v1", "CronJob").await.unwrap_err();
        let TargetError::Rejected { why } = unknown else { panic!("{unknown}") };
        assert!(why.contains("found CronJob of batch/v1; look at `kubectl api-resources`"), "{why}");
        let unknown = watched(&api).up().await.unwrap_err();
        assert!(matches!(unknown, TargetError::Rejected { .. }), "{unknown}");
    });
}

#[test]
fn what_only_a_newer_server_knows_is_kept() {
    let template = json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [], "newField": { "a": [1] }, "restartPolicy": "Sometimes" } });
    let there = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "resourceVersion": "1", "annotations": {}, "newMeta": true },
        "spec": { "replicas": 1, "strategy": { "type": "Sideways" }, "newSpec": 7, "template": template },
        "status": { "newStatus": "x" },
    });
    answered_by(
        move |_: &Asked| Say::Json(200, there.clone()),
        async |api| {
            let deployment: Deployment = api.get("web").await.unwrap().unwrap();
            let content = Content::of(&deployment);
            assert_eq!(content.template, template);
            let again = content.deployment().unwrap();
            assert_eq!((&again.spec["newSpec"], &again.spec["strategy"]["type"]), (&json!(7), &json!("Sideways")));
            // a write names what it changes, and nothing else
            let patch = Change::new(JsonPatch::new().set("/spec/paused", true)).stamped(&cx(), &deployment);
            let paths: Vec<_> = patch.into_value().as_array().unwrap().iter().map(|op| op["path"].clone()).collect();
            let stamp = "/metadata/annotations/deploy-rs.github.io~1fence";
            assert_eq!(paths, ["/metadata/resourceVersion", "/spec/paused", stamp]);
        },
    );
}

#[test]
fn a_single_pod_that_will_not_run_is_told_with_the_clusters_words() {
    let waits = |reason: &str, message: &str| {
        let waiting = json!({ "state": { "waiting": { "reason": reason, "message": message } } });
        let status = json!({ "name": "a", "ready": false, "restartCount": 0, "image": "i", "imageID": "" });
        let status = [status, waiting].iter().flat_map(|part| part.as_object().unwrap().clone()).collect::<Value>();
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "one", "resourceVersion": "2" },
            "status": { "containerStatuses": [status] },
        })
    };
    for (reason, message, words) in [
        ("ErrImageNeverPull", "i is not present", "may not be pulled: i is not present"),
        ("ContainerCreating", "a volume", "within 1 s: a: a volume"),
    ] {
        let pod = waits(reason, message);
        let say = move |asked: &Asked| match asked.method.as_str() {
            "POST" => Say::Json(201, pod.clone()),
            _ if asked.path.contains("watch=true") => Say::Watch(Vec::new()),
            _ => Say::Json(200, list("Pod", "2", std::slice::from_ref(&pod))),
        };
        answered_by(say, async |api| {
            let one = json!({ "metadata": { "name": "one" }, "spec": { "containers": [] } });
            let error = Scratch::of(api).start(&one, Duration::from_secs(1)).await.unwrap_err();
            assert!(matches!(&error, TargetError::Rejected { why } if why.ends_with(words)), "{error}");
        });
    }
}
