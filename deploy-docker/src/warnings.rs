use std::{
    collections::BTreeSet,
    mem::take,
    sync::{Mutex, PoisonError},
};

/// What the Engine says beside its answers: a kernel can't keep a limit, say. Each thing is told once, however many
/// containers it is said of.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    words: BTreeSet<String>,
    untold: Vec<String>,
}

impl Warnings {
    /// Takes up what was said of a container.
    pub(crate) fn hear(&self, container: &str, words: Vec<String>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for words in words {
            let text = format!("the Docker Engine says of {container}: {}", words.trim());
            if heard.words.insert(words) {
                heard.untold.push(text);
            }
        }
    }

    /// Takes up something that people should know.
    pub(crate) fn note(&self, text: String) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.words.insert(text.clone()) {
            heard.untold.push(text);
        }
    }

    /// What wasn't told yet.
    pub(crate) fn untold(&self) -> Vec<String> {
        take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_told_once() {
        let warnings = Warnings::default();
        warnings.hear("shop-web-1", vec!["no swap limit\n".into()]);
        warnings.hear("shop-web-2", vec!["no swap limit\n".into(), "no memory limit".into()]);
        let said = ["shop-web-1: no swap limit", "shop-web-2: no memory limit"];
        assert_eq!(warnings.untold(), said.map(|said| format!("the Docker Engine says of {said}")));
        warnings.hear("shop-web-3", vec!["no swap limit\n".into()]);
        assert!(warnings.untold().is_empty());
    }
}
