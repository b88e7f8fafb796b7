//! What a pod template refers to by name. What is missing is told before anything is applied: a pod would wait for it, some
//! of it without a word.

use super::PrepareError;
use crate::{
    api::Kind,
    manifest::{Manifest, is_cluster_wide},
    shared::Shared,
};
use deploy_compose::{Place, Problem};
use deploy_core::target::TargetError;
use futures_util::future::try_join_all;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, ServiceAccount};
use serde_json::Value;
use std::collections::BTreeSet;

/// A name in a pod template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// The way to the name from the template, a list's items by their numbers.
    pub(super) way: Vec<String>,
    pub(super) need: Need,
}

/// What becomes of a pod where it isn't there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It doesn't start.
    Must,
    /// It starts without it.
    May,
    /// It starts where the image needs no credentials, or is on the node.
    Pull,
}

/// The places of references in a container, and in a volume: their ways, and the kind. What is optional says so beside the
/// name.
const IN_CONTAINERS: [(&str, &str, &str); 4] = [
    ("env", "valueFrom/configMapKeyRef/name", "ConfigMap"),
    ("env", "valueFrom/secretKeyRef/name", "Secret"),
    ("envFrom", "configMapRef/name", "ConfigMap"),
    ("envFrom", "secretRef/name", "Secret"),
];
const IN_VOLUMES: [(&str, &str); 3] = [
    ("configMap/name", "ConfigMap"),
    ("secret/secretName", "Secret"),
    ("persistentVolumeClaim/claimName", "PersistentVolumeClaim"),
];
const IN_SOURCES: [(&str, &str); 2] = [("configMap/name", "ConfigMap"), ("secret/name", "Secret")];

/// Everything that a pod template refers to.
pub(super) fn references(template: &Value) -> Vec<Reference> {
    let mut found = Found { template, references: Vec::new() };
    for containers in ["initContainers", "containers"] {
        for container in found.items(&format!("spec/{containers}")) {
            for (list, at, kind) in IN_CONTAINERS {
                for item in found.items(&format!("{container}/{list}")) {
                    found.add(kind, &format!("{item}/{at}"), Need::Must);
                }
            }
        }
    }
    for volume in found.items("spec/volumes") {
        for (at, kind) in IN_VOLUMES {
            found.add(kind, &format!("{volume}/{at}"), Need::Must);
        }
        for source in found.items(&format!("{volume}/projected/sources")) {
            for (at, kind) in IN_SOURCES {
                found.add(kind, &format!("{source}/{at}"), Need::Must);
            }
        }
    }
    found.add("ServiceAccount", "spec/serviceAccountName", Need::Must);
    for secret in found.items("spec/imagePullSecrets") {
        found.add("Secret", &format!("{secret}/name"), Need::Pull);
    }
    found.references
}

/// The kinds of what an input's Deployments need and it doesn't bring: that is looked for in the namespace.
pub(crate) fn looked_for(input: &[Manifest]) -> BTreeSet<&'static str> {
    let deployments = input.iter().filter(|one| one.group() == "apps" && one.kind() == "Deployment");
    deployments.flat_map(|one| not_given(one, input)).map(|one| one.kind).collect()
}

/// What a Deployment's pods need and the input doesn't bring.
fn not_given(manifest: &Manifest, input: &[Manifest]) -> Vec<Reference> {
    let mut references = references(&manifest.object()["spec"]["template"]);
    // every namespace gets one of this name, if not at once
    let is_default = |one: &Reference| one.kind == "ServiceAccount" && one.name == "default";
    references
        .retain(|one| one.need != Need::May && !is_default(one) && !input.iter().any(|given| one.comes_with(given)));
    references
}

fn says(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text == name,
        Value::Array(items) => items.iter().any(|item| says(item, name)),
        Value::Object(fields) => fields.values().any(|field| says(field, name)),
        _ => false,
    }
}

struct Found<'t> {
    template: &'t Value,
    references: Vec<Reference>,
}

