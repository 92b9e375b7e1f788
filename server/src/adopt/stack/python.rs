//! Folders with a `requirements.txt` or a `pyproject.toml`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use app::model::Guess;
use regex::Regex;

use super::node::no_path;
use super::{Kind, Stack, sources};
use crate::adopt::tree::{Tree, folder_of, join, name_of};

#[derive(Clone, Debug)]
pub struct Python {
    pub packages: PythonPackages,
    pub web: Web,
    /// `main:app`, or a file to run.
    pub entry: String,
    /// What serves it, where the project's own packages have it.
    pub has_server: bool,
    /// `3.12`
    pub version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PythonPackages {
    Requirements,
    Uv,
    Poetry,
    /// A `pyproject.toml` that pip installs.
    Project,
}

/// Which interface its server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Web {
    Asgi,
    Wsgi,
    Django,
}

impl Python {
    pub fn framework(&self) -> &'static str {
        match self.web {
            Web::Asgi => "an ASGI app in Python",
            Web::Wsgi => "a WSGI app in Python",
            Web::Django => "Django",
        }
    }
}

static APP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^(\w+)\s*(?::[^=\n]*)?=\s*(?:\w+\.)?(FastAPI|Starlette|Litestar|Quart|Flask)\(",
    )
    .expect("the expression is a constant")
});

/// All folders with a web app.
pub fn find(tree: &Tree) -> Vec<Stack> {
    let folders: BTreeSet<String> = tree
        .files()
        .filter(|path| matches!(name_of(path), "requirements.txt" | "pyproject.toml"))
        .map(|path| folder_of(path).to_owned())
        .collect();
    folders
        .iter()
        .filter_map(|folder| stack(tree, folder))
        .collect()
}

fn stack(tree: &Tree, folder: &str) -> Option<Stack> {
    let in_folder = |name: &str| join(folder, name);
    let requirements = tree.read(&in_folder("requirements.txt"));
    let project = tree.read(&in_folder("pyproject.toml"));
    let packages = match (&requirements, &project) {
        _ if tree.has(&in_folder("uv.lock")) => PythonPackages::Uv,
        _ if tree.has(&in_folder("poetry.lock")) => PythonPackages::Poetry,
        (Some(_), _) => PythonPackages::Requirements,
        (None, Some(_)) => PythonPackages::Project,
        (None, None) => return None,
    };
    let text = format!(
        "{}\n{}",
        requirements.unwrap_or_default(),
        project.as_deref().unwrap_or_default()
    )
    .to_lowercase();
    let depends = |name: &str| mentions(&text, name);
    let file = match packages {
        PythonPackages::Requirements => in_folder("requirements.txt"),
        _ => in_folder("pyproject.toml"),
    };
    let framework = [
        "fastapi",
        "starlette",
        "litestar",
        "quart",
        "flask",
        "django",
    ]
    .into_iter()
    .find(|name| depends(name))?;
    let (web, entry, entry_why) = match framework {
        "django" => {
            let wsgi = tree
                .below(folder)
                .find(|path| name_of(path) == "wsgi.py" || name_of(path) == "asgi.py")?;
            let module = module(folder, wsgi);
            (
                Web::Django,
                format!("{module}:application"),
                wsgi.to_owned(),
            )
        }
        _ => {
            let (file, variable) = app_of(tree, folder)?;
            let web = if framework == "flask" {
                Web::Wsgi
            } else {
                Web::Asgi
            };
            (web, format!("{}:{variable}", module(folder, &file)), file)
        }
    };
    let said = sources::scan(tree, folder, &[".py"]);
    let usual = match web {
        Web::Asgi => Guess::new("8000", "uvicorn listens there unless told otherwise"),
        Web::Wsgi => Guess::new("5000", "Flask listens there unless told otherwise"),
        Web::Django => Guess::new("8000", "Django listens there unless told otherwise"),
    };
    let readiness = said.ready.or_else(|| said.live.clone());
    let name = project
        .and_then(|text| text.parse::<toml::Table>().ok())
        .and_then(|table| {
            let name =
                |section: Option<&toml::Value>| Some(section?.get("name")?.as_str()?.to_owned());
            name(table.get("project")).or_else(|| name(table.get("tool")?.get("poetry")))
        });
    Some(Stack {
        folder: folder.to_owned(),
        name,
        why: format!("{file} names {framework}, and {entry_why} has the app"),
        port: said.port.unwrap_or(usual),
        liveness: said.live.unwrap_or_else(|| no_path("alive")),
        readiness: readiness.unwrap_or_else(|| no_path("ready")),
        is_front: false,
        uses_postgres: [
            "psycopg",
            "psycopg2",
            "psycopg2-binary",
            "asyncpg",
            "pg8000",
        ]
        .iter()
        .any(|name| depends(name)),
        kind: Kind::Python(Python {
            packages,
            has_server: match web {
                Web::Asgi => {
                    depends("uvicorn")
                        || text.contains("fastapi[standard]")
                        || text.contains("fastapi[all]")
                }
                Web::Wsgi | Web::Django => depends("gunicorn"),
            },
            web,
            entry,
            version: version(tree, folder),
        }),
    })
}

/// Whether a list of packages names it as a whole word.
fn mentions(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// The file that makes the app, and the variable that holds it.
fn app_of(tree: &Tree, folder: &str) -> Option<(String, String)> {
    let mut files: Vec<&str> = tree
        .below(folder)
        .filter(|path| path.ends_with(".py") && !name_of(path).contains("test"))
        .collect();
    files.sort_by_key(|path| path.matches('/').count());
    files.into_iter().take(200).find_map(|file| {
        let text = tree.read(file)?;
        let found = APP.captures(&text)?;
        Some((file.to_owned(), found[1].to_owned()))
    })
}

/// `src/api/main.py` in `src` as `api.main`.
fn module(folder: &str, file: &str) -> String {
    let inside = file
        .get(folder.len()..)
        .unwrap_or(file)
        .trim_start_matches('/');
    inside
        .trim_end_matches(".py")
        .trim_end_matches("/__init__")
        .replace('/', ".")
}

fn version(tree: &Tree, folder: &str) -> String {
    let asked = [
        join(folder, ".python-version"),
        ".python-version".to_owned(),
    ]
    .iter()
    .find_map(|path| tree.read(path));
    let is_version = |text: &str| {
        text.strip_prefix("3.")
            .and_then(|minor| minor.parse::<u8>().ok())
            .is_some_and(|minor| (9..=14).contains(&minor))
    };
    asked
        .map(|text| text.trim().split('.').take(2).collect::<Vec<_>>().join("."))
        .filter(|text| is_version(text))
        .unwrap_or_else(|| "3.13".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_whole_words() {
        assert!(mentions("fastapi==0.115\n", "fastapi"));
        assert!(mentions("\"flask>=3\",", "flask"));
        assert!(!mentions("flask-cors==1\n", "flask"));
        assert!(!mentions("my-fastapi", "fastapi"));
        assert_eq!(module("api", "api/app/main.py"), "app.main");
        assert_eq!(module("", "app/__init__.py"), "app");
    }
}
