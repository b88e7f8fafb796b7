//! What a project declares, so that references can be checked where they stand.

use std::collections::BTreeSet;

use crate::{
    Place,
    model::{Key, ServiceName},
    node::{Entry, Node, Value},
    read::At,
    suggest,
};

/// A section at the top of a Compose file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Network,
    Volume,
    Secret,
    Config,
}

impl Kind {
    pub(crate) fn section(self) -> &'static str {
        match self {
            Self::Network => "networks",
            Self::Volume => "volumes",
            Self::Secret => "secrets",
            Self::Config => "configs",
        }
    }

    fn noun(self) -> &'static str {
        self.section().trim_end_matches('s')
    }
}

/// The keys of all sections; services only as far as their profiles are active.
#[derive(Debug)]
pub(crate) struct Declared {
    networks: BTreeSet<String>,
    volumes: BTreeSet<String>,
    secrets: BTreeSet<String>,
    configs: BTreeSet<String>,
    pub(crate) active: BTreeSet<String>,
    pub(crate) inactive: BTreeSet<String>,
}

impl Declared {
    /// Looks at the whole tree. A service without profiles is always active.
    pub(crate) fn read(root: &Node, profiles: &[String]) -> Self {
        let keys = |section| match root.entry(section) {
            Some(entry) => entry.value.entries().iter().map(|e| e.key.clone()).collect(),
            None => BTreeSet::new(),
        };
        let services = root.entry("services").map(|entry| entry.value.entries()).unwrap_or_default();
        let (active, inactive): (Vec<_>, Vec<_>) =
            services.iter().partition(|service| is_active(&service.value, profiles));
        let names = |entries: Vec<&Entry>| entries.into_iter().map(|e| e.key.clone()).collect();
        let mut networks: BTreeSet<String> = keys("networks");
        networks.insert("default".into());
        Self {
            networks,
            volumes: keys("volumes"),
            secrets: keys("secrets"),
            configs: keys("configs"),
            active: names(active),
            inactive: names(inactive),
        }
    }

    fn keys(&self, kind: Kind) -> &BTreeSet<String> {
        match kind {
            Kind::Network => &self.networks,
            Kind::Volume => &self.volumes,
            Kind::Secret => &self.secrets,
            Kind::Config => &self.configs,
        }
    }
}

fn is_active(service: &Node, active: &[String]) -> bool {
    let Some(profiles) = service.entry("profiles") else { return true };
    let Value::List(profiles) = &profiles.value.value else { return true };
    let texts = profiles.iter().filter_map(|profile| match &profile.value {
        Value::Scalar(scalar) => scalar.to_text(),
        _ => None,
    });
    profiles.is_empty() || active.iter().any(|a| a == "*") || texts.into_iter().any(|p| active.contains(&p))
}

fn hint(word: &str, known: &BTreeSet<String>) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    suggest::nearest(word, &known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

impl At<'_> {
    /// A key that the project declares; anything else is a problem here.
    pub(crate) fn declared(&self, kind: Kind, place: &Place, key: &str) -> Option<Key> {
        let known = self.cx.declared.keys(kind);
        if known.contains(key) {
            return Some(key.into());
        }
        let (noun, section) = (kind.noun(), kind.section());
        let hint = hint(key, known);
        self.problem_at(place, format!("expected a {noun} declared under `{section}`, but found `{key}`{hint}"));
        None
    }

    /// A service that is there and active; anything else is a problem here.
    pub(crate) fn declared_service(&self, place: &Place, name: &str) -> Option<ServiceName> {
        let declared = self.cx.declared;
        if declared.active.contains(name) {
            return Some(name.into());
        }
        let message = if declared.inactive.contains(name) {
            format!("expected an active service, but found `{name}`, none of whose profiles is active; activate one")
        } else {
            format!("expected a service of this project, but found `{name}`{}", hint(name, &declared.active))
        };
        self.problem_at(place, message);
        None
    }
}
