//! Where something stands in a file.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A file, a line and a column, both counted from 1, the column in characters.
///
/// It is shown, serialised and read back as `compose.yaml:12:5`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    file: Arc<str>,
    line: usize,
    column: usize,
}

impl Place {
    /// A place in `file`, as the file should be shown to people; `line` and `column` count from 1.
    #[must_use]
    pub fn new(file: impl Into<Arc<str>>, line: usize, column: usize) -> Self {
        Self { file: file.into(), line, column }
    }

    /// The file as it is shown to people: relative to the project directory where it lies inside it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut parts = text.rsplitn(3, ':');
        let (column, line, file) = (parts.next(), parts.next(), parts.next());
        match (file, line.map(str::parse), column.map(str::parse)) {
            (Some(file), Some(Ok(line)), Some(Ok(column))) => Ok(Self::new(file, line, column)),
            _ => Err(de::Error::custom(format!("expected a place such as compose.yaml:12:5, but found \"{text}\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_round_trip_even_with_colons_in_the_file_name() {
        let place = Place::new("a:b/compose.yaml", 12, 5);
        let json = serde_json::to_string(&place).unwrap();
        assert_eq!(json, "\"a:b/compose.yaml:12:5\"");
        assert_eq!(serde_json::from_str::<Place>(&json).unwrap(), place);
    }

    #[test]
    fn text_without_numbers_is_refused() {
        let error = serde_json::from_str::<Place>("\"compose.yaml\"").unwrap_err();
        assert!(error.to_string().contains("expected a place"), "{error}");
    }
}