impl Found<'_> {
    fn at(&self, way: &str) -> Option<&Value> {
        self.template.pointer(&format!("/{way}"))
    }

    /// The ways to a list's items.
    fn items(&self, list: &str) -> Vec<String> {
        let items = self.at(list).and_then(Value::as_array).map_or(0, Vec::len);
        (0..items).map(|index| format!("{list}/{index}")).collect()
    }

    fn add(&mut self, kind: &'static str, way: &str, need: Need) {
        let Some(name) = self.at(way).and_then(Value::as_str).filter(|name| !name.is_empty()) else { return };
        let name = name.to_owned();
        let beside = way.rsplit_once('/').and_then(|(around, _)| self.at(around));
        let need = match beside {
            Some(around) if around["optional"] == true => Need::May,
            _ => need,
        };
        self.references.push(Reference { kind, name, way: way.split('/').map(str::to_owned).collect(), need });
    }
}

impl Reference {
    /// Whether an object of the input is it, or may have it made: one of a kind that isn't Kubernetes' own, and says the name.
    fn comes_with(&self, given: &Manifest) -> bool {
        match is_cluster_wide(given.group(), given.kind()) {
            Some(_) => given.group().is_empty() && given.kind() == self.kind && given.name() == self.name,
            None => says(given.object(), &self.name),
        }
    }

    fn place(&self, manifest: &Manifest) -> Place {
        manifest.place_of(["spec", "template"].into_iter().chain(self.way.iter().map(String::as_str))).clone()
    }

    /// The way as people write it: `spec.volumes[0].configMap.name`.
    fn path(&self) -> String {
        self.way.iter().fold("spec.template".to_owned(), |path, name| match name.parse::<usize>() {
            Ok(index) => format!("{path}[{index}]"),
            Err(_) => format!("{path}.{name}"),
        })
    }
}

impl Shared {
    /// Looks whether all that a Deployment's pods refer to is in the input or in the namespace. What may not be read counts as
    /// there. Yields what people should know.
    ///
    /// # Errors
    /// [`PrepareError::Missing`], with every reference that leads nowhere.
    pub(super) async fn check_references(
        &self,
        manifest: &Manifest,
        input: &[Manifest],
    ) -> Result<Vec<String>, PrepareError> {
        let references = not_given(manifest, input);
        let named: BTreeSet<_> = references.iter().map(|one| (one.kind, one.name.as_str())).collect();
        let looks = named.into_iter().map(async |(kind, name)| {
            Ok::<_, TargetError>((!self.is_there(kind, name).await?).then_some((kind, name)))
        });
        let missing: BTreeSet<_> = try_join_all(looks).await?.into_iter().flatten().collect();
        let missing = references.iter().filter(|one| missing.contains(&(one.kind, one.name.as_str())));
        let (pull, must): (Vec<_>, Vec<_>) = missing.partition(|one| one.need == Need::Pull);
        if must.is_empty() {
            let note = |one: &Reference| {
                format!("Secret {}, which imagePullSecrets names, isn't there: images are pulled without it.", one.name)
            };
            return Ok(pull.into_iter().map(note).collect());
        }
        let problem = |one: &Reference| Problem {
            place: Some(one.place(manifest)),
            path: one.path(),
            message: format!(
                "expected {} {} in the input or in namespace {}, but found none, and the pods of {} don't start without it; \
                 add it to the input, create it, or take the reference out",
                one.kind,
                one.name,
                self.api.namespace(),
                manifest.name(),
            ),
        };
        let mut problems: Vec<_> = must.into_iter().map(problem).collect();
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        Err(PrepareError::Missing { problems })
    }

    async fn is_there(&self, kind: &str, name: &str) -> Result<bool, TargetError> {
        match kind {
            "ConfigMap" => self.has::<ConfigMap>(name).await,
            "Secret" => self.has::<Secret>(name).await,
            "ServiceAccount" => self.has::<ServiceAccount>(name).await,
            _ => self.has::<PersistentVolumeClaim>(name).await,
        }
    }

