use std::io;
use std::path::{Path, PathBuf};

use deploy_proxy::agent::{Refusal, file};

use crate::instance::{InstanceRecord, Phase};

/// The format of instances' records that this version writes, and the newest that it reads.
const FORMAT: u16 = 1;

/// The records of all instances, a file each.
#[derive(Clone, Debug)]
pub(crate) struct Instances {
    folder: PathBuf,
    logs: PathBuf,
    boot_id: String,
}

impl Instances {
    pub(crate) fn open(state: &Path, boot_id: &str) -> Result<Self, Refusal> {
        let (folder, logs) = (state.join("instances"), state.join("logs"));
        file::folder(&folder)?;
        file::folder(&logs)?;
        Ok(Self { folder, logs, boot_id: boot_id.to_owned() })
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
                found.extend(self.read(&path)?);
            }
        }
        found.sort_by(|a, b| (&a.workload, a.ordinal).cmp(&(&b.workload, b.ordinal)));
        Ok(found)
    }

    pub(crate) fn one(&self, name: &str) -> Result<Option<InstanceRecord>, Refusal> {
        self.read(&self.path(name))
    }

    /// What ran when the machine was last stopped was stopped with it, and is kept.
    fn read(&self, path: &Path) -> Result<Option<InstanceRecord>, Refusal> {
        let record = file::read_versioned::<InstanceRecord>(path, FORMAT)?;
        Ok(record.map(|record| match record.boot_id == self.boot_id {
            true => record,
            false => InstanceRecord { phase: Phase::Kept, process: None, ..record },
        }))
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
