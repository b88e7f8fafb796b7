//! Which lists are merged element by element, by kind and path. What isn't named here is replaced as a whole:
//! `command`, `args`, `envFrom`, `tolerations`, the rules of an Ingress.

/// What the elements of a list are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elements {
    /// They aren't: the list is one value.
    Atomic,
    /// By themselves.
    Values,
    /// By a field. `retain`: of an element only the fields of the manifest stay, since one excludes the other.
    Keyed { key: &'static str, retain: bool },
}

const fn keyed(key: &'static str) -> Elements {
    Elements::Keyed { key, retain: false }
}

const fn keyed_retain(key: &'static str) -> Elements {
    Elements::Keyed { key, retain: true }
}

/// Lists of a pod's spec.
const POD: [(&str, Elements); 9] = [
    ("containers", keyed("name")),
    ("initContainers", keyed("name")),
    ("ephemeralContainers", keyed("name")),
    ("volumes", keyed_retain("name")),
    ("resourceClaims", keyed_retain("name")),
    ("imagePullSecrets", keyed("name")),
    ("hostAliases", keyed("ip")),
    ("topologySpreadConstraints", keyed("topologyKey")),
    ("schedulingGates", keyed("name")),
];

/// Lists of a container.
const CONTAINER: [(&str, Elements); 4] = [
    ("env", keyed("name")),
    ("ports", keyed("containerPort")),
    ("volumeMounts", keyed("mountPath")),
    ("volumeDevices", keyed("devicePath")),
];

/// Lists of other kinds.
const OTHERS: [(&str, &str, Elements); 8] = [
    ("Service", "spec.ports", keyed("port")),
    ("ServiceAccount", "secrets", keyed("name")),
    ("MutatingWebhookConfiguration", "webhooks", keyed("name")),
    ("MutatingWebhookConfiguration", "webhooks.matchConditions", keyed("name")),
    ("ValidatingWebhookConfiguration", "webhooks", keyed("name")),
    ("ValidatingWebhookConfiguration", "webhooks.matchConditions", keyed("name")),
    ("ValidatingAdmissionPolicy", "spec.matchConditions", keyed("name")),
    ("ValidatingAdmissionPolicy", "spec.variables", keyed("name")),
];

/// The lists of a kind of Kubernetes itself, or of one of which none are known.
#[derive(Debug)]
pub(super) struct Schema<'a> {
    kind: Option<&'a str>,
}

impl<'a> Schema<'a> {
    pub(super) fn of(kind: &'a str) -> Self {
        Self { kind: Some(kind) }
    }

    /// Every list is one value.
    pub(super) fn atomic() -> Self {
        Self { kind: None }
    }

    /// The elements of the list at a path.
    pub(super) fn elements(&self, path: &str) -> Elements {
        let Some(kind) = self.kind else { return Elements::Atomic };
        match path {
            "metadata.finalizers" => return Elements::Values,
            "metadata.ownerReferences" => return keyed("uid"),
            _ => {}
        }
        if let Some(inner) = pod(kind).and_then(|pod| path.strip_prefix(pod)?.strip_prefix('.')) {
            return of_pod(inner);
        }
        let other = OTHERS.iter().find(|(of, list, _)| *of == kind && *list == path);
        other.map_or(Elements::Atomic, |(.., elements)| *elements)
    }

    /// Whether a path leads to the way in which a workload's pods are replaced.
    pub(super) fn is_strategy(&self, path: &str) -> bool {
        matches!(
            (self.kind, path),
            (Some("Deployment"), "spec.strategy") | (Some("StatefulSet" | "DaemonSet"), "spec.updateStrategy")
        )
    }
}

fn of_pod(path: &str) -> Elements {
    let find = |lists: &[(&str, Elements)], path| lists.iter().find(|(list, _)| *list == path).map(|found| found.1);
    let in_container = || {
        let (list, inner) = path.split_once('.')?;
        matches!(list, "containers" | "initContainers" | "ephemeralContainers").then(|| find(&CONTAINER, inner))?
    };
    find(&POD, path).or_else(in_container).unwrap_or(Elements::Atomic)
}

/// Where a kind has the spec of its pods.
fn pod(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Pod" => "spec",
        "PodTemplate" => "template.spec",
        "DaemonSet" | "Deployment" | "Job" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => {
            "spec.template.spec"
        }
        "CronJob" => "spec.jobTemplate.spec.template.spec",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_known_by_its_path_and_not_by_its_name() {
        let cases = [
            ("Deployment", "spec.template.spec.containers", keyed("name")),
            ("Deployment", "spec.template.spec.initContainers.ports", keyed("containerPort")),
            ("CronJob", "spec.jobTemplate.spec.template.spec.volumes", keyed_retain("name")),
            ("Pod", "spec.containers.env", keyed("name")),
            ("Service", "spec.ports", keyed("port")),
            ("ServiceAccount", "secrets", keyed("name")),
            ("ConfigMap", "metadata.finalizers", Elements::Values),
            ("Deployment", "spec.template.spec.containers.args", Elements::Atomic),
            ("Deployment", "spec.template.spec.tolerations", Elements::Atomic),
            ("Deployment", "spec.containers", Elements::Atomic),
            ("NetworkPolicy", "spec.ingress.ports", Elements::Atomic),
            ("ServiceAccount", "imagePullSecrets", Elements::Atomic),
            ("StatefulSet", "spec.volumeClaimTemplates", Elements::Atomic),
        ];
        for (kind, path, elements) in cases {
            assert_eq!(Schema::of(kind).elements(path), elements, "{kind} {path}");
        }
        assert_eq!(Schema::atomic().elements("metadata.finalizers"), Elements::Atomic);
    }
}
