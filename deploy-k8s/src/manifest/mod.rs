//! What people give to a deployment on a cluster: manifests, read and checked before anything is sent.
//!
//! Text in, objects with places out; only `input` reads files and only `kustomize` runs a program.

mod check;
mod identity;
mod input;
mod kustomize;
pub(crate) mod merge;
mod namespace;
pub(crate) mod order;
mod read;
mod scope;

pub(crate) use scope::is_cluster_wide;

pub use input::{Input, InputError, InputKind};

use deploy_compose::{Place, yaml};
use serde_json::Value;
use std::{fmt, sync::Arc};

/// An object as somebody wrote it. It has an `apiVersion`, a `kind` and a `metadata.name`.
///
/// `Debug` shows nothing of its content: it may be a Secret.
#[derive(Clone)]
pub struct Manifest {
    pub(crate) object: Value,
    pub(crate) place: Place,
    pub(crate) document: usize,
    pub(crate) source: Source,
}

/// Where an object was read.
#[derive(Clone)]
pub(crate) struct Source {
    document: Arc<yaml::Document>,
    /// The way to it, where it is in a list.
    way: Vec<String>,
}

/// The objects of a deployment, each of them once, and the namespace that they are for.
#[derive(Clone, Debug)]
pub struct Manifests {
    pub(crate) namespace: String,
    pub(crate) objects: Vec<Manifest>,
}

impl Manifest {
    /// Its content; keys are in the order of the file.
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// Where its first key stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where an element of it stands, by the names on the way to it, a list's items by their numbers.
    pub(crate) fn place_of<'a>(&'a self, way: impl IntoIterator<Item = &'a str>) -> &'a Place {
        let Source { document, way: before } = &self.source;
        document.place_of(before.iter().map(String::as_str).chain(way))
    }

    /// Which document of the file it is in, counted from 1.
    pub fn document(&self) -> usize {
        self.document
    }

    /// Its `apiVersion`.
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// The group of its `apiVersion`: empty for the core's.
    pub fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// Its `kind`.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Its `apiVersion` and `kind`.
    pub(crate) fn kind_in_full(&self) -> (&str, &str) {
        (self.api_version(), self.kind())
    }

    /// Whether it is the definition of another's kind, in that version.
    pub(crate) fn defines(&self, other: &Manifest) -> bool {
        let spec = &self.object["spec"];
        let mut versions = spec["versions"].as_array().into_iter().flatten();
        (self.group(), self.kind()) == ("apiextensions.k8s.io", "CustomResourceDefinition")
            && (spec["group"].as_str(), spec["names"]["kind"].as_str()) == (Some(other.group()), Some(other.kind()))
            && versions.any(|one| one["name"].as_str() == other.api_version().rsplit('/').next())
    }

    /// Its `metadata.name`.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// The namespace that it names, unless its kind has none.
    pub fn namespace(&self) -> Option<&str> {
        let said = self.object.pointer("/metadata/namespace")?.as_str()?;
        (is_cluster_wide(self.group(), self.kind()) != Some(true)).then_some(said)
    }

    /// Its content with the namespace that it is meant for, as `kubectl` fills it in; for kinds that have namespaces.
    pub(crate) fn object_in(&self, namespace: &str) -> Value {
        let mut object = self.object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".into(), namespace.into());
        }
        object
    }

    fn text(&self, pointer: &str) -> &str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}", self.kind(), self.name(), self.place)
    }
}

impl Manifests {
    /// The namespace of all objects that name none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The objects, in the order in which they were read.
    pub fn objects(&self) -> &[Manifest] {
        &self.objects
    }
}
