use super::{print, print_json};
use crate::{
    CommandError, Exit,
    args::{Globals, Output, RbacArgs},
    wiring,
};

/// Prints the Role that a deployment of the files needs, and a ClusterRole where they hold what has no namespace. Only reads
/// the files.
///
/// # Errors
/// What is wrong with them.
pub async fn rbac(globals: &Globals, args: &RbacArgs) -> Result<Exit, CommandError> {
    let roles = wiring::roles(globals, &args.smoke).await?;
    match globals.output {
        Output::Json => roles.objects().iter().for_each(print_json),
        output => print(&roles.yaml(), output),
    }
    roles.notes.iter().for_each(|note| eprintln!("{note}"));
    Ok(Exit::Done)
}
