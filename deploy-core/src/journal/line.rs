use super::Record;
use serde::Deserialize;

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It doesn't end with a checksum.
    #[error("expected a checksum at the end of the line, but found none")]
    NoChecksum,
    /// The checksum is another line's.
    #[error("expected checksum {expected:08x}, but found {found:08x}")]
    Checksum {
        /// Of what stands there.
        expected: u32,
        /// As it stands there.
        found: u32,
    },
    /// It is whole, but no record.
    #[error("expected a record")]
    Json(#[from] serde_json::Error),
    /// It is whole, but this version can't read it.
    #[error("expected a record that this version can read, but found one that needs format {needed}")]
    TooNew {
        /// The format that it needs.
        needed: u16,
    },
}

const MARK: &str = ",\"crc\":\"";

/// A record as a line of JSON, without the line's end. Its last member, `crc`, is the CRC-32 (IEEE) of all that stands
/// before it, as 8 hex digits.
///
/// # Errors
/// Only where a record can't be JSON at all.
pub fn write_line(record: &Record) -> Result<String, LineError> {
    let mut line = serde_json::to_string(record)?;
    line.pop(); // the closing brace, which follows the checksum
    let crc = crc32fast::hash(line.as_bytes());
    Ok(format!("{line}{MARK}{crc:08x}\"}}"))
}

/// The record of a line that [`write_line`] wrote.
///
/// # Errors
/// What is wrong with it. The format is looked at first, so that a newer record is told from a damaged one.
pub fn read_line(line: &str) -> Result<Record, LineError> {
    #[derive(Deserialize)]
    struct Header {
        min_reader: u16,
    }
    let (body, rest) = line.rsplit_once(MARK).ok_or(LineError::NoChecksum)?;
    let found = rest.strip_suffix("\"}").filter(|crc| crc.len() == 8);
    let found = found.and_then(|crc| u32::from_str_radix(crc, 16).ok()).ok_or(LineError::NoChecksum)?;
    let expected = crc32fast::hash(body.as_bytes());
    if expected != found {
        return Err(LineError::Checksum { expected, found });
    }
    let needed = serde_json::from_str::<Header>(line)?.min_reader;
    if needed > super::RECORD_FORMAT {
        return Err(LineError::TooNew { needed });
    }
    Ok(serde_json::from_str(line)?)
}
