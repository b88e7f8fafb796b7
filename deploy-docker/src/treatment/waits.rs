use deploy_compose::model::{Condition, Dependency, Project, Service, ServiceName};

/// Of services that are waited for longer than the file says in so many words.
pub(super) fn note(project: &Project, service: &Service) -> Option<String> {
    let place = |path: &str| project.place(&format!("services.{}.depends_on.{path}", service.name));
    let asks_less = |(name, dependency): (&ServiceName, &Dependency)| {
        let Dependency { condition, required: _, restart: _ } = dependency;
        let is_written = place(&format!("{name}.condition")) != place(name.as_str());
        (*condition == Condition::Started && is_written).then(|| name.to_string())
    };
    let names: Vec<_> = service.depends_on.iter().filter_map(asks_less).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    let names = names.join(" and ");
    (!names.is_empty())
        .then(|| format!("It waits until {names} {are} healthy, which is more than the `service_started` in the file."))
}
