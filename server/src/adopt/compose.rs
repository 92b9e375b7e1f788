//! What compose files say: services that are built here, their ports, health and the names of their
//! variables.

use std::sync::LazyLock;

use app::model::{Guess, Note, Setting};
use regex::Regex;
use serde_json::Value;

use super::env_file::is_name;
use super::secrets;
use super::stack;
use super::tree::{Tree, folder_of, join, name_of, normal};
use crate::images::report::secret_like;

const NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// A service of a compose file. One without `build` is somebody else's image.
#[derive(Clone, Debug, Default)]
pub struct Service {
    pub name: String,
    pub file: String,
    pub build: Option<Build>,
    pub image: String,
    pub port: Option<Guess>,
    /// It is reached from outside of the composition.
    pub is_published: bool,
    pub health: Option<Guess>,
    /// Names only.
    pub variables: Vec<String>,
    /// Those whose value is plain and no secret.
    pub settings: Vec<Setting>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    pub context: String,
    pub dockerfile: String,
}

#[derive(Debug, Default)]
pub struct Composed {
    pub services: Vec<Service>,
    pub notes: Vec<Note>,
}

/// Reads the nearest compose file; others are named in a note.
pub fn read(tree: &Tree) -> Composed {
    let mut files: Vec<&str> = tree
        .files()
        .filter(|path| NAMES.contains(&name_of(path)))
        .collect();
    files.sort_by_key(|path| {
        let rank = NAMES.iter().position(|name| *name == name_of(path));
        (path.matches('/').count(), rank)
    });
    let mut composed = Composed::default();
    for (nth, file) in files.into_iter().enumerate() {
        let told = |text: &str| Note {
            source: file.to_owned(),
            text: text.to_owned(),
        };
        if nth > 0 && !composed.services.is_empty() {
            composed.notes.push(told(
                "Another compose file was read, so this one was left alone",
            ));
            continue;
        }
        match tree.read(file).map(|text| parse(&text)) {
            Some(Ok(document)) => services(file, &document, &mut composed),
            Some(Err(why)) => composed.notes.push(told(&format!("It is no YAML: {why}"))),
            None => composed.notes.push(told("It is too large to be read")),
        }
    }
    composed
}

fn parse(text: &str) -> Result<Value, String> {
    let mut document: serde_yaml::Value =
        serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    document.apply_merge().map_err(|error| error.to_string())?;
    serde_json::to_value(document).map_err(|error| error.to_string())
}

fn services(file: &str, document: &Value, composed: &mut Composed) {
    let Some(all) = document["services"].as_object() else {
        return;
    };
    for (name, service) in all {
        let build = match build(file, &service["build"]) {
            Ok(build) => build,
            Err(text) => {
                composed.notes.push(Note {
                    source: file.to_owned(),
                    text: format!("{name}: {text}"),
                });
                continue;
            }
        };
        if build.is_some() && service["build"]["target"].is_string() {
            composed.notes.push(Note {
                source: file.to_owned(),
                text: format!("{name} is built up to one stage; Slipway builds the last stage of the Dockerfile"),
            });
        }
        let image = service["image"].as_str().unwrap_or_default().to_owned();
        if build.is_none() && !image.is_empty() {
            composed.notes.push(Note {
                source: file.to_owned(),
                text: format!(
                    "{name} runs the image {}, which is not built here: deploy it by a chart of its own, or use a hosted one",
                    with_defaults(&image)
                ),
            });
        }
        let (variables, settings) = environment(&service["environment"]);
        let (port, is_published) = port(file, service);
        composed.services.push(Service {
            name: name.clone(),
            file: file.to_owned(),
            build,
            image: with_defaults(&image),
            port,
            is_published,
            health: health(file, &service["healthcheck"]["test"]),
            variables,
            settings,
        });
    }
}

fn build(file: &str, build: &Value) -> Result<Option<Build>, String> {
    let text = |value: &Value| value.as_str().map(with_defaults);
    let (context, dockerfile) = match build {
        Value::Null => return Ok(None),
        Value::String(context) => (with_defaults(context), None),
        _ => (
            text(&build["context"]).unwrap_or_else(|| ".".to_owned()),
            text(&build["dockerfile"]),
        ),
    };
    let outside = || format!("its build context {context} is not in this folder");
    let folder = normal(&join(folder_of(file), &context)).ok_or_else(outside)?;
    let dockerfile = dockerfile.unwrap_or_else(|| "Dockerfile".to_owned());
    let dockerfile = normal(&join(&folder, &dockerfile)).ok_or_else(outside)?;
    Ok(Some(Build {
        context: folder,
        dockerfile,
    }))
}

static DEFAULT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$\{\w+(?::?-([^}]*))?[^}]*\}|\$\w+").expect("the expression is a constant")
});

/// Variables replaced by their defaults.
fn with_defaults(text: &str) -> String {
    DEFAULT
        .replace_all(text, |found: &regex::Captures<'_>| {
            found
                .get(1)
                .map_or(String::new(), |value| value.as_str().to_owned())
        })
        .into_owned()
}

fn port(file: &str, service: &Value) -> (Option<Guess>, bool) {
    let list = |key: &str| service[key].as_array().cloned().unwrap_or_default();
    let target = |port: &Value| -> Option<u16> {
        let text = match port {
            Value::Number(number) => number.to_string(),
            Value::String(text) => with_defaults(text),
            long => match &long["target"] {
                Value::String(text) => with_defaults(text),
                number => number.to_string(),
            },
        };
        let text = text.split('/').next()?;
        text.rsplit(':')
            .next()?
            .parse()
            .ok()
            .filter(|port| *port > 0)
    };
    let published = list("ports");
    if let Some(port) = published.iter().find_map(target) {
        let why = format!("{file} publishes this port of the container");
        return (Some(Guess::new(port.to_string(), why)), true);
    }
    if let Some(port) = list("expose").iter().find_map(target) {
        let why = format!("{file} exposes it");
        return (Some(Guess::new(port.to_string(), why)), false);
    }
    let words = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(words) => words
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        _ => String::new(),
    };
    let command = with_defaults(&words(&service["command"]));
    let port = stack::port_of_command(&command)
        .map(|port| Guess::new(port, format!("The command in {file} says so")));
    (port, false)
}

