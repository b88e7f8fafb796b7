use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

/// A namespace's random key: releases are named by hashes under it, so that a weak secret can't be guessed from a name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key(pub(super) [u8; 32]);

impl Key {
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self([7; 32])
    }

    /// The first 16 hex digits of a hash (HMAC-SHA-256) that nobody without the key can compute.
    pub(crate) fn hex16(&self, text: &str) -> String {
        // HMAC takes keys of any length, so there is nothing that could be refused
        let mut hash = Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| Hmac::new(&Default::default()));
        hash.update(text.as_bytes());
        hex(&hash.finalize().into_bytes()[..8])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 1, whose key is padded with zeros to 32 bytes, which changes nothing.
    #[test]
    fn the_hash_is_hmac_sha_256() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(Key(key).hex16("Hi There"), "b0344c61d8db3853");
        assert_eq!(format!("{:?}", Key(key)), "Key(…)");
    }
}
