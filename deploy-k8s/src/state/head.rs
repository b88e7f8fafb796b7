use deploy_core::model::Fence;
use std::{fmt, str::FromStr};

/// The annotation with the head of a journal, which every append tests.
pub(super) const HEAD: &str = "deploy-rs.github.io/head";

/// Where a journal stands: the newest fence that it knows, and its last record. As text `3/12`, or `3/12/ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) fence: Fence,
    pub(super) seq: u64,
    /// Nothing may follow.
    pub(super) ended: bool,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.fence.0, self.seq, if self.ended { "/ended" } else { "" })
    }
}

impl FromStr for Head {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (text, ended) = text.strip_suffix("/ended").map_or((text, false), |text| (text, true));
        let (fence, seq) = text.split_once('/').ok_or(())?;
        Ok(Self { fence: Fence(fence.parse().map_err(drop)?), seq: seq.parse().map_err(drop)?, ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        for (text, fence, seq, ended) in [("3/12", 3, 12, false), ("3/12/ended", 3, 12, true)] {
            let head = Head { fence: Fence(fence), seq, ended };
            assert_eq!((head.to_string().as_str(), text.parse()), (text, Ok(head)));
        }
        for text in ["", "3", "3/", "/12", "3/12/", "3/12/over"] {
            assert_eq!(text.parse::<Head>(), Err(()), "{text}");
        }
    }
}