static URL_PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])(?::[^/\s"']+)?(/[A-Za-z0-9_./-]*)?"#)
        .expect("the expression is a constant")
});

/// The path of the address that a health check asks.
pub fn path_asked(command: &str) -> Option<String> {
    let found = URL_PATH.captures(command)?;
    Some(found.get(1).map_or("/", |path| path.as_str()).to_owned())
}

fn health(file: &str, test: &Value) -> Option<Guess> {
    let text = match test {
        Value::String(text) => text.clone(),
        Value::Array(words) => words
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        _ => return None,
    };
    let path = path_asked(&text)?;
    Some(Guess::new(
        path,
        format!("The health check in {file} asks it"),
    ))
}

/// Names of all variables, and the plain settings among them with their values.
fn environment(environment: &Value) -> (Vec<String>, Vec<Setting>) {
    let pairs: Vec<(String, Option<String>)> = match environment {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::String(text) => Some(text.clone()),
                    Value::Null => None,
                    other => Some(other.to_string()),
                };
                (name.clone(), value)
            })
            .collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(Value::as_str)
            .map(|line| match line.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (line.to_owned(), None),
            })
            .collect(),
        _ => Vec::new(),
    };
    let mut names = Vec::new();
    let mut settings = Vec::new();
    for (name, value) in pairs {
        if !is_name(&name) {
            continue;
        }
        if secrets::kind(&name, false).is_none()
            && let Some(value) = value.filter(|value| is_plain(&name, value))
        {
            settings.push(Setting {
                name: name.clone(),
                value,
            });
        }
        names.push(name);
    }
    (names, settings)
}

/// Whether a value can be repeated in a manifest: a word, a number or an address without a password.
fn is_plain(name: &str, value: &str) -> bool {
    let is_simple = |c: char| c.is_ascii_alphanumeric() || "-_./:,".contains(c);
    !value.is_empty()
        && value.len() <= 80
        && value.chars().all(is_simple)
        && !secret_like::is_secret(name, value)
        && secret_like::mask(value) == value
        // Long mixtures of letters and digits are no words.
        && value
            .split(|c: char| !c.is_ascii_alphanumeric())
            .all(|word| word.len() < 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn composed(text: &str) -> Composed {
        let mut composed = Composed::default();
        services("compose.yaml", &parse(text).expect("YAML"), &mut composed);
        composed
    }

    #[test]
    fn both_ways_to_write_everything_are_read() {
        let all = composed(
            "services:\n  api:\n    build: ./api\n    ports: ['${PORT:-8080}:8000']\n    environment: [A_TOKEN=hunter2, LOG=info, 'URL_OF=http://db:1/x']\n    healthcheck: {test: [CMD, curl, -f, 'http://localhost:8000/health']}\n  web:\n    build: {context: ., dockerfile: web/Dockerfile, target: dev}\n    ports: [{target: 3000, published: 80}]\n    environment: {LEVEL: 3, PASSWORD: x}\n  db: {image: 'postgres:16'}\n  far: {build: ../elsewhere}\n",
        );
        let api = &all.services[0];
        assert_eq!(
            api.build.as_ref().map(|build| build.dockerfile.as_str()),
            Some("api/Dockerfile")
        );
        assert_eq!(
            api.port.as_ref().map(|port| port.value.as_str()),
            Some("8000")
        );
        assert_eq!(
            api.health.as_ref().map(|path| path.value.as_str()),
            Some("/health")
        );
        assert_eq!(api.variables, ["A_TOKEN", "LOG", "URL_OF"]);
        assert!(!format!("{all:?}").contains("hunter2"));
        let web = &all.services[1];
        assert_eq!(
            web.build.as_ref().map(|build| build.dockerfile.as_str()),
            Some("web/Dockerfile")
        );
        assert_eq!(
            web.port.as_ref().map(|port| port.value.as_str()),
            Some("3000")
        );
        assert_eq!(web.settings.len(), 1);
        assert!(all.services[2].build.is_none());
        let notes: Vec<&str> = all.notes.iter().map(|note| note.text.as_str()).collect();
        assert!(
            notes.iter().any(|text| text.contains("postgres:16")),
            "{notes:?}"
        );
        assert!(
            notes.iter().any(|text| text.contains("../elsewhere")),
            "{notes:?}"
        );
    }

    #[test]
    fn what_looks_like_a_value_of_somebodys_own_is_not_repeated() {
        for (name, value) in [
            ("URL", "postgres://u:hunter2@db/x"),
            ("THING", "sk-proj-0123456789abcdefghij"),
            ("X", "a1b2c3d4e5f6a7b8c9d0e1f2"),
            ("API_SECRET", "word"),
            ("TEXT", "two words"),
        ] {
            assert!(
                secrets::kind(name, false).is_some() || !is_plain(name, value),
                "{name}"
            );
        }
        assert!(is_plain("BACKEND", "http://backend:8000"));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "(services|build|ports|test|[ \\n:\\-\\[\\]{}&*<]|[a-z0-9/.$]{1,4}){0,60}") {
            if let Ok(document) = parse(&text) {
                services("a/compose.yaml", &document, &mut Composed::default());
            }
        }
    }
}
