//! Deployments in a row under load from another container of the project, which calls the service by its name.

use super::{
    Args, Project, ShowError,
    lossless::{From, series},
};

pub(super) async fn show(project: &Project, args: &Args) -> Result<bool, ShowError> {
    series(project, args, From::Inside).await
}
