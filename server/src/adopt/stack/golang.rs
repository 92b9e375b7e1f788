//! Go modules with a program that listens.

use app::model::Guess;

use super::node::no_path;
use super::{Kind, Stack, sources};
use crate::adopt::tree::{Tree, folder_of, is_below, join, name_of};

#[derive(Clone, Debug)]
pub struct Go {
    /// The folder of its `main` package, relative to the module: `.` or `./cmd/api`.
    pub package: String,
    pub has_sum: bool,
    /// `1.24`
    pub version: String,
}

/// All modules with one `main` package; where there are several, `cmd/` decides by being first.
pub fn find(tree: &Tree) -> Vec<Stack> {
    let modules: Vec<String> = tree
        .files()
        .filter(|path| name_of(path) == "go.mod")
        .map(|path| folder_of(path).to_owned())
        .collect();
    modules
        .iter()
        .filter_map(|folder| stack(tree, folder, &modules))
        .collect()
}

fn stack(tree: &Tree, folder: &str, modules: &[String]) -> Option<Stack> {
    let module = tree.read(&join(folder, "go.mod"))?;
    let word = |key: &str| {
        module.lines().find_map(|line| {
            let rest = line.trim().strip_prefix(key)?;
            rest.split_whitespace().next().map(str::to_owned)
        })
    };
    let mut mains: Vec<&str> = tree
        .below(folder)
        .filter(|path| path.ends_with(".go") && !path.ends_with("_test.go"))
        // A module inside belongs to itself.
        .filter(|path| {
            !modules
                .iter()
                .any(|other| other != folder && is_below(other, folder) && is_below(path, other))
        })
        .filter(|path| {
            tree.read(path).is_some_and(|text| {
                text.lines().any(|line| line.trim() == "package main")
                    && text.contains("func main(")
            })
        })
        .map(folder_of)
        .collect();
    mains.sort_by_key(|main| (main.matches('/').count(), *main));
    mains.dedup();
    let main = *mains.first()?;
    let said = sources::scan(tree, folder, &[".go"]);
    let inside = main
        .get(folder.len()..)
        .unwrap_or_default()
        .trim_start_matches('/');
    let why = match mains.len() {
        1 => format!("{} is a Go module with a program", join(folder, "go.mod")),
        many => format!(
            "{} is a Go module with {many} programs; {main} was taken",
            join(folder, "go.mod")
        ),
    };
    let readiness = said.ready.or_else(|| said.live.clone());
    Some(Stack {
        folder: folder.to_owned(),
        name: word("module").map(|name| {
            // `example.com/shop/v2`
            let parts: Vec<&str> = name.split('/').collect();
            let last = parts.iter().rev().find(|part| {
                part.strip_prefix('v')
                    .is_none_or(|rest| rest.parse::<u8>().is_err())
            });
            last.map_or(name.clone(), |last| (*last).to_owned())
        }),
        why,
        port: said.port.unwrap_or_else(|| {
            Guess::new("8080", "Nothing in the sources names a port, so look at it")
        }),
        liveness: said.live.unwrap_or_else(|| no_path("alive")),
        readiness: readiness.unwrap_or_else(|| no_path("ready")),
        is_front: false,
        uses_postgres: module.contains("jackc/pgx") || module.contains("lib/pq"),
        kind: Kind::Go(Go {
            package: if inside.is_empty() {
                ".".to_owned()
            } else {
                format!("./{inside}")
            },
            has_sum: tree.has(&join(folder, "go.sum")),
            version: version(word("go ")),
        }),
    })
}

/// A toolchain can build what asks for an older one.
fn version(asked: Option<String>) -> String {
    let minor = asked
        .as_deref()
        .and_then(|text| text.strip_prefix("1."))
        .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok())
        .unwrap_or(0);
    format!("1.{}", minor.clamp(24, 99))
}
