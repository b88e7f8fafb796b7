//! What is needed for which input, how it is printed, and what is asked of the API server.

use super::Permissions;
use crate::{
    Input,
    api::Api,
    manifest::Manifests,
    namespace::{Namespace, NamespaceOptions},
    testing::{
        fake::{Asked, Say, answered_by, list, refusal},
        run,
    },
};
use serde_json::{Value, json};

const INPUT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec: { template: { spec: { serviceAccountName: runner, containers: [{ envFrom: [{ secretRef: { name: db } }] }] } } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: app }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: geese.example.com }
spec: { group: example.com, scope: Cluster, names: { kind: Goose, plural: geese } }
---
apiVersion: example.com/v1
kind: Goose
metadata: { name: gray }
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: shop }
";

fn input(text: &str) -> Manifests {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.yaml");
    std::fs::write(&path, text).unwrap();
    run(Input { paths: vec![path], kind: None }.load(Some("shop"), "default")).unwrap()
}

/// The rules of the role of that number, a line each: `verbs group/resource names`.
fn lines(permissions: &Permissions, number: usize) -> Vec<String> {
    let words = |list: &Value| {
        let words: Vec<_> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        words.join(",")
    };
    let line = |rule: &Value| {
        let [verbs, group, resource, names] =
            ["verbs", "apiGroups", "resources", "resourceNames"].map(|field| words(&rule[field]));
        format!("{verbs} {group}/{resource} {names}").trim_end().to_owned()
    };
    permissions.roles("shop").objects()[number]["rules"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn an_input_adds_what_its_kinds_need() {
    let always = lines(&Permissions::always(), 0);
    let needed = Permissions::of(&input(INPUT));
    let of_input = lines(&needed, 0);
    let added: Vec<_> = of_input.iter().filter(|line| !always.contains(line)).map(String::as_str).collect();
    assert_eq!(
        added,
        [
            "get,list,create,patch,delete /configmaps",
            "list,watch,delete /pods",
            "get,list,watch /serviceaccounts",
            "get,create,patch,delete apps/statefulsets",
            "list,watch apps/statefulsets",
            "get,create,patch,delete cert-manager.io/certificates",
            "get,create,patch,delete networking.k8s.io/ingresses",
        ]
    );
    assert_eq!(
        lines(&needed, 1),
        [
            "get /namespaces shop",
            "list,watch,patch,delete /namespaces shop",
            "create /namespaces",
            "get apiextensions.k8s.io/customresourcedefinitions geese.example.com",
            "list,watch,patch,delete apiextensions.k8s.io/customresourcedefinitions geese.example.com",
            "create apiextensions.k8s.io/customresourcedefinitions",
            "get example.com/geese gray",
            "patch,delete example.com/geese gray",
            "create example.com/geese",
        ]
    );
    let notes = needed.roles("shop").notes;
    assert!(notes.len() == 1 && notes[0].contains("Certificate of cert-manager.io"), "{notes:?}");
    assert_eq!(Permissions::always().roles("shop").objects().len(), 1, "no ClusterRole without need");
    let smoke = lines(&Permissions::always().with_smoke_checks(), 0);
    let added: Vec<_> = smoke.iter().filter(|line| !always.contains(line)).collect();
    assert_eq!(added, ["get /pods/proxy"]);
}

#[test]
fn the_text_says_what_the_objects_say() {
    let roles = Permissions::of(&input(INPUT)).roles("true");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roles.yaml");
    std::fs::write(&path, roles.yaml()).unwrap();
    let read = run(Input { paths: vec![path], kind: None }.load(None, "default")).unwrap();
    let read: Vec<_> = read.objects().iter().map(|one| one.object().clone()).collect();
    assert_eq!(read, roles.objects());
    assert_eq!(read[0]["metadata"]["namespace"], "true");
    assert_eq!(read[1]["metadata"]["name"], "deploy-true");
    assert!(roles.yaml().contains("# the cluster's warnings about a pod that fails; deployments go on without it\n"));
}

/// What the checks ask of a server whose answer to the question for all rules is `rules`, and to each other one whether it is
/// `allowed`; with what came of it.
fn asked(needed: Permissions, rules: Say, allowed: fn(&Value) -> Say) -> (Vec<Asked>, Result<(), String>) {
    let (mut rules, mut came) = (Some(rules), Ok(()));
    let say = move |asked: &Asked| match asked
        .path
        .split('?')
        .next()
        .and_then(|path| path.rsplit('/').next())
        .unwrap_or_default()
    {
        "selfsubjectrulesreviews" => rules.take().unwrap(),
        "selfsubjectaccessreviews" => allowed(&asked.body["spec"]["resourceAttributes"]),
        _ => {
            let mut status = refusal(403, "Forbidden");
            status["message"] = json!(r#"it is forbidden: User "system:serviceaccount:ci:shop" cannot create it"#);
            Say::Json(403, status)
        }
    };
    let result = &mut came;
    let asked = answered_by(say, async |api: Api| {
        let namespace = Namespace::of(api, &NamespaceOptions::default());
        *result = namespace.may(&needed).await.map_err(|error| error.to_string());
    });
    (asked, came)
}

fn rules(rules: Value) -> Say {
    let status = json!({ "resourceRules": rules, "nonResourceRules": [], "incomplete": true });
    Say::Json(201, review("SelfSubjectRulesReview", json!({ "namespace": "shop" }), status))
}

fn review(kind: &str, spec: Value, status: Value) -> Value {
    json!({ "apiVersion": "authorization.k8s.io/v1", "kind": kind, "metadata": {}, "spec": spec, "status": status })
}

fn access(allowed: bool) -> Say {
    Say::Json(201, review("SelfSubjectAccessReview", json!({}), json!({ "allowed": allowed })))
}

#[test]
fn one_question_is_enough_where_the_rules_tell_all() {
    let all = rules(json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }]));
    let (asked, came) = asked(Permissions::always().with_smoke_checks(), all, |_| access(false));
    assert_eq!((asked.len(), came), (1, Ok(())));
    assert_eq!(asked[0].body["spec"]["namespace"], "shop");
}

