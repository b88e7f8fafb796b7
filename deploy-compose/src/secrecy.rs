//! Which values are never repeated in messages.

use crate::node::Node;

/// Fields whose values people use for passwords and keys.
const SECRET: [&str; 3] = ["environment", "args", "content"];

/// What stands at `path`, without its text where that may be secret.
pub(crate) fn describe(node: &Node, path: &str) -> String {
    let is_secret = path.split(['.', '[']).any(|part| SECRET.contains(&part));
    if is_secret { node.describe_kind().to_owned() } else { node.describe() }
}
