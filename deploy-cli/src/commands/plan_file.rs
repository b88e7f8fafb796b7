use crate::CommandError;
use deploy_core::model::{PLAN_FORMAT, Plan, PlanError};
use serde::Deserialize;
use std::{error::Error, fs, path::Path};

/// What is read first and alone: a newer plan may have a shape that we can't read.
#[derive(Deserialize)]
struct Header {
    min_reader: u16,
}

/// Reads a plan that [`write_plan`] wrote.
pub(super) fn read_plan(path: &Path) -> Result<Plan, CommandError> {
    let wrong = |source: Box<dyn Error + Send + Sync>| CommandError::PlanFile { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.into()))?;
    let header: Header = serde_json::from_str(&text).map_err(|error| wrong(error.into()))?;
    if header.min_reader > PLAN_FORMAT {
        return Err(wrong(PlanError::TooNew { needed: header.min_reader }.into()));
    }
    serde_json::from_str(&text).map_err(|error| wrong(error.into()))
}

/// Writes a plan whole or not at all.
pub(super) fn write_plan(path: &Path, plan: &Plan) -> Result<(), CommandError> {
    let failed = |source| CommandError::WritePlan { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    serde_json::to_writer_pretty(&file, plan).map_err(|error| failed(error.into()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixtures::{planned, spec, with_v1};

    #[test]
    fn a_plan_comes_back_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let (plan, _) = planned("rolling", vec![spec("web", "v2", 2)], with_v1(2));
        write_plan(&path, &plan).unwrap();
        assert_eq!(read_plan(&path).unwrap(), plan);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left in the folder");
    }

    #[test]
    fn a_newer_plan_is_refused_before_its_shape_matters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        fs::write(&path, r#"{"format": 9, "min_reader": 9, "steps": "something new"}"#).unwrap();
        let error = read_plan(&path).unwrap_err();
        assert!(error.explain().contains("needs format 9"), "{}", error.explain());
    }
}