    async fn has<K: Kind>(&self, name: &str) -> Result<bool, TargetError> {
        match self.api.has::<K>(name).await {
            Err(error) if error.code() == Some(403) => Ok(true),
            answer => Ok(answer?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cluster, ClusterOptions, Input, NamespaceOptions};
    use serde_json::json;

    #[test]
    fn every_reference_is_found_with_its_way_and_its_need() {
        let template = json!({ "spec": {
            "serviceAccountName": "shop",
            "imagePullSecrets": [{ "name": "registry" }],
            "initContainers": [{ "envFrom": [{ "secretRef": { "name": "db" } }, { "configMapRef": { "name": "a", "optional": true } }] }],
            "containers": [{}, { "env": [
                { "name": "A", "value": "1" },
                { "name": "B", "valueFrom": { "configMapKeyRef": { "name": "app", "key": "b" } } },
                { "name": "C", "valueFrom": { "secretKeyRef": { "name": "db", "key": "c", "optional": false } } },
                { "name": "D", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            ] }],
            "volumes": [
                { "name": "v", "secret": { "secretName": "tls" } },
                { "name": "w", "configMap": { "name": "files" } },
                { "name": "x", "emptyDir": {} },
                { "name": "y", "persistentVolumeClaim": { "claimName": "data" } },
                { "name": "z", "projected": { "sources": [
                    { "serviceAccountToken": { "path": "t" } }, { "secret": { "name": "p", "optional": true } }, { "configMap": { "name": "q" } },
                ] } },
            ],
        } });
        let found: Vec<_> = references(&template)
            .iter()
            .map(|one| format!("{} {} {:?} {}", one.kind, one.name, one.need, one.path()))
            .collect();
        assert_eq!(
            found,
            [
                "ConfigMap a May spec.template.spec.initContainers[0].envFrom[1].configMapRef.name",
                "Secret db Must spec.template.spec.initContainers[0].envFrom[0].secretRef.name",
                "ConfigMap app Must spec.template.spec.containers[1].env[1].valueFrom.configMapKeyRef.name",
                "Secret db Must spec.template.spec.containers[1].env[2].valueFrom.secretKeyRef.name",
                "Secret tls Must spec.template.spec.volumes[0].secret.secretName",
                "ConfigMap files Must spec.template.spec.volumes[1].configMap.name",
                "PersistentVolumeClaim data Must spec.template.spec.volumes[3].persistentVolumeClaim.claimName",
                "Secret p May spec.template.spec.volumes[4].projected.sources[1].secret.name",
                "ConfigMap q Must spec.template.spec.volumes[4].projected.sources[2].configMap.name",
                "ServiceAccount shop Must spec.template.spec.serviceAccountName",
                "Secret registry Pull spec.template.spec.imagePullSecrets[0].name",
            ]
        );
    }

    #[test]
    fn it_comes_with_the_object_itself_or_with_one_that_may_make_it() {
        let text = "\
apiVersion: v1
kind: Secret
metadata: { name: db }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: tls }
data: { secretName: tls }
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: shop }
spec: { secretName: shop-tls }
";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.yaml");
        std::fs::write(&path, text).unwrap();
        let input = Input { paths: vec![path], kind: None };
        let given = crate::testing::run(input.load(None, "default")).unwrap();
        let comes = |name: &str| {
            let one = Reference { kind: "Secret", name: name.into(), way: Vec::new(), need: Need::Must };
            given.objects().iter().any(|given| one.comes_with(given))
        };
        assert!(comes("db") && comes("shop-tls"));
        assert!(!comes("tls") && !comes("shop-t"));
    }

    #[test]
    fn what_may_not_be_read_counts_as_there() {
        crate::testing::on_cluster("references", async |api| {
            let mut anybody = kube::config::Kubeconfig::read().unwrap();
            for user in anybody.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut()) {
                user.impersonate = Some("anybody".into());
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config");
            std::fs::write(&path, serde_json::to_string(&anybody).unwrap()).unwrap();
            let has = async |kubeconfig| {
                let options = ClusterOptions { kubeconfig, ..ClusterOptions::default() };
                let cluster = Cluster::connect(&options).await.unwrap();
                let namespace = cluster.open(api.namespace(), &NamespaceOptions::default());
                namespace.shared.is_there("Secret", "none").await.unwrap()
            };
            assert!(has(Some(path)).await);
            assert!(!has(None).await);
        });
    }
}
