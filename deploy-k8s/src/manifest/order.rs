//! In which order objects are applied so that each finds what it needs; deleted in the reverse.
//!
//! | first to last | because |
//! | --- | --- |
//! | Namespace | the others lie in it |
//! | CustomResourceDefinition | objects of its kind may follow |
//! | ServiceAccount, roles, then their bindings | pods run as it, and with its rights from their start |
//! | PriorityClass, RuntimeClass, StorageClass, IngressClass | others name them, and are refused or stay pending without |
//! | quotas, limits, network policies, disruption budgets | they hold for pods from the first one on |
//! | Secret, ConfigMap | a pod waits, or fails, until they are there |
//! | PersistentVolume, PersistentVolumeClaim | a claim binds to a volume, a pod waits for its claim |
//! | Service | pods are told of the Services that are there when they start |
//! | DaemonSet, Pod, ReplicationController, ReplicaSet, Deployment, StatefulSet | the workloads |
//! | HorizontalPodAutoscaler | what it scales is there |
//! | Job, CronJob | they may use the StatefulSets, which are waited for beside them; the Deployments come later |
//! | Ingress | what it leads to is there |
//! | APIService, admission policies and webhooks | they answer through a workload, and without an answer block others |
//! | everything else | its definition and what serves it are there |

/// Groups and kinds, first to last.
const ORDER: [(&str, &str); 42] = [
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("", "ServiceAccount"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("storage.k8s.io", "StorageClass"),
    ("networking.k8s.io", "IngressClass"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("policy", "PodDisruptionBudget"),
    ("", "Secret"),
    ("", "ConfigMap"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("", "Service"),
    ("", "Endpoints"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("apps", "DaemonSet"),
    ("", "Pod"),
    ("", "ReplicationController"),
    ("apps", "ReplicaSet"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("networking.k8s.io", "Ingress"),
    ("apiregistration.k8s.io", "APIService"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
];

fn rank(group: &str, kind: &str) -> usize {
    ORDER.iter().position(|known| *known == (group, kind)).unwrap_or(ORDER.len())
}

/// Sorts into the order to apply; objects of one kind stay as they are. `kind` tells group and kind.
pub(crate) fn sort_to_apply<T>(objects: &mut [T], kind: impl Fn(&T) -> (&str, &str)) {
    objects.sort_by_key(|object| {
        let (group, kind) = kind(object);
        rank(group, kind)
    });
}

/// Sorts into the order to delete: the reverse.
pub(crate) fn sort_to_delete<T>(objects: &mut [T], kind: impl Fn(&T) -> (&str, &str)) {
    sort_to_apply(objects, kind);
    objects.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_need_comes_first_and_goes_last() {
        let mut objects = [
            ("example.com", "Shop"),
            ("networking.k8s.io", "Ingress"),
            ("apps", "Deployment"),
            ("serving.knative.dev", "Service"),
            ("", "Service"),
            ("", "ConfigMap"),
            ("apiextensions.k8s.io", "CustomResourceDefinition"),
            ("", "Namespace"),
        ];
        sort_to_apply(&mut objects, |object| *object);
        let kinds = objects.map(|(_, kind)| kind);
        assert_eq!(
            kinds,
            [
                "Namespace",
                "CustomResourceDefinition",
                "ConfigMap",
                "Service",
                "Deployment",
                "Ingress",
                "Shop",
                "Service"
            ]
        );
        sort_to_delete(&mut objects, |object| *object);
        assert_eq!(objects[0], ("serving.knative.dev", "Service"));
        assert_eq!(objects[7], ("", "Namespace"));
    }
}
