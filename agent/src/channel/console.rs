//! The report as one line for the console and for systemd.

use bootwright_seed::report::{CONSOLE_PREFIX, Report};

use super::words::{prose, word};

/// The line, prefix and line end included.
pub fn line(report: &Report) -> String {
    format!("{CONSOLE_PREFIX} {}\n", summary(report))
}

/// `key=value` pairs; `error=`, whose value has blanks, comes last and goes to the end.
pub fn summary(report: &Report) -> String {
    let mut pairs = vec![format!("state={}", report.state.name())];
    let mut add = |key: &str, value: &str| pairs.push(format!("{key}={}", word(value)));
    if let Some(source) = &report.source {
        add("source", &source.kind);
        add("device", &source.device);
    }
    if let Some(id) = &report.instance_id {
        add("instance-id", id);
    }
    if let Some(profile) = &report.profile {
        add("profile", &format!("{}/{}", profile.name, profile.version));
    }
    if let Some(error) = &report.error {
        pairs.push(format!("error={}", prose(error)));
    }
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use bootwright_seed::report::{Profile, SCHEMA, Source, State};

    use super::*;

    fn report(state: State) -> Report {
        Report {
            schema: SCHEMA,
            state,
            agent: "1".to_owned(),
            profile: Some(Profile { name: "ecs".to_owned(), version: "2.4.0".to_owned() }),
            source: None,
            instance_id: None,
            env: None,
            tried: Vec::new(),
            warnings: Vec::new(),
            error: None,
            elapsed_ms: 0,
        }
    }

    #[test]
    fn active() {
        let report = Report {
            source: Some(Source {
                kind: "cidata".to_owned(),
                device: "/dev/sr0".to_owned(),
                filesystem: Some("iso9660".to_owned()),
                file: "user-data".to_owned(),
            }),
            instance_id: Some("iid-1 x\n\u{7}".to_owned()),
            ..report(State::Active)
        };
        assert_eq!(
            line(&report),
            "bootwright-agent: state=active source=cidata device=/dev/sr0 instance-id=iid-1?x?? profile=ecs/2.4.0\n"
        );
    }

    #[test]
    fn failed_and_unconfigured() {
        let failed = Report { error: Some("two\nlines".to_owned()), ..report(State::Failed) };
        assert_eq!(
            line(&failed),
            "bootwright-agent: state=failed profile=ecs/2.4.0 error=two?lines\n"
        );
        assert_eq!(summary(&report(State::Unconfigured)), "state=unconfigured profile=ecs/2.4.0");
    }
}
