use crate::{identity::containers, kinds::Deployment, site::Leads};
use kube::ResourceExt;
use std::collections::BTreeMap;

/// What people should know of how a Deployment is treated.
pub(super) fn notes(
    would_be: &Deployment,
    there: Option<&Deployment>,
    led: &BTreeMap<String, Leads>,
    replicas: Option<(u32, u64)>,
) -> Vec<String> {
    let named = |which: Leads| led.iter().filter(move |(_, leads)| **leads == which).map(|(name, _)| name.as_str());
    let mut notes = Vec::new();
    let shared: Vec<_> = named(Leads::HereAndElsewhere).collect();
    if !shared.is_empty() {
        notes.push(format!(
            "Service {} selects by fewer labels than the Deployment does and may lead to others too, so it is left alone: old and new pods answer through it while both are there.",
            shared.join(" and ")
        ));
    }
    if let Some((there, asked)) = replicas.filter(|(there, asked)| u64::from(*there) != *asked) {
        notes.push(format!("It stays at {there} pods, though the input says {asked}: an autoscaler or a person may have scaled it. `kubectl scale` changes that."));
    }
    if let Some(who) = there.and_then(reconciler) {
        notes.push(format!("{who} reconciles it, and may take back what a deployment writes: the deployment ends then, and what {who} has runs. Have it pause meanwhile, or deploy by it."));
    }
    let is_led_to = named(Leads::Here).next().is_some() || !shared.is_empty();
    if would_be.is_recreate() {
        notes.extend(there.map(|_| recreate(would_be)));
    } else if is_led_to
        && !containers(would_be.template()).any(|container| container["lifecycle"]["preStop"].is_object())
    {
        notes.push(
            "It has no preStop hook: a rolling update loses the requests that reach a pod which is ending already; blue-green doesn't.".into(),
        );
    }
    notes
}

/// What becomes of requests where old pods end first.
fn recreate(deployment: &Deployment) -> String {
    let volumes: Vec<_> = deployment.writes_to().collect();
    let between = "Its strategy is Recreate: all old pods end before a new one starts, and nobody answers in between";
    match volumes.is_empty() {
        true => format!("{between}. `--strategy blue-green` has both side by side instead."),
        false => format!(
            "{between}. Since both would write to its volume {}, that is so by blue-green too.",
            volumes.join(" and ")
        ),
    }
}

/// Who has a Deployment as it is somewhere else, and brings it back to that.
fn reconciler(deployment: &Deployment) -> Option<String> {
    /// What such programs write on what is theirs: beginnings of labels' and annotations' names.
    const MARKS: [(&str, &str); 6] = [
        ("argocd.argoproj.io/", "Argo CD"),
        ("kustomize.toolkit.fluxcd.io/", "Flux"),
        ("helm.toolkit.fluxcd.io/", "Flux"),
        ("objectset.rio.cattle.io/", "Fleet"),
        ("kapp.k14s.io/", "kapp"),
        ("configmanagement.gke.io/", "Config Sync"),
    ];
    let names = || deployment.labels().keys().chain(deployment.annotations().keys());
    let marked = MARKS.iter().find(|(mark, _)| names().any(|name| name.starts_with(mark)));
    let owner = || deployment.owner_references().iter().find(|owner| owner.controller == Some(true));
    let marked = marked.map(|(_, who)| (*who).to_owned());
    marked.or_else(|| owner().map(|owner| format!("{} {}", owner.kind, owner.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn deployment(metadata: Value, spec: Value) -> Deployment {
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap()
    }

    #[test]
    fn who_reconciles_is_told_by_marks_and_owners() {
        let who = |metadata: Value| reconciler(&deployment(metadata, json!({})));
        assert_eq!(who(json!({ "labels": { "app.kubernetes.io/instance": "web" } })), None);
        let tracked = json!({ "annotations": { "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web" } });
        assert_eq!(who(tracked).as_deref(), Some("Argo CD"));
        assert_eq!(who(json!({ "labels": { "kustomize.toolkit.fluxcd.io/name": "shop" } })).as_deref(), Some("Flux"));
        let owner = |controller: bool| {
            let owner =
                json!({ "apiVersion": "x/v1", "kind": "Shop", "name": "a", "uid": "1", "controller": controller });
            who(json!({ "ownerReferences": [owner] }))
        };
        assert_eq!(owner(true).as_deref(), Some("Shop a"));
        assert_eq!(owner(false), None);
    }

    #[test]
    fn of_recreate_the_gap_is_told_where_something_runs() {
        let web = |volumes: Value| {
            let template = json!({ "spec": { "containers": [], "volumes": volumes } });
            deployment(json!({}), json!({ "strategy": { "type": "Recreate" }, "template": template }))
        };
        let plain = web(json!([{ "name": "tmp", "emptyDir": {} }]));
        let told = |web: &Deployment, there: bool| notes(web, there.then_some(web), &BTreeMap::new(), None);
        assert!(told(&plain, false).is_empty());
        assert!(told(&plain, true)[0].contains("`--strategy blue-green`"));
        let read = web(json!([{ "name": "a", "persistentVolumeClaim": { "claimName": "a", "readOnly": true } }]));
        assert!(told(&read, true)[0].contains("`--strategy blue-green`"));
        let data = web(json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "a" } }]));
        assert!(told(&data, true)[0].contains("its volume data"));
    }
}
