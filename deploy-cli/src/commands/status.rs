use super::{print, print_json, services_of};
use crate::{
    CommandError, Exit, Place,
    args::Output,
    output::{Entry, Status},
};
use deploy_core::engine::history;

/// How far back services are looked up.
const REMEMBERED: usize = 10;

/// Shows what serves now. Takes no lease.
///
/// # Errors
/// Where the target can't be observed, or the journal can't be read.
pub async fn status(place: &Place, output: Output) -> Result<Exit, CommandError> {
    let deployments = history(&*place.journal, REMEMBERED).await?;
    let (world, names) = place.observe(&services_of(&deployments)).await?;
    let status = Status::new(&place.project, &world, &names, deployments.first().map(Entry::new));
    match output {
        Output::Json => print_json(&status),
        Output::Text | Output::Plain => print(&status.text(), output),
    }
    Ok(Exit::Done)
}
