use super::{
    needs::Permissions,
    rule::{Necessity, Rule},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What Roles are called here.
pub(super) const NAME: &str = "deploy";
const API_VERSION: &str = "rbac.authorization.k8s.io/v1";

/// Permissions as Kubernetes' RBAC has them: a Role and, where the input has kinds without a namespace, a ClusterRole.
#[derive(Clone, Debug)]
pub struct Roles {
    namespace: String,
    role: Vec<Rule>,
    cluster_role: Vec<Rule>,
    /// What people should know of them.
    pub notes: Vec<String>,
}

impl Permissions {
    /// The roles that allow it in a namespace. Asks no cluster: how kinds are reached that aren't Kubernetes' own, and that
    /// the input doesn't define, is guessed from their names, and noted.
    pub fn roles(&self, namespace: &str) -> Roles {
        let rules = self.rules(&BTreeMap::new());
        let note = |(group, kind): &(String, String)| {
            format!(
                "The resource of {kind} of {group} is taken from its name, and for one that has a namespace; look at \
                 `kubectl api-resources --api-group={group}`."
            )
        };
        Roles {
            namespace: namespace.into(),
            notes: rules.guessed.iter().map(note).collect(),
            role: rules.namespaced,
            cluster_role: rules.cluster_wide,
        }
    }
}

impl Roles {
    /// As objects.
    pub fn objects(&self) -> Vec<Value> {
        let as_object = |(kind, metadata, rules): (&str, Value, &[Rule])| {
            let rules: Vec<_> = rules.iter().map(object).collect();
            json!({ "apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "rules": rules })
        };
        self.all().into_iter().map(as_object).collect()
    }

    /// As YAML, with comments for people who decide whether to allow it.
    pub fn yaml(&self) -> String {
        let as_text = |(kind, metadata, rules): (&str, Value, &[Rule])| {
            let mut text = format!("apiVersion: {API_VERSION}\nkind: {kind}\nmetadata:\n");
            for (name, value) in metadata.as_object().into_iter().flatten() {
                text.push_str(&format!("  {name}: {value}\n"));
            }
            text.push_str("rules:\n");
            rules.iter().for_each(|rule| text.push_str(&yaml(rule)));
            text
        };
        self.all().into_iter().map(as_text).collect::<Vec<_>>().join("---\n")
    }

    /// Kind, metadata and rules of each.
    fn all(&self) -> Vec<(&'static str, Value, &[Rule])> {
        let mut all = vec![("Role", json!({ "name": NAME, "namespace": self.namespace }), &*self.role)];
        if !self.cluster_role.is_empty() {
            all.push(("ClusterRole", json!({ "name": cluster_role(&self.namespace) }), &self.cluster_role));
        }
        all
    }
}

fn object(rule: &Rule) -> Value {
    let mut object = json!({ "apiGroups": [rule.group], "resources": [rule.resource] });
    if !rule.names.is_empty() {
        object["resourceNames"] = json!(rule.names);
    }
    object["verbs"] = json!(rule.verbs());
    object
}

fn yaml(rule: &Rule) -> String {
    let may_go = match rule.necessity {
        Necessity::Must => "",
        Necessity::Helps => "; deployments go on without it",
    };
    let mut text = format!("# {}{may_go}\n", rule.purpose);
    let object = object(rule);
    for (index, (name, list)) in object.as_object().into_iter().flatten().enumerate() {
        let list: Vec<_> = list.as_array().into_iter().flatten().map(Value::to_string).collect();
        let begin = if index == 0 { "- " } else { "  " };
        text.push_str(&format!("{begin}{name}: [{}]\n", list.join(", ")));
    }
    text
}

/// What a namespace's ClusterRole is called: there may be others'.
pub(super) fn cluster_role(namespace: &str) -> String {
    format!("{NAME}-{namespace}")
}