#[test]
fn what_the_rules_dont_tell_is_asked_one_by_one() {
    let role = Permissions::always().roles("shop").objects().remove(0)["rules"].take();
    let most = role.as_array().unwrap().iter().filter(|rule| rule["resources"][0] != "secrets");
    let most = rules(most.cloned().collect());
    let (asked, came) = asked(Permissions::always(), most, |of| access(of["resource"] == "secrets"));
    assert_eq!((asked.len(), came), (1 + 5, Ok(())));
    assert!(asked[1..].iter().all(|asked| asked.body["spec"]["resourceAttributes"]["namespace"] == "shop"));
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let needed = || Permissions::of(&input(INPUT)).with_smoke_checks();
    let refused = |of: &Value| {
        let is = |resource: &str, verb: &str| of["resource"] == resource && of["verb"] == verb;
        let is_refused =
            is("secrets", "patch") || is("secrets", "get") || is("leases", "patch") || is("namespaces", "get");
        access(!is_refused && of["subresource"] != "proxy")
    };
    let (asked, came) = asked(needed(), rules(json!([])), refused);
    let said = came.unwrap_err();
    for words in [
        "expected system:serviceaccount:ci:shop to be allowed",
        "\n  get, patch secrets in namespace shop\n",
        "\n  get pods/proxy in namespace shop\n",
        "\n  patch leases.coordination.k8s.io deploy in namespace shop\n",
        "\n  get namespaces shop in the whole cluster\n",
        "`kubectl create rolebinding deploy -n shop --role=deploy --serviceaccount=ci:shop`",
        "`kubectl create clusterrolebinding deploy-shop --clusterrole=deploy-shop --serviceaccount=ci:shop`",
    ] {
        assert!(said.contains(words), "expected {words}, but found {said}");
    }
    assert!(!said.contains("events"), "what helps only isn't asked for: {said}");
    let of = |resource: &str| {
        let all = asked.iter().map(|asked| &asked.body["spec"]["resourceAttributes"]);
        all.filter(|of| of["resource"] == resource).cloned().collect::<Vec<_>>()
    };
    // whoever may do it in the namespace alone may not do it with what has none
    assert!(of("geese").iter().all(|of| of["namespace"].is_null() && of["group"] == "example.com"));
    assert!(of("namespaces").iter().all(|of| of["namespace"] == of["name"]));
}

#[test]
fn what_goes_on_without_an_input_needs_what_was_brought() {
    let say = |asked: &Asked| match asked.path.split('?').next().unwrap_or_default() {
        "/api/v1/namespaces/shop/configmaps" => Say::Json(200, list("ConfigMap", "1", &[])),
        "/api/v1/namespaces/shop/configmaps/deploy-objects" => {
            let entries = r#"[{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","name":"web"}]"#;
            let there = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "deploy-objects" },
                "data": { "objects": entries },
            });
            Say::Json(200, there)
        }
        path if path.ends_with("/selfsubjectaccessreviews") => {
            access(asked.body["spec"]["resourceAttributes"]["group"] != "networking.k8s.io")
        }
        _ => Say::Json(403, refusal(403, "Forbidden")),
    };
    answered_by(say, async |api: Api| {
        let namespace = Namespace::of(api, &NamespaceOptions::default());
        let missing = namespace.may_go_on().await.unwrap_err().to_string();
        assert!(
            missing.contains("get, create, patch, delete ingresses.networking.k8s.io in namespace shop"),
            "{missing}"
        );
        assert!(missing.contains("the kubeconfig's user") && missing.contains("--user=NAME"), "{missing}");
    });
}

#[test]
fn what_cant_be_asked_is_tried() {
    for code in [403, 404, 500] {
        let no = move || Say::Json(code, refusal(code, "No"));
        let allowed: fn(&Value) -> Say = match code {
            403 => |_| Say::Json(403, refusal(403, "No")),
            404 => |_| Say::Json(404, refusal(404, "No")),
            _ => |_| Say::Json(500, refusal(500, "No")),
        };
        let (asked, came) = asked(Permissions::always(), no(), allowed);
        assert_eq!(came, Ok(()), "{code}");
        assert!(asked.len() > 20);
    }
}
