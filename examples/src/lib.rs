//! A library user's first programs.
//!
//! `cargo run -p deploy-examples --example deploy`, in a folder with a Compose file, deploys that file on the Docker Engine;
//! with `-- app.yaml` at its end it deploys these manifests on the cluster. 38 lines, in `examples/deploy.rs`, of which ten
//! are a target's own.
//!
//! [`StaticSite`] is a target in one file: a folder of releases, and a symbolic link to the one that is served. Its lease
//! and journal, [`FolderLease`] and [`FolderJournal`], do for any target whose state lies in a folder of this machine.
//! `cargo run -p deploy-examples --example static_site -- FOLDER PAGE` deploys a page with them.

mod folder;
mod folder_journal;
mod folder_lease;
mod page;
mod static_site;

pub use folder_journal::FolderJournal;
pub use folder_lease::FolderLease;
pub use page::page;
pub use static_site::StaticSite;
