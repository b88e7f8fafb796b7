//! What the rules of a review allow.

use super::rule::Need;
use k8s_openapi::api::authorization::v1::ResourceRule;

/// Whether one of the rules, which add up, allows it. What they don't tell may be allowed all the same.
pub(super) fn allows(rules: &[ResourceRule], need: &Need) -> bool {
    rules.iter().any(|rule| {
        let has =
            |list: &Option<Vec<String>>, one: &str| list.iter().flatten().any(|there| there == "*" || there == one);
        let is_verb = rule.verbs.iter().any(|verb| verb == "*" || verb == need.verb);
        is_verb && has(&rule.api_groups, &need.group) && is_resource(rule, &need.resource) && is_name(rule, need)
    })
}

fn is_resource(rule: &ResourceRule, resource: &str) -> bool {
    let sub = resource.split_once('/').map(|(_, sub)| sub);
    rule.resources.iter().flatten().any(|there| {
        let is_any_of_sub = |sub| there.strip_prefix("*/") == Some(sub);
        there == "*" || there == resource || sub.is_some_and(is_any_of_sub)
    })
}

/// A rule that names objects allows nothing with others, and nothing with those that have no name yet.
fn is_name(rule: &ResourceRule, need: &Need) -> bool {
    match (rule.resource_names.as_deref().unwrap_or_default(), &need.name) {
        ([], _) => true,
        (names, Some(name)) => names.contains(name),
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn need(verb: &'static str, what: &str, name: Option<&str>) -> Need {
        let (resource, group) = what.split_once('.').unwrap_or((what, ""));
        Need { group: group.into(), resource: resource.into(), verb, name: name.map(str::to_owned) }
    }

    fn rule(groups: &[&str], resources: &[&str], verbs: &[&str], names: Option<&[&str]>) -> Value {
        json!({ "apiGroups": groups, "resources": resources, "verbs": verbs, "resourceNames": names })
    }

    #[test]
    fn a_rule_allows_what_it_says_and_nothing_else() {
        let pods = need("get", "pods", None);
        let log = need("get", "pods/log", None);
        let patch = need("patch", "deployments.apps", None);
        let named = need("patch", "leases.coordination.k8s.io", Some("deploy"));
        let create = need("create", "leases.coordination.k8s.io", None);
        let of_leases = |verbs, names| rule(&["coordination.k8s.io"], &["leases"], verbs, names);
        for (rule, allowed, refused) in [
            (rule(&["*"], &["*"], &["*"], None), vec![&pods, &log, &patch, &named, &create], vec![]),
            (rule(&[""], &["pods"], &["get", "list"], None), vec![&pods], vec![&log, &patch]),
            (rule(&[""], &["pods/log"], &["get"], None), vec![&log], vec![&pods]),
            (rule(&[""], &["*/log"], &["*"], None), vec![&log], vec![&pods]),
            (rule(&[""], &["*"], &["get"], None), vec![&pods, &log], vec![&patch]),
            (rule(&["apps"], &["deployments", "replicasets"], &["patch"], None), vec![&patch], vec![&pods]),
            (rule(&["extensions"], &["deployments"], &["*"], None), vec![], vec![&patch]),
            (rule(&["apps"], &["deployments"], &["get", "update"], None), vec![], vec![&patch]),
            (rule(&["apps"], &["deployments"], &["patch"], Some(&["web"])), vec![], vec![&patch]),
            (rule(&["apps"], &["deployments/scale"], &["patch"], None), vec![], vec![&patch]),
            (of_leases(&["*"], Some(&["deploy", "other"])), vec![&named], vec![&create]),
            (of_leases(&["*"], Some(&["other"])), vec![], vec![&named, &create]),
            (of_leases(&["*"], Some(&[])), vec![&named, &create], vec![&pods]),
            // they say nothing of objects
            (rule(&[], &[], &["*"], None), vec![], vec![&pods]),
        ] {
            let rules = [serde_json::from_value(rule.clone()).unwrap()];
            allowed.iter().for_each(|need| assert!(allows(&rules, need), "{need} by {rule}"));
            refused.iter().for_each(|need| assert!(!allows(&rules, need), "{need} by {rule}"));
        }
    }

    #[test]
    fn rules_add_up_but_each_by_itself() {
        let rules = [rule(&[""], &["pods"], &["list"], None), rule(&["apps"], &["deployments"], &["get"], None)];
        let rules = rules.map(|rule| serde_json::from_value(rule).unwrap());
        assert!(allows(&rules, &need("list", "pods", None)) && allows(&rules, &need("get", "deployments.apps", None)));
        assert!(!allows(&rules, &need("get", "pods", None)));
        assert!(!allows(&[], &need("get", "pods", None)));
    }
}
