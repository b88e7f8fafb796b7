//! How containers are named: mutations address them by name, so that whoever takes over can make late calls miss.

use deploy_core::model::{Fence, ReleaseId};

/// The end of a kept instance's name.
const KEPT: &str = "-kept";

/// An instance's name: `shop-web-1f2e3d4c-1`.
///
/// A deployer that adopts it under a fence adds `-fence` and its number; while it is kept, `-kept` follows.
pub(crate) fn instance(project: &str, service: &str, release: &ReleaseId, ordinal: u32) -> String {
    format!("{project}-{service}-{}-{ordinal}", short(release))
}

/// The first 8 hex digits of a release's content hash.
pub(crate) fn short(release: &ReleaseId) -> &str {
    hash(release).get(..8).unwrap_or(hash(release))
}

/// A release's content hash, in hex digits.
pub(crate) fn hash(release: &ReleaseId) -> &str {
    release.as_str().rsplit('-').next().unwrap_or_default()
}

/// The name under which an adopted container goes on.
pub(crate) fn adopted(name: &str, fence: Fence) -> String {
    let (bare, kept) = match name.strip_suffix(KEPT) {
        Some(bare) => (bare, KEPT),
        None => (name, ""),
    };
    format!("{}-fence{}{kept}", without_generation(bare), fence.0)
}

/// The fence under which it was adopted last, if it was.
pub(crate) fn generation(name: &str) -> Option<Fence> {
    let bare = name.strip_suffix(KEPT).unwrap_or(name);
    let (_, digits) = bare.rsplit_once("-fence")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok().map(Fence)).flatten()
}

/// The name of a kept instance.
pub(crate) fn kept(name: &str) -> String {
    format!("{}{KEPT}", live(name))
}

/// The name of an instance that is kept no longer.
pub(crate) fn live(name: &str) -> &str {
    name.strip_suffix(KEPT).unwrap_or(name)
}

/// Whether it is the name of a kept instance.
pub(crate) fn is_kept(name: &str) -> bool {
    name.ends_with(KEPT)
}

fn without_generation(bare: &str) -> &str {
    match (generation(bare), bare.rsplit_once("-fence")) {
        (Some(_), Some((before, _))) => before,
        _ => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_project_service_release_and_ordinal() {
        let release = ReleaseId::new("my-web-0123456789abcdef");
        assert_eq!(instance("shop", "my-web", &release, 3), "shop-my-web-01234567-3");
    }

    #[test]
    fn adopting_again_replaces_the_generation_and_keeps_the_rest() {
        let name = adopted("shop-web-01234567-1", Fence(7));
        assert_eq!(name, "shop-web-01234567-1-fence7");
        assert_eq!(adopted(&name, Fence(12)), "shop-web-01234567-1-fence12");
        assert_eq!(adopted(&kept(&name), Fence(12)), "shop-web-01234567-1-fence12-kept");
        assert_eq!(generation(&kept(&name)), Some(Fence(7)));
    }

    #[test]
    fn a_service_that_looks_like_a_generation_is_none() {
        assert_eq!(generation("shop-web-fence-1"), None);
        assert_eq!(generation("shop-web-1"), None);
        assert_eq!(adopted("shop-web-fencer-1", Fence(2)), "shop-web-fencer-1-fence2");
    }

    #[test]
    fn keeping_and_coming_back_is_the_same_name() {
        assert_eq!(live(&kept("shop-web-01234567-1")), "shop-web-01234567-1");
        assert_eq!(kept(&kept("a")), "a-kept");
        assert!(is_kept(&kept("a")) && !is_kept("a"));
    }
}
