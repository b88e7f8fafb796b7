/// Kinds of Kubernetes itself that have no namespace, by group.
const CLUSTER_WIDE: [(&str, &[&str]); 13] = [
    ("", &["Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
    ("internal.apiserver.k8s.io", &["StorageVersion"]),
];

/// Other groups of Kubernetes itself; all of their kinds have namespaces.
const NAMESPACED: [&str; 7] =
    ["apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "policy"];

/// Whether a group comes with Kubernetes: its objects know strategic merge patches, which custom resources don't.
pub(super) fn is_built_in(group: &str) -> bool {
    NAMESPACED.contains(&group) || CLUSTER_WIDE.iter().any(|(known, _)| *known == group)
}

/// Whether a kind has no namespace; not known of custom resources, whose definitions say it.
pub(crate) fn is_cluster_wide(group: &str, kind: &str) -> Option<bool> {
    let listed = CLUSTER_WIDE.iter().any(|(known, kinds)| *known == group && kinds.contains(&kind));
    is_built_in(group).then_some(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_resources_are_not_guessed_at() {
        assert_eq!(is_cluster_wide("", "Namespace"), Some(true));
        assert_eq!(is_cluster_wide("", "Service"), Some(false));
        assert_eq!(is_cluster_wide("apps", "Deployment"), Some(false));
        assert_eq!(is_cluster_wide("serving.knative.dev", "Service"), None);
    }
}
