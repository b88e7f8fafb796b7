use bollard::{
    moby::buildkit::v1::{StatusResponse, Vertex, VertexLog},
    models::{BuildInfo, BuildInfoAux},
};
use std::collections::{BTreeMap, VecDeque};

/// How many of the builder's last lines explain a failure.
const LINES: usize = 20;
/// How much of a line without an end is kept, in bytes.
const LONGEST: usize = 4096;

/// What a builder has said so far.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// The last lines of all.
    last: Lines,
    /// BuildKit's steps, by their digest.
    steps: BTreeMap<String, Step>,
    /// The first step that failed, by its digest.
    failed: Option<String>,
}

#[derive(Debug, Default)]
struct Step {
    name: String,
    is_told: bool,
    last: Lines,
    /// What has come of a line whose end hasn't.
    begun: Vec<u8>,
}

#[derive(Debug, Default)]
struct Lines(VecDeque<String>);

impl Lines {
    fn push(&mut self, line: &str) {
        self.0.push_back(line.to_owned());
        if self.0.len() > LINES {
            self.0.pop_front();
        }
    }
}

impl Transcript {
    /// Takes an answer in, and tells each line that it brings.
    pub(super) fn take(&mut self, answer: BuildInfo, mut tell: impl FnMut(&str)) {
        let lines = match answer {
            BuildInfo { aux: Some(BuildInfoAux::BuildKit(status)), .. } => self.take_status(status),
            BuildInfo { stream: Some(text), .. } => lines(&text).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        for line in lines {
            self.last.push(&line);
            tell(&line);
        }
    }

    /// What explains a failure: the failed step with its last lines where BuildKit names one, the last lines of all
    /// otherwise; oldest first.
    pub(super) fn into_lines(mut self) -> Vec<String> {
        match self.failed.and_then(|digest| self.steps.remove(&digest)) {
            Some(step) => std::iter::once(step.name).chain(step.last.0).collect(),
            None => self.last.0.into(),
        }
    }

    fn take_status(&mut self, status: StatusResponse) -> Vec<String> {
        let mut told = Vec::new();
        // a step is told before what it writes, and its last words before its end
        let (ended, others): (Vec<_>, Vec<_>) = status.vertexes.into_iter().partition(|step| step.completed.is_some());
        others.iter().chain(&ended).for_each(|step| told.extend(self.begin(step)));
        status.logs.iter().for_each(|log| told.extend(self.write(log)));
        ended.iter().for_each(|step| told.extend(self.end(step)));
        told
    }

    /// A step's name, the first time that something is known of how it goes.
    fn begin(&mut self, vertex: &Vertex) -> Option<String> {
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        step.name.clone_from(&vertex.name);
        let is_known = vertex.started.is_some() || vertex.cached;
        if !is_known || std::mem::replace(&mut step.is_told, true) {
            return None;
        }
        Some(match vertex.cached {
            true => format!("{} (cached)", vertex.name),
            false => vertex.name.clone(),
        })
    }

    fn write(&mut self, log: &VertexLog) -> Vec<String> {
        let step = self.steps.entry(log.vertex.clone()).or_default();
        step.begun.extend_from_slice(&log.msg);
        let whole = match step.begun.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if step.begun.len() > LONGEST => step.begun.len(),
            None => 0,
        };
        let text: Vec<u8> = step.begun.drain(..whole).collect();
        step.told(&text)
    }

    fn end(&mut self, vertex: &Vertex) -> Vec<String> {
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        let text = std::mem::take(&mut step.begun);
        let told = step.told(&text);
        // the others are given up when one has failed
        if !vertex.error.is_empty() && !vertex.error.contains("context canceled") {
            self.failed.get_or_insert_with(|| vertex.digest.clone());
        }
        told
    }
}

impl Step {
    fn told(&mut self, text: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(text);
        let lines: Vec<_> = lines(&text).map(str::to_owned).collect();
        lines.iter().for_each(|line| self.last.push(line));
        lines
    }
}

/// The lines of a text that say something; of one that was written over, what stood there last.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let shown = text.lines().filter_map(|line| line.trim_end().rsplit('\r').next());
    shown.filter(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Engine 20.10 answered when one of two stages that were built side by side failed.
    const TWO_STAGES: &str = include_str!("two_stages.jsonl");

    fn read(answers: &str) -> (Vec<String>, Vec<String>) {
        let (mut transcript, mut told) = (Transcript::default(), Vec::new());
        for answer in answers.lines() {
            transcript.take(serde_json::from_str(answer).unwrap(), |line| told.push(line.to_owned()));
        }
        (told, transcript.into_lines())
    }

    #[test]
    fn each_step_is_told_once_and_the_one_that_failed_explains_it() {
        let (told, explained) = read(TWO_STAGES);
        insta::assert_json_snapshot!(told, @r#"
        [
          "[internal] load remote build context",
          "copy /context /",
          "[internal] load metadata for docker.io/library/deploy-docker-fixture:984bdd1248de1967",
          "[base 1/2] FROM docker.io/library/deploy-docker-fixture:984bdd1248de1967",
          "[base 2/2] COPY page /page",
          "[stage-2 1/2] RUN [\"/deploy\", \"serve\"]",
          "[other 1/1] RUN [\"/deploy\", \"probe\", \"1\"]",
          "listening"
        ]
        "#);
        insta::assert_json_snapshot!(explained, @r#"
        [
          "[other 1/1] RUN [\"/deploy\", \"probe\", \"1\"]"
        ]
        "#);
    }

    #[test]
    fn the_classic_builders_last_lines_explain() {
        let said: Vec<_> = (1..=30).map(|n| format!(r#"{{"stream":"Step {n}\n"}}"#)).collect();
        let (told, explained) = read(&said.join("\n"));
        assert_eq!(told.len(), 30);
        assert_eq!((explained.len(), explained[0].as_str()), (LINES, "Step 11"));
    }

    fn status(vertexes: Vec<Vertex>, logs: &[&str]) -> BuildInfo {
        let log = |text: &&str| VertexLog { vertex: "a".into(), msg: text.as_bytes().to_vec(), ..Default::default() };
        let status = StatusResponse { vertexes, logs: logs.iter().map(log).collect(), ..Default::default() };
        BuildInfo { aux: Some(BuildInfoAux::BuildKit(status)), ..Default::default() }
    }

    #[test]
    fn lines_are_put_together_and_what_was_written_over_is_left_out() {
        let (mut transcript, mut told) = (Transcript::default(), Vec::new());
        let mut take = |logs: &[&str]| transcript.take(status(Vec::new(), logs), |line| told.push(line.to_owned()));
        take(&["10 %\r", "50 %\r100 %", "\nsec"]);
        take(&["ond\r\n\n", "no end"]);
        assert_eq!(told, ["100 %", "second"]);
    }

    #[test]
    fn a_step_from_the_cache_says_so_and_an_end_brings_the_last_words() {
        let (mut transcript, mut told) = (Transcript::default(), Vec::new());
        let vertex = |cached, error: &str| Vertex {
            digest: "a".into(),
            name: "[1/2] RUN x".into(),
            cached,
            completed: Some(Default::default()),
            error: error.into(),
            ..Default::default()
        };
        transcript.take(status(vec![vertex(true, "")], &[]), |line| told.push(line.to_owned()));
        transcript.take(status(vec![vertex(false, "exit code: 1")], &["why"]), |line| told.push(line.to_owned()));
        assert_eq!(told, ["[1/2] RUN x (cached)", "why"]);
        assert_eq!(transcript.into_lines(), ["[1/2] RUN x", "why"]);
    }
}
