use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    )*};
}

id! {
    /// A place that runs services: a Compose project on an Engine, a namespace of a cluster.
    TargetId
    /// What sends requests to workloads.
    RouterId
    /// A named thing that users deploy: `web`, `worker`, `postgres`.
    ServiceName
    /// An immutable release of a service: the service's name, `-` and 16 hex digits of its content hash.
    ReleaseId
    /// A step's name, unique in its plan.
    StepId
    /// A guard's name, unique in its plan.
    GuardId
}
