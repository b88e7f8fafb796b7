use super::{print, print_json, services_of};
use crate::{
    CommandError, Exit, Place,
    args::{LogsArgs, Output},
};
use deploy_core::{
    engine::history,
    model::{Instance, InstanceState, ServiceName},
};
use serde::Serialize;

/// How far back services are looked up.
const REMEMBERED: usize = 10;

/// One line of an instance.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    service: &'a str,
    instance: &'a str,
    line: &'a str,
}

/// Shows the last lines that each live instance of a service logged. Takes no lease.
///
/// # Errors
/// Where no deployment was about the service, or the target doesn't answer.
pub async fn logs(place: &Place, args: &LogsArgs, output: Output) -> Result<Exit, CommandError> {
    let known = services_of(&history(&*place.journal, REMEMBERED).await?);
    let service = ServiceName::new(&args.service);
    if !known.contains(&service) {
        let known: Vec<_> = known.iter().map(ServiceName::as_str).collect();
        return Err(CommandError::NotAService { asked: args.service.clone(), known: known.join(", ") });
    }
    let world = place.target.observe(std::slice::from_ref(&service)).await?;
    let instances = world.of_service(&service).flat_map(|there| &there.instances);
    let live: Vec<_> = instances.filter(|one| one.state != InstanceState::Kept).collect();
    let width = live.iter().map(|one| one.name.len()).max().unwrap_or(0);
    for instance in live {
        let lines = place.target.logs(instance, args.lines).await?;
        show(&service, instance, &lines, width, output);
    }
    Ok(Exit::Done)
}

fn show(service: &ServiceName, instance: &Instance, lines: &[String], width: usize, output: Output) {
    for line in lines {
        match output {
            Output::Json => {
                print_json(&Line { kind: "log", service: service.as_str(), instance: &instance.name, line })
            }
            Output::Text | Output::Plain => print(&prefixed(&instance.name, width, line), output),
        }
    }
}

/// A line as `docker compose logs` shows it.
fn prefixed(name: &str, width: usize, line: &str) -> String {
    format!("{name:width$}  | {line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_below_each_other() {
        assert_eq!(prefixed("web-1", 6, "up"), "web-1   | up\n");
        assert_eq!(prefixed("web-10", 6, "up"), "web-10  | up\n");
    }
}
