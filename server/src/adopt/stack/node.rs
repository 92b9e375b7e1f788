//! Folders with a `package.json`.

use app::model::Guess;
use serde_json::Value;

use super::{Kind, Stack, sources};
use crate::adopt::tree::{Tree, folder_of, is_below, join};

#[derive(Clone, Debug)]
pub struct Node {
    pub manager: Manager,
    /// The lock file's path, where there is one.
    pub lock: Option<String>,
    /// The folder that the dependencies are installed in: the workspace's root, or its own.
    pub install_in: String,
    pub has_build: bool,
    pub start: NodeStart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    Npm,
    Pnpm,
    YarnClassic,
    YarnBerry,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeStart {
    Next {
        standalone: bool,
    },
    /// Files that a web server hands out, from this folder.
    Static {
        folder: &'static str,
    },
    Command(Vec<String>),
}

/// All packages that can be started.
pub fn find(tree: &Tree) -> Vec<Stack> {
    let files: Vec<String> = tree
        .files()
        .filter(|path| *path == "package.json" || path.ends_with("/package.json"))
        .map(str::to_owned)
        .collect();
    let packages: Vec<(String, Value)> = files
        .into_iter()
        .filter_map(|file| {
            let package = serde_json::from_str(&tree.read(&file)?).ok()?;
            Some((folder_of(&file).to_owned(), package))
        })
        .collect();
    packages
        .iter()
        .filter_map(|(folder, package)| stack(tree, folder, package, &packages))
        .collect()
}

/// The folders of a workspace's packages, its root left out.
pub fn workspace_members(tree: &Tree, root: &str) -> Vec<String> {
    tree.below(root)
        .filter(|path| path.ends_with("/package.json") && folder_of(path) != root)
        .map(|path| folder_of(path).to_owned())
        .collect()
}

fn is_workspace(tree: &Tree, folder: &str, package: &Value) -> bool {
    package.get("workspaces").is_some() || tree.has(&join(folder, "pnpm-workspace.yaml"))
}

fn stack(tree: &Tree, folder: &str, package: &Value, all: &[(String, Value)]) -> Option<Stack> {
    let script = |name: &str| package["scripts"][name].as_str().unwrap_or_default();
    let depends = |name: &str| {
        ["dependencies", "devDependencies"]
            .iter()
            .any(|list| package[list].get(name).is_some())
    };
    let has_config = |stem: &str| {
        ["js", "mjs", "ts", "cjs"]
            .iter()
            .any(|ending| tree.has(&join(folder, &format!("{stem}.{ending}"))))
    };
    if is_workspace(tree, folder, package) && !depends("next") && script("start").is_empty() {
        return None;
    }
    let file = join(folder, "package.json");
    let main = package["main"]
        .as_str()
        .filter(|main| tree.has(&join(folder, main)));
    let (start, why, is_front) = if depends("next") {
        let config = ["js", "mjs", "ts"]
            .iter()
            .find_map(|ending| tree.read(&join(folder, &format!("next.config.{ending}"))));
        let standalone = config.is_some_and(|text| text.contains("standalone"));
        (
            NodeStart::Next { standalone },
            format!("{file} depends on next"),
            true,
        )
    } else if !script("start").is_empty() && !script("start").contains("react-scripts") {
        let words = command(script("start"));
        (
            words,
            format!("{file} has a start script"),
            depends("express") && depends("ejs"),
        )
    } else if (depends("vite") && tree.has(&join(folder, "index.html")))
        || depends("react-scripts")
        || has_config("vite.config")
    {
        let folder = if depends("react-scripts") {
            "build"
        } else {
            "dist"
        };
        (
            NodeStart::Static { folder },
            format!("{file} builds a web page"),
            true,
        )
    } else if [
        "express",
        "fastify",
        "koa",
        "hono",
        "@nestjs/core",
        "@hapi/hapi",
    ]
    .iter()
    .any(|one| depends(one))
    {
        let first = tree.first_in(
            folder,
            &[
                "server.js",
                "index.js",
                "src/server.js",
                "src/index.js",
                "app.js",
            ],
        );
        let entry = main.map(str::to_owned).or_else(|| {
            let first = first?;
            Some(
                first
                    .get(folder.len()..)?
                    .trim_start_matches('/')
                    .to_owned(),
            )
        })?;
        (
            NodeStart::Command(vec!["node".to_owned(), entry]),
            format!("{file} depends on a web framework"),
            false,
        )
    } else {
        return None;
    };
    // The nearest workspace above, if there is one.
    let install_in = all
        .iter()
        .filter(|(above, root)| {
            above != folder && is_below(folder, above) && is_workspace(tree, above, root)
        })
        .map(|(above, _)| above.clone())
        .max_by_key(String::len)
        .unwrap_or_else(|| folder.to_owned());
    let (manager, lock) = manager(tree, &install_in);
    let said = sources::scan(tree, folder, &[".js", ".ts", ".mjs", ".cjs", ".tsx"]);
    let from_script = ["start", "preview"].iter().find_map(|name| {
        let port = port_of_command(script(name))?;
        Some(Guess::new(
            port,
            format!("The {name} script of {file} says so"),
        ))
    });
    let usual = match &start {
        NodeStart::Next { .. } => Guess::new("3000", "Next.js listens there unless told otherwise"),
        NodeStart::Static { .. } => {
            Guess::new("8080", "Where the web server of its image will listen")
        }
        NodeStart::Command(_) => Guess::new(
            "3000",
            "Nothing names a port; 3000 is usual with Node.js, so look at it",
        ),
    };
    let scanned = match start {
        // Its sources have addresses of others, and its web server is chosen by its Dockerfile.
        NodeStart::Next { .. } | NodeStart::Static { .. } => None,
        NodeStart::Command(_) => said.port,
    };
    let health = |found: Option<Guess>, what: &str| match (&start, found) {
        (NodeStart::Static { .. }, _) => Guess::new("/", "The page itself answers"),
        (_, Some(found)) => found,
        (NodeStart::Next { .. }, None) => Guess::new("/", "The page itself answers"),
        (NodeStart::Command(_), None) => no_path(what),
    };
    let readiness = said.ready.or_else(|| said.live.clone());
    Some(Stack {
        folder: folder.to_owned(),
        name: package["name"].as_str().map(str::to_owned),
        why,
        port: from_script.or(scanned).unwrap_or(usual),
        liveness: health(said.live, "alive"),
        readiness: health(readiness, "ready"),
        is_front,
        uses_postgres: [
            "pg",
            "postgres",
            "@neondatabase/serverless",
            "@prisma/client",
            "@vercel/postgres",
        ]
        .iter()
        .any(|one| depends(one)),
        kind: Kind::Node(Node {
            manager,
            lock,
            install_in,
            has_build: !script("build").is_empty(),
            start,
        }),
    })
}

pub fn no_path(what: &str) -> Guess {
    Guess::none(format!(
        "No path was found that tells whether it is {what}; generated manifests then ask the port itself"
    ))
}

fn manager(tree: &Tree, folder: &str) -> (Manager, Option<String>) {
    let lock = |name: &str| {
        let path = join(folder, name);
        tree.has(&path).then_some(path)
    };
    if let Some(path) = lock("pnpm-lock.yaml") {
        return (Manager::Pnpm, Some(path));
    }
    if let Some(path) = lock("yarn.lock") {
        let classic = tree
            .read(&path)
            .is_none_or(|text| text.contains("yarn lockfile v1"));
        let manager = if classic {
            Manager::YarnClassic
        } else {
            Manager::YarnBerry
        };
        return (manager, Some(path));
    }
    (
        Manager::Npm,
        lock("package-lock.json").or_else(|| lock("npm-shrinkwrap.json")),
    )
}

/// A start script as a command that gets signals itself where that is possible.
fn command(script: &str) -> NodeStart {
    let words: Vec<&str> = script.split_whitespace().collect();
    let is_plain = !script.contains(['&', '|', ';', '$', '"', '\'', '<', '>', '`', '(']);
    if is_plain && words.first() == Some(&"node") {
        return NodeStart::Command(words.into_iter().map(str::to_owned).collect());
    }
    NodeStart::Command(["npm", "run", "start"].map(str::to_owned).to_vec())
}

/// `-p 3001`, `--port=3001`, `PORT=3001`.
pub fn port_of_command(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let value = match *word {
            "-p" | "--port" | "-b" | "--bind" => words.get(at + 1).copied()?,
            word => word
                .strip_prefix("--port=")
                .or_else(|| word.strip_prefix("--bind="))
                .or_else(|| word.strip_prefix("PORT="))
                // `manage.py runserver 0.0.0.0:8000`
                .or_else(|| word.contains(':').then_some(word))?,
        };
        let port = value
            .rsplit(':')
            .next()?
            .trim_matches(['"', '\'', ',', ']']);
        port.parse::<u16>().ok().filter(|port| *port > 0)?;
        Some(port.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_a_command_is_found() {
        for (command, port) in [
            ("next start -p 3001", Some("3001")),
            ("uvicorn main:app --host 0.0.0.0 --port=9000", Some("9000")),
            ("gunicorn -b 0.0.0.0:5000 app:app", Some("5000")),
            ("PORT=4000 node .", Some("4000")),
            ("uvicorn main:app", None),
            ("node server.js", None),
        ] {
            assert_eq!(port_of_command(command).as_deref(), port, "{command}");
        }
    }
}
