//! Dockerfiles and Containerfiles: what each builds, from which context, and what it says about port,
//! health and user.

use app::model::{Guess, Note};

use super::compose::path_asked;
use super::stack;
use super::tree::{Tree, folder_of, join, name_of, normal, shown};
use crate::images::report::dockerfile::{Dockerfile, parse};

/// Folders that hold Dockerfiles and no sources.
const NO_SOURCES: &[&str] = &[
    "docker",
    ".docker",
    "dockerfiles",
    "build",
    "deploy",
    "deployment",
    "ops",
    "infra",
    "ci",
    "containers",
    "images",
    ".devops",
];
/// What a Dockerfile's ending says when it is for developers only.
const FOR_DEVELOPERS: &[&str] = &[
    "dev",
    "development",
    "test",
    "tests",
    "ci",
    "debug",
    "local",
    "devcontainer",
];

#[derive(Clone, Debug)]
pub struct Found {
    pub path: String,
    pub context: Guess,
    /// What it could be called: its ending or its folder.
    pub name: Option<String>,
    pub facts: Facts,
}

/// What the file itself says.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub port: Option<Guess>,
    pub health: Option<Guess>,
    pub user: User,
    /// What it copies out of the context.
    pub copies: Vec<String>,
}

/// Who the image runs as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum User {
    /// Root, or nobody knows.
    #[default]
    Unknown,
    /// A number other than 0, in the file.
    Number,
    /// A name whose number is well known.
    Known(u32),
}

/// All Dockerfiles that build something to deploy.
pub fn find(tree: &Tree) -> (Vec<Found>, Vec<Note>) {
    let paths: Vec<&str> = tree
        .files()
        .filter(|path| is_dockerfile(name_of(path)) && !path.contains(".devcontainer/"))
        .collect();
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for path in &paths {
        let hint = hint(path);
        let has_brother = paths
            .iter()
            .any(|other| other != path && folder_of(other) == folder_of(path));
        if has_brother
            && hint
                .as_deref()
                .is_some_and(|hint| FOR_DEVELOPERS.contains(&hint))
        {
            notes.push(Note {
                source: (*path).to_owned(),
                text: "By its name it is for developers, so it is no component".to_owned(),
            });
            continue;
        }
        let Some(facts) = facts(tree, path) else {
            continue;
        };
        let context = context(tree, path, hint.as_deref(), &facts);
        let own = folder_of(path);
        let by_folder = (!own.is_empty() && !NO_SOURCES.contains(&name_of(own)))
            .then(|| name_of(own).to_owned());
        found.push(Found {
            path: (*path).to_owned(),
            name: hint.or(by_folder).or_else(|| {
                let of_context = name_of(&context.value);
                (!matches!(of_context, "" | ".")).then(|| of_context.to_owned())
            }),
            context,
            facts,
        });
    }
    (found, notes)
}

fn is_dockerfile(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_named = lower == "dockerfile"
        || lower == "containerfile"
        || lower.starts_with("dockerfile.")
        || lower.starts_with("dockerfile-")
        || lower.ends_with(".dockerfile");
    is_named
        && ![
            ".dockerignore",
            ".md",
            ".j2",
            ".tpl",
            ".template",
            ".bak",
            "~",
        ]
        .iter()
        .any(|end| lower.ends_with(end))
}

/// `api` of `Dockerfile.api` and `api.Dockerfile`.
fn hint(path: &str) -> Option<String> {
    let lower = name_of(path).to_ascii_lowercase();
    let hint = lower
        .strip_prefix("dockerfile.")
        .or_else(|| lower.strip_prefix("dockerfile-"))
        .or_else(|| lower.strip_suffix(".dockerfile"))?;
    (!hint.is_empty()).then(|| hint.to_owned())
}

/// Reads one Dockerfile.
pub fn facts(tree: &Tree, path: &str) -> Option<Facts> {
    let file = parse(&tree.read(path)?);
    Some(Facts {
        port: port(path, &file),
        health: health(path, &file),
        user: user(&file),
        copies: copies(&file),
    })
}

fn port(path: &str, file: &Dockerfile) -> Option<Guess> {
    let chain = file.final_chain();
    let last = |keyword: &str| {
        chain
            .iter()
            .flat_map(|stage| stage.instructions.iter())
            .filter(|one| one.is(keyword))
            .collect::<Vec<_>>()
    };
    let exposed = last("EXPOSE").into_iter().find_map(|one| {
        let words = one.words();
        let port = words.first()?.split('/').next()?.parse::<u16>().ok()?;
        Some(Guess::new(
            port.to_string(),
            format!("{path}:{} exposes it", one.line),
        ))
    });
    let set = || {
        last("ENV").into_iter().find_map(|one| {
            let (_, value) = one.pairs().into_iter().find(|(name, _)| name == "PORT")?;
            let port = value?.parse::<u16>().ok()?;
            Some(Guess::new(
                port.to_string(),
                format!("{path}:{} sets PORT", one.line),
            ))
        })
    };
    let command = || {
        ["CMD", "ENTRYPOINT"].iter().find_map(|keyword| {
            let one = file.last(keyword)?;
            let words = one
                .exec_form()
                .map_or_else(|| one.rest.clone(), |words| words.join(" "));
            let port = stack::port_of_command(&words)?;
            Some(Guess::new(
                port,
                format!("{path}:{} starts it there", one.line),
            ))
        })
    };
    exposed.or_else(set).or_else(command)
}

