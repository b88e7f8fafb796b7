use std::{borrow::Cow, collections::BTreeSet, fmt};

/// The verbs that are ever needed, in the order in which they are told.
const VERBS: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// What must be allowed with the objects of one kind, as a rule of a Role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Empty for the core's.
    pub(super) group: Cow<'static, str>,
    /// With the subresource, if any: `pods/log`.
    pub(super) resource: Cow<'static, str>,
    /// Only with objects of these names; none is all of them.
    pub(super) names: BTreeSet<Cow<'static, str>>,
    pub(super) verbs: BTreeSet<&'static str>,
    pub(super) necessity: Necessity,
    /// For people who decide whether to allow it.
    pub(super) purpose: Cow<'static, str>,
}

/// Whether a deployment can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Necessity {
    Must,
    /// What it is for isn't done then; the deployment goes on.
    Helps,
}

/// One thing that must be allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    pub(super) group: String,
    pub(super) resource: String,
    pub(super) verb: &'static str,
    pub(super) name: Option<String>,
}

impl Rule {
    pub(super) fn verbs(&self) -> Vec<&'static str> {
        VERBS.into_iter().filter(|verb| self.verbs.contains(verb)).collect()
    }

    /// What it stands for, one by one.
    pub(super) fn needs(&self) -> impl Iterator<Item = Need> {
        let names: Vec<_> = match self.names.is_empty() {
            true => vec![None],
            false => self.names.iter().map(|name| Some(name.clone().into_owned())).collect(),
        };
        let need = |verb, name| Need {
            group: self.group.clone().into_owned(),
            resource: self.resource.clone().into_owned(),
            verb,
            name,
        };
        self.verbs().into_iter().flat_map(move |verb| names.clone().into_iter().map(move |name| need(verb, name)))
    }
}

impl Need {
    /// The kind's resource as `kubectl auth can-i` takes it: `deployments.apps`, `pods/log`.
    pub(super) fn what(&self) -> String {
        match self.group.as_str() {
            "" => self.resource.clone(),
            group => format!("{}.{group}", self.resource),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.what())?;
        self.name.iter().try_for_each(|name| write!(f, " {name}"))
    }
}

/// Adds a rule, but for what others in the list say already.
pub(super) fn add(rules: &mut Vec<Rule>, mut rule: Rule) {
    let is_about_the_same = |there: &Rule| there.group == rule.group && there.resource == rule.resource;
    for there in rules.iter().filter(|there| is_about_the_same(there) && there.names.is_empty()) {
        rule.verbs.retain(|verb| !there.verbs.contains(verb));
    }
    let like =
        |there: &&mut Rule| is_about_the_same(there) && there.names == rule.names && there.necessity == rule.necessity;
    match rules.iter_mut().find(like) {
        _ if rule.verbs.is_empty() => {}
        Some(there) => {
            there.verbs.extend(&rule.verbs);
            there.purpose = format!("{}; {}", there.purpose, rule.purpose).into();
        }
        None => rules.push(rule),
    }
}
