use crate::model::{Event, Fence};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// The format of records that this version writes, and the newest that it reads.
pub const RECORD_FORMAT: u16 = 1;

/// One event with its place in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format that it was written in.
    pub format: u16,
    /// The oldest format whose readers understand it.
    pub min_reader: u16,
    /// Its number in the deployment, from 1 without gaps.
    pub seq: u64,
    /// When, for people: nothing is decided by it.
    pub at: Timestamp,
    /// Under which fence.
    pub fence: Fence,
    /// What happened.
    #[serde(deserialize_with = "known_or_new")]
    pub event: Event,
}

impl Record {
    /// A record of now, in this version's format.
    pub fn new(seq: u64, fence: Fence, event: Event) -> Self {
        Self { format: RECORD_FORMAT, min_reader: 1, seq, at: Timestamp::now(), fence, event }
    }
}

/// A known kind that doesn't parse is damaged, not new.
fn known_or_new<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
    let event = Event::deserialize(deserializer)?;
    if let Event::Unknown(value) = &event {
        match value.get("event").and_then(|kind| kind.as_str()) {
            None => return Err(D::Error::custom("expected an event with its kind")),
            Some(kind) if Event::KINDS.contains(&kind) => {
                return Err(D::Error::custom(format!("expected a whole {kind} event")));
            }
            Some(_) => {}
        }
    }
    Ok(event)
}
