use std::io;
use std::path::{Path, PathBuf};

use deploy_proxy::agent::{Refusal, file};

use crate::instance::InstanceRecord;

/// The format of instances' records that this version writes, and the newest that it reads.
const FORMAT: u16 = 1;

/// The records of all instances, a file each.
#[derive(Clone, Debug)]
pub(crate) struct Instances {
    folder: PathBuf,
    logs: PathBuf,
}

impl Instances {
    pub(crate) fn open(state: &Path) -> Result<Self, Refusal> {
        let (folder, logs) = (state.join("instances"), state.join("logs"));
        file::folder(&folder)?;
        file::folder(&logs)?;
        Ok(Self { folder, logs })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// Where an instance's output goes.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// All of them, sets together, by ordinal.
    pub(crate) fn all(&self) -> Result<Vec<InstanceRecord>, Refusal> {
        let failed = |error: &io::Error| Refusal::storage("read", &self.folder, error);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(|error| failed(&error))? {
            let path = entry.map_err(|error| failed(&error))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(".json") && !name.starts_with('.') {
                // one that was removed since the folder was read isn't there
                found.extend(file::read_versioned::<InstanceRecord>(&path, FORMAT)?);
            }
        }
        found.sort_by(|a, b| (&a.workload, a.ordinal).cmp(&(&b.workload, b.ordinal)));
        Ok(found)
    }

    pub(crate) fn one(&self, name: &str) -> Result<Option<InstanceRecord>, Refusal> {
        file::read_versioned(&self.path(name), FORMAT)
    }

    pub(crate) fn write(&self, record: &InstanceRecord) -> Result<(), Refusal> {
        let path = self.path(&record.name());
        file::write(&path, &file::versioned(&path, FORMAT, record)?)
    }

    /// Forgets an instance and its output.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Refusal> {
        file::remove(&self.log(name))?;
        file::remove(&self.path(name))
    }
}
