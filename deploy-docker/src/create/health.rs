use bollard::models::HealthConfig;
use deploy_compose::model::{Healthcheck, Test};
use std::time::Duration;

/// The container's own test, as the create call takes it; what isn't given comes from the image.
pub(crate) fn health_config(from: &Healthcheck) -> HealthConfig {
    let nanos = |time: &Option<Duration>| time.and_then(|time| i64::try_from(time.as_nanos()).ok());
    let Healthcheck { test, interval, timeout, start_period, start_interval, retries } = from;
    HealthConfig {
        test: test.as_ref().map(|test| match test {
            Test::None => vec!["NONE".to_owned()],
            Test::Command(argv) => [vec!["CMD".to_owned()], argv.clone()].concat(),
            Test::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
        }),
        interval: nanos(interval),
        timeout: nanos(timeout),
        retries: retries.map(i64::from),
        start_period: nanos(start_period),
        start_interval: nanos(start_interval),
    }
}

/// What is left of a test after the image's is filled in, in the order of the Engine.
pub(crate) fn effective(own: Option<&HealthConfig>, image: Option<&HealthConfig>) -> Option<HealthConfig> {
    let mut config = own.cloned().unwrap_or_default();
    if let Some(image) = image {
        config.test = config.test.filter(|test| !test.is_empty()).or_else(|| image.test.clone());
        config.interval = config.interval.or(image.interval);
        config.timeout = config.timeout.or(image.timeout);
        config.retries = config.retries.or(image.retries);
        config.start_period = config.start_period.or(image.start_period);
        config.start_interval = config.start_interval.or(image.start_interval);
    }
    let runs = config.test.as_ref().is_some_and(|test| test.first().is_some_and(|kind| kind != "NONE"));
    runs.then_some(config)
}

/// What a test runs, a line by the image's own SHELL if it has one; nothing for a form that no Engine has.
pub(crate) fn argv(test: &[String], shell: Option<&[String]>) -> Option<Vec<String>> {
    match test {
        [kind, argv @ ..] if kind == "CMD" && !argv.is_empty() => Some(argv.to_vec()),
        [kind, line] if kind == "CMD-SHELL" => {
            let usual = || vec!["/bin/sh".to_owned(), "-c".to_owned()];
            let shell = shell.filter(|shell| !shell.is_empty()).map_or_else(usual, <[String]>::to_vec);
            Some([shell, vec![line.clone()]].concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_images_test_fills_in_what_the_file_leaves_out() {
        let image = HealthConfig { test: test(&["CMD", "probe"]), interval: Some(7), ..Default::default() };
        let own = health_config(&Healthcheck { interval: Some(Duration::from_nanos(3)), ..Default::default() });
        let found = effective(Some(&own), Some(&image)).unwrap();
        assert_eq!((found.test, found.interval), (test(&["CMD", "probe"]), Some(3)));
        assert_eq!(effective(None, Some(&image)), Some(image));
    }

    #[test]
    fn a_test_can_be_switched_off() {
        let image = HealthConfig { test: test(&["CMD", "probe"]), ..Default::default() };
        let off = health_config(&Healthcheck { test: Some(Test::None), ..Default::default() });
        assert_eq!(effective(Some(&off), Some(&image)), None);
        assert_eq!(effective(None, None), None);
    }

    #[test]
    fn a_shell_line_runs_in_the_shell() {
        let line = ["CMD-SHELL".to_owned(), "curl -f x || exit 1".to_owned()];
        assert_eq!(argv(&line, None), test(&["/bin/sh", "-c", "curl -f x || exit 1"]));
        let shell = ["/bin/bash".to_owned(), "-lc".to_owned()];
        assert_eq!(argv(&line, Some(&shell)), test(&["/bin/bash", "-lc", "curl -f x || exit 1"]));
        assert_eq!(argv(&["CMD".into(), "probe".into(), "-x".into()], None), test(&["probe", "-x"]));
        assert_eq!(argv(&["NONE".into()], None), None);
    }
}
