use crate::ground::{Ground, kubectl, kubectl_with};
use serde_json::{Value, json};
use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

/// What the Deployment is configured by.
const CONFIG: &str = "\
---
apiVersion: v1
kind: ConfigMap
metadata: { name: app }
data: { COLOUR: blue }
---
apiVersion: v1
kind: Secret
metadata: { name: app }
stringData: { PASSWORD: of version ";
/// How long the API server may take to heed another Role.
const HEEDED_BY: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);
/// The resources of which a deployment goes on without reading them. Pods are listed by another rule.
const HELPFUL: [&str; 3] = ["pods get", "pods/log get", "events list"];
/// What there may be that a deployment makes.
const KINDS: &str = "deployments,services,configmaps,secrets,leases";

/// A ServiceAccount that may do what a Role says, and nothing else.
struct Deployer<'g> {
    ground: &'g Ground,
    rules: Vec<Value>,
}

impl<'g> Deployer<'g> {
    /// With the Role that is printed for this input.
    fn new(ground: &'g Ground, input: &[&str]) -> Self {
        let namespace = ground.namespace();
        let (status, printed) = ground.deploy(&[&["rbac"], input].concat());
        assert_eq!(status, 0, "{printed}");
        kubectl_with(&["apply", "-f", "-"], &printed);
        kubectl(&["--namespace", namespace, "create", "serviceaccount", "deployer"]);
        let account = format!("--serviceaccount={namespace}:deployer");
        kubectl(&["--namespace", namespace, "create", "rolebinding", "deploy", "--role=deploy", &account]);
        let role = kubectl(&["--namespace", namespace, "get", "role", "deploy", "-o", "json"]);
        let role: Value = serde_json::from_str(&role).unwrap();
        let mut config = kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
        let mut user: Value = serde_json::from_str(&config).unwrap();
        user["users"][0]["user"] = json!({ "token": token(namespace) });
        config = user.to_string();
        fs::write(ground.folder.path().join("deployer"), config).unwrap();
        Self { ground, rules: role["rules"].as_array().unwrap().clone() }
    }

    fn deploy(&self, args: &[&str]) -> (i32, String) {
        self.ground.deploy(&[args, &["--kubeconfig", "deployer", "--settle", "500ms"]].concat())
    }

    fn done(&self, args: &[&str], words: &str) {
        let (status, said) = self.deploy(args);
        assert_eq!(status, 0, "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: expected {words}, but found {said}");
    }

    /// Has these rules hold, from when the API server heeds them: `can` and `cannot` tell, each a verb and a resource.
    fn hold(&self, rules: &[&Value], can: &[&Value], cannot: &[&Value]) {
        let role = json!({ "rules": rules }).to_string();
        kubectl(&["--namespace", self.ground.namespace(), "patch", "role", "deploy", "--type=merge", "-p", &role]);
        let last = Instant::now() + HEEDED_BY;
        while can.iter().any(|rule| !self.may(rule)) || cannot.iter().any(|rule| self.may(rule)) {
            assert!(Instant::now() < last, "expected {role} to be heeded");
            sleep(LOOK);
        }
    }

    /// Whether the first thing of a rule is allowed.
    fn may(&self, rule: &Value) -> bool {
        let text = |field: &str| rule[field][0].as_str().unwrap_or_default();
        let name = rule["resourceNames"][0].as_str().unwrap_or_default();
        let (resource, sub) = text("resources").split_once('/').unwrap_or((text("resources"), ""));
        let attributes = json!({
            "namespace": self.ground.namespace(), "verb": text("verbs"), "group": text("apiGroups"), "resource": resource,
            "subresource": sub, "name": name,
        });
        let user = format!("system:serviceaccount:{}:deployer", self.ground.namespace());
        let question = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": { "user": user, "resourceAttributes": attributes },
        });
        let at = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = kubectl_with(&["create", "--raw", at, "-f", "-"], &question.to_string());
        serde_json::from_str::<Value>(&answer).unwrap()["status"]["allowed"] == true
    }
}

/// What the ServiceAccount is known by. Newer servers keep none in a Secret.
fn token(namespace: &str) -> String {
    let question = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    let at = format!("/api/v1/namespaces/{namespace}/serviceaccounts/deployer/token");
    let answer = kubectl_with(&["create", "--raw", &at, "-f", "-"], &question.to_string());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["status"]["token"].as_str().unwrap().to_owned()
}

