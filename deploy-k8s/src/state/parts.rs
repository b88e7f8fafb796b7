use super::head::{HEAD, Head};
use crate::{
    api::{Api, CallError},
    names::{self, DEPLOYMENT, JOURNAL, KIND},
};
use deploy_core::model::DeploymentId;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::api::ListParams;
use std::collections::BTreeMap;

/// How much a part holds, in bytes. A ConfigMap holds 1 MiB.
pub(super) const PART: usize = 1_000_000;
/// How long a record may be: so a part that another one follows is more than half full, and only then the next one is
/// looked for.
pub(super) const RECORD: usize = PART / 2;

/// A deployment's journal as it was read: the ConfigMaps that its records lie in, mostly one.
pub(super) struct Parts(Vec<ConfigMap>);

impl Parts {
    pub(super) async fn read(api: &Api, deployment: DeploymentId) -> Result<Self, CallError> {
        let mut parts = Vec::new();
        loop {
            let Some(part) = api.get::<ConfigMap>(&name(deployment, parts.len() + 1)).await? else { break };
            let may_be_followed = size(&part) > PART - RECORD;
            parts.push(part);
            if !may_be_followed {
                break;
            }
        }
        Ok(Self(parts))
    }

    /// Of several deployments at once: one request.
    pub(super) async fn read_all(
        api: &Api,
        deployments: &[DeploymentId],
    ) -> Result<BTreeMap<DeploymentId, Self>, CallError> {
        if deployments.is_empty() {
            return Ok(BTreeMap::new());
        }
        let numbers: Vec<_> = deployments.iter().map(DeploymentId::to_string).collect();
        let labels = format!("{KIND}={JOURNAL},{DEPLOYMENT} in ({})", numbers.join(","));
        let found = api.list::<ConfigMap>(&ListParams::default().labels(&labels)).await?;
        let mut parts: BTreeMap<_, BTreeMap<usize, ConfigMap>> = BTreeMap::new();
        for part in found {
            if let Some((deployment, number)) = part.metadata.name.as_deref().and_then(parse) {
                parts.entry(deployment).or_default().insert(number, part);
            }
        }
        Ok(parts.into_iter().map(|(deployment, parts)| (deployment, Self(parts.into_values().collect()))).collect())
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The one that the next record goes into, while it fits.
    pub(super) fn last(&self) -> Option<&ConfigMap> {
        self.0.last()
    }

    /// The lines in order, by the number that they are kept under.
    pub(super) fn lines(&self) -> BTreeMap<u64, &str> {
        let all = self.0.iter().filter_map(|part| part.data.as_ref()).flatten();
        all.filter_map(|(key, line)| Some((key.parse().ok()?, line.as_str()))).collect()
    }
}

/// A new part with its first lines.
pub(super) fn part(deployment: DeploymentId, number: usize, head: Head, lines: &BTreeMap<u64, String>) -> ConfigMap {
    let mut labels = names::labels_of(JOURNAL);
    labels.insert(DEPLOYMENT.into(), deployment.to_string());
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name(deployment, number)),
            labels: Some(labels),
            annotations: Some(BTreeMap::from([(HEAD.into(), head.to_string())])),
            ..ObjectMeta::default()
        },
        data: Some(lines.iter().map(|(seq, line)| (key(*seq), line.clone())).collect()),
        ..ConfigMap::default()
    }
}

/// Under which a record lies in its part.
pub(super) fn key(seq: u64) -> String {
    format!("{seq:06}")
}

/// A part's name: the first has the journal's own.
pub(super) fn name(deployment: DeploymentId, number: usize) -> String {
    let first = names::journal(deployment);
    if number == 1 { first } else { format!("{first}-{number}") }
}

/// Which deployment's which part has that name.
pub(super) fn parse(name: &str) -> Option<(DeploymentId, usize)> {
    let mut numbers = name.strip_prefix("deploy-journal-")?.splitn(2, '-');
    let deployment = DeploymentId(numbers.next()?.parse().ok()?);
    let number = numbers.next().map_or(Some(1), |number| number.parse().ok())?;
    (name == self::name(deployment, number)).then_some((deployment, number))
}

/// How much a part holds.
pub(super) fn size(part: &ConfigMap) -> usize {
    part.data.iter().flatten().map(|(key, line)| key.len() + line.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_which_part_it_is() {
        for number in [1, 2, 11] {
            assert_eq!(parse(&name(DeploymentId(7), number)), Some((DeploymentId(7), number)));
        }
        for other in ["deploy-journal-", "deploy-journal-x", "deploy-journal-7-1", "deploy-journal-07", "deploy-key"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
