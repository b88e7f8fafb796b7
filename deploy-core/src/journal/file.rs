use super::{Journal, JournalError, LineError, Record, read_line, write_line};
use crate::model::DeploymentId;
use async_trait::async_trait;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// A journal in a folder: a file a deployment, `NUMBER.jsonl`, a line a record.
///
/// A torn last line, which a crash while writing leaves, was never acknowledged: it is cut off by the next append. Damage
/// anywhere else is an error.
#[derive(Debug)]
pub struct FileJournal {
    folder: PathBuf,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    deployment: DeploymentId,
    file: File,
    next: u64,
}

impl FileJournal {
    /// Keeps its files in a folder, which is made if it isn't there.
    ///
    /// # Errors
    /// Where the folder can't be made.
    pub fn new(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, open: Mutex::new(None) })
    }

    fn path(&self, deployment: DeploymentId) -> PathBuf {
        self.folder.join(format!("{deployment}.jsonl"))
    }

    fn records(&self, deployment: DeploymentId) -> Result<Parsed, JournalError> {
        match fs::read(self.path(deployment)) {
            Ok(bytes) => parse(deployment, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Parsed::default()),
            Err(error) => Err(unreachable(error)),
        }
    }

    /// Opens for appending: cuts a torn last line off, and makes a new file's name durable.
    fn open(&self, deployment: DeploymentId) -> Result<Open, JournalError> {
        let parsed = self.records(deployment)?;
        let file = OpenOptions::new().create(true).append(true).open(self.path(deployment)).map_err(unreachable)?;
        file.set_len(parsed.whole as u64).and_then(|()| sync_folder(&self.folder)).map_err(unreachable)?;
        Ok(Open { deployment, file, next: parsed.records.len() as u64 + 1 })
    }
}

#[derive(Default)]
struct Parsed {
    records: Vec<Record>,
    /// How many bytes hold whole records.
    whole: usize,
}

fn parse(deployment: DeploymentId, bytes: &[u8]) -> Result<Parsed, JournalError> {
    let mut parsed = Parsed::default();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let damaged = |source| JournalError::Damaged { deployment, line: index + 1, source };
        let Some(text) = line.strip_suffix(b"\n") else { break };
        let record = std::str::from_utf8(text).map_err(|_| LineError::NoChecksum).and_then(read_line);
        let record = match record {
            Err(LineError::TooNew { needed }) => return Err(JournalError::TooNew { needed }),
            // a block that was never written may follow the last whole line
            Err(_) if parsed.whole + line.len() == bytes.len() && line.contains(&0) => break,
            other => other.map_err(damaged)?,
        };
        let expected = parsed.records.len() as u64 + 1;
        if record.seq != expected {
            return Err(JournalError::OutOfOrder { expected, found: record.seq });
        }
        parsed.records.push(record);
        parsed.whole += line.len();
    }
    Ok(parsed)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn unreachable(error: io::Error) -> JournalError {
    JournalError::Unreachable(error.into())
}

#[async_trait]
impl Journal for FileJournal {
    async fn append(&self, deployment: DeploymentId, record: &Record) -> Result<(), JournalError> {
        let mut line = write_line(record).map_err(|error| JournalError::Unreachable(error.into()))?;
        line.push('\n');
        let mut slot = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = match slot.take() {
            Some(open) if open.deployment == deployment => open,
            _ => self.open(deployment)?,
        };
        if record.seq != open.next {
            return Err(JournalError::OutOfOrder { expected: open.next, found: record.seq });
        }
        // after a failure the file is opened anew, and what was written of the line is cut off
        open.file.write_all(line.as_bytes()).and_then(|()| open.file.sync_data()).map_err(unreachable)?;
        open.next += 1;
        *slot = Some(open);
        Ok(())
    }

    async fn read(&self, deployment: DeploymentId) -> Result<Vec<Record>, JournalError> {
        Ok(self.records(deployment)?.records)
    }

    async fn deployments(&self) -> Result<Vec<DeploymentId>, JournalError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(unreachable)? {
            let name = entry.map_err(unreachable)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(|name| name.parse().ok());
            found.extend(number.map(DeploymentId));
        }
        found.sort();
        Ok(found)
    }
}