/// A Deployment with a Service, a ConfigMap and a Secret.
fn write(ground: &Ground, version: &str) {
    let file = format!("{version}.yaml");
    ground.write(&file, version);
    let path = ground.folder.path().join(file);
    let web = fs::read_to_string(&path).unwrap();
    let from = "envFrom: [{ configMapRef: { name: app } }, { secretRef: { name: app } }]";
    let web = web.replace("        env: [", &format!("        {from}\n        env: ["));
    assert!(web.contains(from));
    fs::write(path, format!("{web}{CONFIG}{version} }}\n")).unwrap();
}

#[test]
fn the_role_that_is_printed_is_enough_and_no_rule_of_it_is_too_much() {
    let Some(ground) = Ground::new("permissions") else { return };
    ["1", "2"].iter().for_each(|version| write(&ground, version));
    let smoke = ["--smoke", "web:8080/healthz"];
    let deployer = Deployer::new(&ground, &[&["-f", "1.yaml"], &smoke[..]].concat());
    let is_helpful = |rule: &&Value| {
        let text = format!("{} {}", rule["resources"][0].as_str().unwrap(), rule["verbs"][0].as_str().unwrap());
        HELPFUL.contains(&text.as_str()) && rule["verbs"].as_array().unwrap().len() == 1
    };
    let (helpful, musts): (Vec<_>, Vec<_>) = deployer.rules.iter().partition(is_helpful);
    assert_eq!((helpful.len(), musts.len()), (3, 10), "{:?}", deployer.rules);

    let before = ground.names(KINDS);
    let mut gone = Vec::new();
    for without in &musts {
        let rules: Vec<_> = deployer.rules.iter().filter(|rule| rule != without).collect();
        deployer.hold(&rules, &gone, &[without]);
        let (status, said) = deployer.deploy(&[&["up", "-f", "1.yaml"], &smoke[..]].concat());
        assert_eq!(status, 1, "{without}: {said}");
        let words = |field: &str| without[field].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        for words in words("verbs").chain(words("resources")).chain(["nothing was changed", "rolebinding", ":deployer"])
        {
            assert!(said.contains(words), "expected {words}, but found {said}");
        }
        let missing: Vec<_> = said.lines().filter(|line| line.starts_with("  ")).collect();
        assert_eq!(missing.len(), 1, "{without}: {said}");
        gone = vec![*without];
    }
    assert_eq!(ground.names(KINDS), before, "nothing was changed");

    // who may not deploy may plan
    let (leases, others): (Vec<_>, Vec<_>) = musts.iter().partition(|rule| rule["resources"][0] == "leases");
    deployer.hold(&others, &gone, &leases);
    deployer.done(&[&["plan", "-f", "1.yaml"], &smoke[..]].concat(), "web");
    deployer.hold(&musts, &leases, &helpful);
    deployer.done(&["up", "-f", "1.yaml"], "deployment 1 done");
    deployer.hold(&deployer.rules.iter().collect::<Vec<_>>(), &helpful, &[]);
    let blue_green = ["up", "-f", "2.yaml", "--strategy", "blue-green"];
    deployer.done(&[&blue_green[..], &smoke].concat(), "deployment 2 done");
    deployer.done(&["status"], "deployment 2 (blue-green");
    deployer.done(&["logs", "web"], "  | ");
    let broken = fs::read_to_string(ground.folder.path().join("2.yaml")).unwrap();
    fs::write(ground.folder.path().join("broken.yaml"), broken.replace("image: ", "image: no//")).unwrap();
    let (status, said) = deployer.deploy(&["up", "-f", "broken.yaml", "--strategy", "blue-green"]);
    assert_eq!((status, said.contains("InvalidImageName")), (3, true), "{said}");
    deployer.done(&["rollback"], "deployment 4 done");

    // what goes on without files is asked for what it needs as well
    let without: Vec<_> = musts.iter().copied().filter(|rule| rule["resources"][0] != "replicasets").collect();
    let sets: Vec<_> = musts.iter().copied().filter(|rule| rule["resources"][0] == "replicasets").collect();
    deployer.hold(&without, &[], &sets);
    for args in [&["rollback", "2"][..], &["down"], &["abort"], &["resume"], &["up", "--plan", "plan.json"]] {
        if args[0] == "up" {
            let (status, said) = ground.deploy(&["plan", "-f", "2.yaml", "--out", "plan.json"]);
            assert_eq!(status, 0, "{said}");
        }
        let (status, said) = deployer.deploy(args);
        assert_eq!((status, said.contains("replicasets.apps")), (1, true), "{args:?}: {said}");
    }
    deployer.hold(&deployer.rules.iter().collect::<Vec<_>>(), &sets, &[]);
    deployer.done(&["down"], "is down");
    assert_eq!(ground.names("deployments,services"), "");
}
