use deploy_compose::{Place, model::Project};
use std::fmt;

/// An element of the project's files, as messages begin with it: `compose.yaml:12:5: services.web.platform`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Where it stands; `None` for a project that wasn't loaded from files.
    pub place: Option<Place>,
    /// Its path, such as `services.web.platform`.
    pub path: String,
}

impl Element {
    pub(crate) fn of(project: &Project, path: String) -> Self {
        Self { place: project.place(&path).cloned(), path }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.path)
    }
}
