use deploy_core::model::{Plan, Release, ReleaseId, ServiceName, World};
use std::collections::BTreeMap;

/// What people call the releases: the version where that tells them apart, otherwise with the beginning of the id.
#[derive(Clone, Debug, Default)]
pub struct Names {
    by_id: BTreeMap<ReleaseId, (ServiceName, String)>,
}

impl Names {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Knows the releases that a plan wants.
    pub fn know_plan(&mut self, plan: &Plan) {
        plan.releases().for_each(|release| self.know(release, None));
    }

    /// Knows the releases that are there; one without a version is called by the deployment that made it.
    pub fn know_world(&mut self, world: &World) {
        for observed in &world.workloads {
            let number = observed.made_by.as_ref().map(|(deployment, _)| format!("#{deployment}"));
            self.know(&observed.release, number);
        }
    }

    fn know(&mut self, release: &Release, otherwise: Option<String>) {
        let said = match release.version.as_str() {
            "" => otherwise,
            version => Some(version.to_owned()),
        };
        let new = || (release.service.clone(), short(&release.id).to_owned());
        let (_, known) = self.by_id.entry(release.id.clone()).or_insert_with(new);
        if let Some(said) = said {
            *known = said;
        }
    }

    /// What people call it.
    pub fn of(&self, id: &ReleaseId) -> String {
        let Some((service, name)) = self.by_id.get(id) else { return short(id).to_owned() };
        let twin = |(other, (of, called)): (&ReleaseId, &(ServiceName, String))| {
            other != id && of == service && called == name
        };
        match self.by_id.iter().any(twin) {
            true if name != short(id) => format!("{name} ({})", short(id)),
            _ => name.clone(),
        }
    }
}

/// The first 8 hex digits of a release's content hash, or whatever stands in their place.
fn short(id: &ReleaseId) -> &str {
    match id.as_str().rsplit_once('-') {
        Some((_, hash)) if hash.len() == 16 && hash.is_ascii() => &hash[..8],
        _ => id.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(id: &str, version: &str) -> Release {
        let service = "web".into();
        Release { id: id.into(), service, version: version.into(), artifact: String::new() }
    }

    #[test]
    fn a_version_is_enough_where_it_tells_releases_apart() {
        let mut names = Names::new();
        names.know(&release("web-0123456789abcdef", "v1"), None);
        names.know(&release("web-fedcba9876543210", "v2"), None);
        names.know(&release("web-00000000aaaaaaaa", "v2"), None);
        names.know(&release("web-11111111aaaaaaaa", ""), None);
        names.know(&release("web-22222222aaaaaaaa", ""), Some("#7".into()));
        let called =
            ["0123456789abcdef", "fedcba9876543210", "11111111aaaaaaaa", "22222222aaaaaaaa", "3333333333333333"]
                .map(|hash| names.of(&format!("web-{hash}").as_str().into()));
        assert_eq!(called, ["v1", "v2 (fedcba98)", "11111111", "#7", "33333333"]);
    }
}
