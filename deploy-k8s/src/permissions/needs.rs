use super::rule::{Necessity, Need, Rule, add};
use crate::{
    manifest::{Manifest, Manifests, is_cluster_wide},
    names::LEASE,
    objects::{Entry, awaited, kind_name},
    prepare::looked_for,
};
use Necessity::{Helps, Must};
use deploy_core::model::ServiceSpec;
use kube::core::{ApiResource, GroupVersionKind};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// A line of the tables below.
struct Line {
    group: &'static str,
    resource: &'static str,
    /// Of all objects where it is empty.
    names: &'static [&'static str],
    verbs: &'static [&'static str],
    purpose: &'static str,
}

const fn line(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    purpose: &'static str,
) -> Line {
    Line { group, resource, names: &[], verbs, purpose }
}

/// What every deployment needs in its namespace, whatever the input.
const ALWAYS: [Line; 9] = [
    Line { names: &[LEASE], ..line(LEASES, "leases", &["get", "patch"], "who deploys, so that no two do at once") },
    // names would allow nothing: what is created has none yet
    line(LEASES, "leases", &["create"], "the same, for the first deployment"),
    line("", "configmaps", &["get", "list", "create", "patch"], "the journal, and which objects were applied"),
    line(
        "",
        "secrets",
        &["get", "list", "create", "patch", "delete"],
        "the configurations of releases, for the way back",
    ),
    line("apps", "deployments", &["get", "list", "watch", "create", "patch", "delete"], "the services"),
    line("apps", "replicasets", &["get", "list", "watch", "delete"], "their releases"),
    line("", "pods", &["list", "watch"], "whether they are ready"),
    line("", "services", &["get", "list", "watch", "patch"], "to which pods requests go"),
    line("", "endpoints", &["list", "watch"], "whether requests have followed"),
];
const LEASES: &str = "coordination.k8s.io";

/// What a deployment goes on without.
const HELPFUL: [Line; 4] = [
    line("", "pods", &["get"], "`deploy logs`, and the last lines of a pod that fails"),
    line("", "pods/log", &["get"], "the same"),
    line("", "events", &["list"], "the cluster's warnings about a pod that fails"),
    line("", "configmaps", &["delete"], "journals beyond the newest hundred go"),
];

const SMOKE: Line = line("", "pods/proxy", &["get"], "smoke checks ask pods through the API server");

/// What is done with an object of the input that was created. On the way back it is deleted, data or not.
const OBJECT: [&str; 3] = ["get", "patch", "delete"];

/// What a deployment must be allowed to do: that depends on its input's kinds, and on its smoke checks.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    kinds: BTreeMap<Kind, Meant>,
    /// How the input itself defines kinds: their resource, and whether they have no namespace.
    defined: BTreeMap<Kind, Resource>,
    /// Kinds of which the input's pods need an object that it doesn't bring.
    looked_for: BTreeSet<&'static str>,
    is_smoke_checked: bool,
}

/// A kind by group and name.
pub(super) type Kind = (String, String);

/// The objects of a kind that an input means.
#[derive(Clone, Debug)]
struct Meant {
    api_version: String,
    names: BTreeSet<String>,
}

/// How a kind's objects are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) plural: String,
    pub(super) is_cluster_wide: bool,
}

/// Permissions as rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) namespaced: Vec<Rule>,
    pub(super) cluster_wide: Vec<Rule>,
    /// Kinds that aren't Kubernetes' own and of which nothing is known but the name.
    pub(super) guessed: Vec<Kind>,
}

impl Permissions {
    /// What every deployment needs.
    pub fn always() -> Self {
        Self::default()
    }

    /// What an input needs.
    pub fn of(input: &Manifests) -> Self {
        let mut needed = Self { looked_for: looked_for(input.objects()), ..Self::default() };
        for one in input.objects() {
            needed.add(one.api_version(), one.kind(), one.name());
            needed.defined.extend(defined(one));
        }
        needed
    }

    /// What the services of a plan need.
    pub fn of_services<'s>(services: impl IntoIterator<Item = &'s ServiceSpec>) -> Self {
        let mut needed = Self::default();
        for spec in services {
            spec.objects.iter().for_each(|object| needed.add_entry(&Entry::of(object)));
            needed.is_smoke_checked |= !spec.smoke.is_empty();
        }
        needed
    }

    /// What smoke checks need too.
    #[must_use]
    pub fn with_smoke_checks(self) -> Self {
        Self { is_smoke_checked: true, ..self }
    }

    pub(super) fn add_entry(&mut self, entry: &Entry) {
        self.add(&entry.api_version, &entry.kind, &entry.name);
    }

    fn add(&mut self, api_version: &str, kind: &str, name: &str) {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        // these are always needed
        if (group, kind) != ("apps", "Deployment") {
            let meant = || Meant { api_version: api_version.into(), names: BTreeSet::new() };
            self.kinds.entry((group.into(), kind.into())).or_insert_with(meant).names.insert(name.into());
        }
    }

    /// The kinds of which only the cluster knows how they are reached, each with its `apiVersion`.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (&Kind, &str)> {
        let is_known = |kind: &Kind| is_cluster_wide(&kind.0, &kind.1).is_some() || self.defined.contains_key(kind);
        let kinds = self.kinds.iter().filter(move |(kind, _)| !is_known(kind));
        kinds.map(|(kind, meant)| (kind, &*meant.api_version))
    }

    /// As rules. What is `found` on the cluster of kinds that aren't Kubernetes' own goes before what their names suggest.
    pub(super) fn rules(&self, found: &BTreeMap<Kind, Resource>) -> Rules {
        let mut rules = Rules::default();
        let smoke = self.is_smoke_checked.then_some(SMOKE);
        ALWAYS.into_iter().chain(smoke).for_each(|line| add(&mut rules.namespaced, line.rule(Must)));
        for (kind, Meant { api_version, names }) in &self.kinds {
            let resource = found.get(kind).or_else(|| self.defined.get(kind)).cloned();
            let resource = resource.unwrap_or_else(|| {
                if is_cluster_wide(&kind.0, &kind.1).is_none() {
                    rules.guessed.push(kind.clone());
                }
                guessed(kind)
            });
            rules.add_object(kind, &resource, names);
            if awaited::Rule::of(&kind_name(api_version, &kind.1)).is_some() {
                rules.add_awaited(kind, resource, names);
            }
        }
        for kind in &self.looked_for {
            let kind = (String::new(), (*kind).to_owned());
            let plural = guessed(&kind).plural;
            let what_for = "whether what pods refer to is there";
            add(&mut rules.namespaced, rule("", plural, BTreeSet::new(), &["get"], Helps, what_for));
        }
        HELPFUL.into_iter().for_each(|line| add(&mut rules.namespaced, line.rule(Helps)));
        rules
    }
}

