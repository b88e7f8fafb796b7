use super::lease::under_lease;
use crate::{
    CommandError, Exit, Place,
    args::{DownArgs, Output},
    output::json,
};
use deploy_core::{
    journal::Record,
    lease::Grant,
    model::{End, Event, Millis},
};
use std::io::Write;

/// Stops and removes everything of the project. An interrupted deployment is given up first.
///
/// # Errors
/// What couldn't be removed; the same command goes on.
pub async fn down(place: &Place, args: &DownArgs, output: Output) -> Result<Exit, CommandError> {
    let data = tear_down(place, args.lease_wait, args.volumes).await?;
    place.target.warnings().iter().for_each(|text| eprintln!("{text}"));
    Ok(is_down(&place.project, args.volumes, &data, output))
}

/// Says that nothing of a project runs, and what has become of its data.
pub fn is_down(project: &str, gone: bool, data: &[String], output: Output) -> Exit {
    let _ = match output {
        Output::Json => writeln!(std::io::stdout(), "{}", json::message("down", project)),
        Output::Text | Output::Plain => writeln!(std::io::stderr(), "{}", downs(project, gone, data)),
    };
    Exit::Done
}

fn downs(project: &str, gone: bool, data: &[String]) -> String {
    let volumes = match data {
        [] => return format!("{project} is down"),
        [one] => format!("the volume {one}"),
        several => format!("the volumes {}", several.join(", ")),
    };
    match gone {
        true => format!("{project} is down, and the data in {volumes} is gone"),
        false => {
            format!("{project} is down; its data is still in {volumes}: `deploy down --volumes` takes that away too")
        }
    }
}

/// Takes everything away, under the lease, and says nothing. Yields the volumes with data, gone or not.
///
/// # Errors
/// As [`down`].
pub async fn tear_down(place: &Place, lease_wait: Millis, volumes: bool) -> Result<Vec<String>, CommandError> {
    under_lease(place, lease_wait, async |grant| {
        give_up(place, grant).await?;
        place.teardown.down(grant.fence, volumes).await.map_err(CommandError::Teardown)
    })
    .await
}

/// Nothing of what an interrupted deployment was about will be there: nobody may carry it on.
async fn give_up(place: &Place, grant: Grant) -> Result<(), CommandError> {
    let Some(last) = place.last().await? else { return Ok(()) };
    if let Some(state) = last.state.filter(|state| state.end().is_none()) {
        let end = Event::Ended(End::Halted { why: "the project was taken down".into() });
        place.journal.append(last.id, &Record::new(state.seq() + 1, grant.fence, end)).await?;
    }
    Ok(())
}
