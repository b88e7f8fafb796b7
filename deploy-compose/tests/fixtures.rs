//! Every fixture loads, and its services survive being stored and read back.

use std::path::{Path, PathBuf};

use deploy_compose::{
    Loader,
    model::{Project, Service},
};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folder = std::fs::read_dir(folder).expect("a folder with fixtures");
    let mut fixtures: Vec<PathBuf> = folder.map(|entry| entry.expect("a fixture").path()).collect();
    fixtures.sort();
    fixtures
}

fn load(fixture: &Path) -> Project {
    Loader::new(fixture).load().unwrap_or_else(|error| panic!("{}:\n{error}", fixture.display()))
}

#[test]
fn every_fixture_loads_without_a_warning() {
    for fixture in fixtures() {
        let project = load(&fixture);
        assert!(!project.services.is_empty(), "{}", fixture.display());
        assert_eq!(project.warnings, [], "{}", fixture.display());
    }
}

#[test]
fn services_survive_being_stored_and_read_back() {
    for fixture in fixtures() {
        for service in load(&fixture).services.values() {
            let stored = serde_json::to_value(service).unwrap();
            let read: Service = serde_json::from_value(stored.clone()).unwrap();
            assert_eq!(read, *service);
            assert_eq!(serde_json::to_value(&read).unwrap(), stored);
        }
    }
}