impl Line {
    fn rule(self, necessity: Necessity) -> Rule {
        let names = self.names.iter().copied().map(Cow::Borrowed).collect();
        rule(self.group, self.resource, names, self.verbs, necessity, self.purpose)
    }
}

impl Rules {
    fn add_object(
        &mut self,
        (group, kind): &Kind,
        Resource { plural, is_cluster_wide }: &Resource,
        names: &BTreeSet<String>,
    ) {
        let of_input = |names, verbs: &[_]| {
            rule(group.clone(), plural.clone(), names, verbs, Must, format!("{kind} in the input"))
        };
        if !*is_cluster_wide {
            return add(&mut self.namespaced, of_input(BTreeSet::new(), &[&OBJECT[..], &["create"]].concat()));
        }
        // all of that kind would be everybody's; mostly they are there already, and stay as they are
        let named: BTreeSet<_> = names.iter().cloned().map(Cow::Owned).collect();
        let helps = |rule: Rule| Rule { necessity: Helps, ..rule };
        add(&mut self.cluster_wide, of_input(named.clone(), &["get"]));
        add(&mut self.cluster_wide, helps(of_input(named, &["patch", "delete"])));
        add(&mut self.cluster_wide, helps(of_input(BTreeSet::new(), &["create"])));
    }

    /// What waiting for objects of a kind is easier with: those that may not be watched are read again and again.
    fn add_awaited(
        &mut self,
        (group, kind): &Kind,
        Resource { plural, is_cluster_wide }: Resource,
        names: &BTreeSet<String>,
    ) {
        let (rules, names) = match is_cluster_wide {
            true => (&mut self.cluster_wide, names.iter().cloned().map(Cow::Owned).collect()),
            false => (&mut self.namespaced, BTreeSet::new()),
        };
        add(rules, rule(group.clone(), plural, names, &["list", "watch"], Helps, format!("{kind} that is waited for")));
        match kind.as_str() {
            "StatefulSet" => {
                let make_way = line("", "pods", &["delete"], "a StatefulSet's pods that are in its way");
                add(&mut self.namespaced, make_way.rule(Must));
            }
            "Namespace" => {
                let account =
                    line("", "serviceaccounts", &["list", "watch"], "whether a new namespace has its account");
                add(&mut self.namespaced, account.rule(Helps));
            }
            _ => {}
        }
    }

    /// All that must be allowed in the namespace.
    pub(super) fn musts(&self) -> impl Iterator<Item = Need> {
        of(&self.namespaced)
    }

    /// All that must be allowed in the whole cluster.
    pub(super) fn cluster_wide_musts(&self) -> impl Iterator<Item = Need> {
        of(&self.cluster_wide)
    }
}

fn of(rules: &[Rule]) -> impl Iterator<Item = Need> {
    rules.iter().filter(|rule| rule.necessity == Must).flat_map(Rule::needs)
}

fn rule(
    group: impl Into<Cow<'static, str>>,
    resource: impl Into<Cow<'static, str>>,
    names: BTreeSet<Cow<'static, str>>,
    verbs: &[&'static str],
    necessity: Necessity,
    purpose: impl Into<Cow<'static, str>>,
) -> Rule {
    let verbs = verbs.iter().copied().collect();
    Rule { group: group.into(), resource: resource.into(), names, verbs, necessity, purpose: purpose.into() }
}

/// As a kind's name suggests: right for all of Kubernetes' own, and mostly for others.
fn guessed((group, kind): &Kind) -> Resource {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    Resource { plural: resource.plural, is_cluster_wide: is_cluster_wide(group, kind) == Some(true) }
}

/// The kind that a definition in the input is of.
fn defined(one: &Manifest) -> Option<(Kind, Resource)> {
    if (one.group(), one.kind()) != ("apiextensions.k8s.io", "CustomResourceDefinition") {
        return None;
    }
    let text = |at: &str| one.object().pointer(at)?.as_str().map(str::to_owned);
    let kind = (text("/spec/group")?, text("/spec/names/kind")?);
    let is_cluster_wide = text("/spec/scope")? == "Cluster";
    Some((kind, Resource { plural: text("/spec/names/plural")?, is_cluster_wide }))
}