fn health(path: &str, file: &Dockerfile) -> Option<Guess> {
    let check = file.last("HEALTHCHECK")?;
    let asked = path_asked(&check.rest)?;
    Some(Guess::new(asked, format!("{path}:{} asks it", check.line)))
}

fn user(file: &Dockerfile) -> User {
    if let Some(user) = file.last("USER") {
        let name = user.rest.split(':').next().unwrap_or_default().trim();
        return match name {
            "node" => User::Known(1000),
            "nobody" => User::Known(65534),
            "nginx" => User::Known(101),
            "nonroot" => User::Known(65532),
            name => match name.parse::<u32>() {
                Ok(number) if number > 0 => User::Number,
                _ => User::Unknown,
            },
        };
    }
    let bottom = file.final_chain().pop().map(|stage| stage.image);
    match bottom {
        Some(image) if image.contains("distroless") && image.contains("nonroot") => {
            User::Known(65532)
        }
        Some(image) if image.contains("nginx-unprivileged") => User::Known(101),
        _ => User::Unknown,
    }
}

/// The sources of `COPY` and `ADD`, stages left out.
fn copies(file: &Dockerfile) -> Vec<String> {
    file.instructions
        .iter()
        .filter(|one| (one.is("COPY") || one.is("ADD")) && one.flag("from").is_none())
        .filter_map(|one| one.paths())
        .flat_map(|(sources, _)| sources)
        .filter(|source| !source.contains("://") && !source.contains('$'))
        .map(|source| source.trim_start_matches("./").trim_matches('/').to_owned())
        .collect()
}

/// The folder in which what it copies is found.
fn context(tree: &Tree, path: &str, hint: Option<&str>, facts: &Facts) -> Guess {
    let own = folder_of(path);
    let mut folders = vec![own.to_owned()];
    if let Some(hint) = hint {
        let named: Vec<String> = ["", "apps", "services", "packages", "src", "cmd"]
            .iter()
            .map(|above| join(above, hint))
            .filter(|folder| tree.has_folder(folder))
            .collect();
        folders.extend(named);
    }
    let above = folder_of(own);
    folders.extend([above.to_owned(), String::new()]);
    let named: Vec<&String> = facts
        .copies
        .iter()
        .filter(|source| !matches!(source.as_str(), "" | "." | "*"))
        .collect();
    let score = |folder: &str| {
        named
            .iter()
            .filter(|source| {
                let fixed = source.split(['*', '?', '[']).next().unwrap_or_default();
                let Some(at) = normal(&join(folder, fixed)) else {
                    return false;
                };
                tree.has(&at)
                    || tree.has_folder(&at)
                    || (fixed.len() < source.len()
                        && tree.files().any(|path| path.starts_with(&at)))
            })
            .count()
    };
    let mut best: Option<(usize, &String)> = None;
    for folder in &folders {
        let score = score(folder);
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, folder));
        }
    }
    if let Some((score, folder)) = best
        && score > 0
    {
        let why = format!(
            "{score} of {} files that {path} copies are found from there",
            named.len()
        );
        return Guess::new(shown(folder), why);
    }
    // It copies everything there is: where there are sources.
    if !own.is_empty() && NO_SOURCES.contains(&name_of(own)) {
        let folder = folders
            .get(1)
            .filter(|_| hint.is_some())
            .cloned()
            .unwrap_or_default();
        return Guess::new(
            shown(&folder),
            format!("{path} lies apart from the sources; look whether it is this folder"),
        );
    }
    Guess::new(shown(own), format!("The folder of {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_dockerfiles_are_known_in_all_their_ways() {
        for (path, wanted) in [
            ("Dockerfile", Some(None)),
            ("docker/Dockerfile.api", Some(Some("api"))),
            ("worker.Dockerfile", Some(Some("worker"))),
            ("Containerfile", Some(None)),
            ("Dockerfile.dockerignore", None),
            ("dockerfile.md", None),
        ] {
            let found = is_dockerfile(name_of(path)).then(|| hint(path));
            assert_eq!(found, wanted.map(|hint| hint.map(str::to_owned)), "{path}");
        }
    }

    #[test]
    fn port_health_and_user_are_those_of_the_last_stage() {
        let file = parse(
            "FROM a:1 AS b\nEXPOSE 1\nUSER root\nFROM a:1\nEXPOSE 8000/tcp\nUSER node\nHEALTHCHECK CMD curl -f http://localhost:8000/health || exit 1\n",
        );
        assert_eq!(
            port("D", &file).map(|port| port.value).as_deref(),
            Some("8000")
        );
        assert_eq!(
            health("D", &file).map(|path| path.value).as_deref(),
            Some("/health")
        );
        assert_eq!(user(&file), User::Known(1000));
        assert_eq!(user(&parse("FROM a\nUSER 0")), User::Unknown);
        assert_eq!(user(&parse("FROM a\nUSER 10001:10001")), User::Number);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "(FROM|EXPOSE|USER|CMD|ENV|COPY|HEALTHCHECK|[ \\n=\\[\\]\"\\\\<]|[a-z0-9:/.$]{1,5}){0,60}") {
            let file = parse(&text);
            port("D", &file);
            health("D", &file);
            user(&file);
            copies(&file);
        }
    }
}
