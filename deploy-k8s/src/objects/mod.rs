//! What is neither a Deployment nor a pod: Services, ConfigMaps, Ingresses, anything else that the input holds. Applied as
//! `kubectl apply` does, with the same annotation, so that either may go on where the other has stopped.

mod apply;
pub(crate) mod awaited;
mod copies;
mod covers;
mod inventory;
mod kind;
mod look;
mod sealed;
mod settings;

pub(crate) use apply::asked;
pub(crate) use awaited::AWAITED;
pub(crate) use covers::covers;
pub(crate) use inventory::{Entry, Inventory};
pub(crate) use kind::{Kinds, Resolved, kind_name};
pub(crate) use sealed::{Seals, is_secret, seal};
pub(crate) use settings::{is_deployment, settings};
