use super::{print, print_json};
use crate::{
    CommandError, Exit, Place,
    args::Output,
    output::{self, Entry},
};
use deploy_core::engine;

/// Shows the last deployments, newest first.
///
/// # Errors
/// Where the journal can't be read.
pub async fn history(place: &Place, most: usize, output: Output) -> Result<Exit, CommandError> {
    let entries: Vec<_> = engine::history(&*place.journal, most).await?.iter().map(Entry::new).collect();
    match output {
        Output::Json => entries.iter().for_each(print_json),
        Output::Text | Output::Plain => print(&output::history(&entries), output),
    }
    Ok(Exit::Done)
}
