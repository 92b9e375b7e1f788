//! The text of a `slipway.toml`: every key with the reason it has this value.

use app::model::{Draft, DraftComponent, DraftSecret, Guess};

/// Writes the draft as the file's text. Wrong values are written as they are, so that the reading of
/// it can say what is wrong with them.
pub fn text(draft: &Draft) -> String {
    let mut out = Text::default();
    out.line("# What this project is made of, for Slipway. The comments say where each value comes from;");
    out.line("# docs/slipway-toml.md describes every key.");
    out.section("[project]", "");
    out.key("name", &draft.name, string);
    out.key("namespace", &draft.namespace, string);
    out.key("secret", &draft.secret, string);
    for component in draft.components.iter().filter(|one| one.taken) {
        write_component(&mut out, component);
    }
    for secret in draft.secrets.iter().filter(|one| one.taken) {
        write_secret(&mut out, secret);
    }
    if [&draft.manifests, &draft.chart, &draft.values]
        .iter()
        .any(|guess| !guess.is_empty())
    {
        out.section("[deploy]", "");
        out.key("manifests", &draft.manifests, one_or_list);
        out.key("chart", &draft.chart, string);
        out.key("values", &draft.values, list);
    }
    out.0
}

fn write_component(out: &mut Text, component: &DraftComponent) {
    out.section("[[component]]", &component.why);
    out.key("name", &component.name, string);
    out.key("context", &component.context, string);
    out.key("dockerfile", &component.dockerfile, string);
    out.key("image", &component.image, string);
    out.key("port", &component.port, number);
    let probes = [
        ("startup", &component.startup),
        ("liveness", &component.liveness),
        ("readiness", &component.readiness),
    ];
    let set: Vec<_> = probes
        .iter()
        .filter(|(_, guess)| !guess.is_empty())
        .collect();
    if !set.is_empty() {
        for (name, guess) in &set {
            out.comment(&format!("{name}: {}", guess.why));
        }
        let pairs: Vec<String> = set
            .iter()
            .map(|(name, guess)| format!("{name} = {}", string(&guess.value)))
            .collect();
        out.line(&format!("probes = {{ {} }}", pairs.join(", ")));
    }
    // The default needs no line.
    if component.expose.value != "ClusterIP" {
        out.key("expose", &component.expose, string);
    }
    if !component.pack_binary.is_empty() {
        out.section("[component.pack]", "");
        out.key("build", &component.pack_build, words);
        out.key("binary", &component.pack_binary, string);
    }
}

fn write_secret(out: &mut Text, secret: &DraftSecret) {
    out.section("[[secret]]", &secret.why);
    out.bare_key("key", &secret.key, string);
    out.bare_key("label", &secret.label, string);
    out.bare_key("help", &secret.help, string);
    out.key("kind", &secret.kind, string);
    if secret.optional.value.trim() == "yes" {
        out.key("optional", &secret.optional, |_| "true".to_owned());
    }
    out.key("components", &secret.components, list);
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn section(&mut self, title: &str, why: &str) {
        self.line("");
        self.comment(why);
        self.line(title);
    }

    /// A reason comes from file names and from the browser: a line break in it would end the comment.
    fn comment(&mut self, why: &str) {
        let why: String = why
            .chars()
            .map(|c| {
                if c.is_control() || c == '\u{2028}' || c == '\u{2029}' {
                    ' '
                } else {
                    c
                }
            })
            .take(300)
            .collect();
        if !why.trim().is_empty() {
            self.line(&format!("# {}", why.trim()));
        }
    }

    fn key(&mut self, key: &str, guess: &Guess, value: fn(&str) -> String) {
        if !guess.is_empty() {
            self.comment(&guess.why);
            self.bare_key(key, guess, value);
        }
    }

    fn bare_key(&mut self, key: &str, guess: &Guess, value: fn(&str) -> String) {
        if !guess.is_empty() {
            self.line(&format!("{key} = {}", value(guess.value.trim())));
        }
    }
}

fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Text that is no number stays text, for the reader to complain about.
fn number(text: &str) -> String {
    match text.parse::<u32>() {
        Ok(number) => number.to_string(),
        Err(_) => string(text),
    }
}

fn array(parts: impl Iterator<Item = String>) -> String {
    format!("[{}]", parts.collect::<Vec<_>>().join(", "))
}

fn list(text: &str) -> String {
    array(parts(text).map(string))
}

fn one_or_list(text: &str) -> String {
    if parts(text).count() == 1 {
        string(text)
    } else {
        list(text)
    }
}

/// The parts of a field that holds several, separated by commas.
pub fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

fn words(text: &str) -> String {
    array(text.split_whitespace().map(string))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn draft(value: &str, why: &str) -> Draft {
        let guess = || Guess::new(value, why);
        Draft {
            name: guess(),
            namespace: guess(),
            secret: guess(),
            components: vec![DraftComponent {
                why: why.to_owned(),
                name: guess(),
                context: guess(),
                dockerfile: guess(),
                image: guess(),
                port: guess(),
                startup: guess(),
                liveness: guess(),
                readiness: guess(),
                expose: guess(),
                pack_build: guess(),
                pack_binary: guess(),
                ..DraftComponent::default()
            }],
            secrets: vec![DraftSecret {
                why: why.to_owned(),
                key: guess(),
                label: guess(),
                help: guess(),
                kind: guess(),
                components: guess(),
                ..DraftSecret::default()
            }],
            manifests: guess(),
            chart: guess(),
            values: guess(),
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_the_file_is_toml_and_holds_what_was_typed(value in "\\PC{1,40}", why in "(\\PC|\\n|\\r|\u{2028}){0,80}") {
            let text = text(&draft(&value, &why));
            let table: toml::Table = text.parse().map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            if !value.trim().is_empty() {
                prop_assert_eq!(table["project"]["name"].as_str(), Some(value.trim()));
            }
        }
    }
}
