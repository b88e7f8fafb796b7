//! Where each element of a project stands.

use std::collections::BTreeMap;

use crate::{
    Place,
    node::{Node, Value, join},
};

/// Places by path, such as `services.web.ports[0]`. A value under a key stands where its key does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    by_path: BTreeMap<String, Place>,
}

impl Places {
    pub(crate) fn of(root: &Node) -> Self {
        let mut places = Self::default();
        places.by_path.insert(String::new(), root.place.clone());
        places.add(root, "");
        places
    }

    fn add(&mut self, node: &Node, path: &str) {
        let mut put = |node: &Node, place: &Place, path: String| {
            self.by_path.insert(path.clone(), place.clone());
            self.add(node, &path);
        };
        match &node.value {
            Value::List(items) => {
                items.iter().enumerate().for_each(|(i, item)| put(item, &item.place, format!("{path}[{i}]")));
            }
            Value::Map(entries) => {
                entries.iter().for_each(|entry| put(&entry.value, &entry.key_place, join(path, &entry.key)));
            }
            Value::Scalar(_) => {}
        }
    }

    /// The place of an element, or of the nearest one around it.
    pub(crate) fn get(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.by_path.get(path) {
                return Some(place);
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None if path.is_empty() => return None,
                None => path = "",
            }
        }
    }
}
