//! Cargo packages with a program.

use app::model::Guess;

use super::node::no_path;
use super::{Kind, Stack, sources};
use crate::adopt::tree::{Tree, folder_of, is_below, join, name_of};

#[derive(Clone, Debug)]
pub struct Rust {
    pub package: String,
    pub binary: String,
    /// The folder of the workspace, or the package's own.
    pub workspace: String,
    pub has_lock: bool,
    /// Its build needs the headers of OpenSSL.
    pub needs_openssl: bool,
}

/// All packages that have a program and speak HTTP.
pub fn find(tree: &Tree) -> Vec<Stack> {
    let manifests: Vec<(String, toml::Table)> = tree
        .files()
        .filter(|path| name_of(path) == "Cargo.toml")
        .filter_map(|path| {
            let table = tree.read(path)?.parse().ok()?;
            Some((folder_of(path).to_owned(), table))
        })
        .collect();
    manifests
        .iter()
        .filter_map(|(folder, manifest)| stack(tree, folder, manifest, &manifests))
        .collect()
}

fn stack(
    tree: &Tree,
    folder: &str,
    manifest: &toml::Table,
    all: &[(String, toml::Table)],
) -> Option<Stack> {
    let package = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    let named = manifest
        .get("bin")
        .and_then(|list| list.as_array()?.first()?.get("name")?.as_str());
    let has_main = tree.has(&join(folder, "src/main.rs"));
    let binary = match (named, has_main) {
        (Some(name), _) => name.to_owned(),
        (None, true) => package.clone(),
        (None, false) => return None,
    };
    // A tool with no server in it is no service.
    let frameworks = [
        "axum",
        "actix-web",
        "rocket",
        "warp",
        "hyper",
        "tide",
        "poem",
        "salvo",
        "tonic",
        "leptos_axum",
    ];
    let framework = frameworks.into_iter().find(|name| {
        manifest
            .get("dependencies")
            .is_some_and(|list| list.get(name).is_some())
    })?;
    let depends = |name: &str| {
        manifest
            .get("dependencies")
            .is_some_and(|list| list.get(name).is_some())
    };
    let workspace = all
        .iter()
        .filter(|(above, manifest)| is_below(folder, above) && manifest.contains_key("workspace"))
        .map(|(above, _)| above.clone())
        .max_by_key(String::len)
        .unwrap_or_else(|| folder.to_owned());
    let lock = tree.read(&join(&workspace, "Cargo.lock"));
    let said = sources::scan(tree, folder, &[".rs"]);
    let readiness = said.ready.or_else(|| said.live.clone());
    let usual = Guess::new(
        if framework == "rocket" {
            "8000"
        } else {
            "8080"
        },
        "Nothing in the sources names a port, so look at it",
    );
    Some(Stack {
        folder: folder.to_owned(),
        name: Some(package.clone()),
        why: format!(
            "{} has a program that depends on {framework}",
            join(folder, "Cargo.toml")
        ),
        port: said.port.unwrap_or(usual),
        liveness: said.live.unwrap_or_else(|| no_path("alive")),
        readiness: readiness.unwrap_or_else(|| no_path("ready")),
        is_front: false,
        uses_postgres: depends("sqlx") || depends("tokio-postgres") || depends("diesel"),
        kind: Kind::Rust(Rust {
            package,
            binary,
            workspace,
            has_lock: tree.has(&join(folder, "Cargo.lock")) || lock.is_some(),
            needs_openssl: lock.is_some_and(|text| text.contains("name = \"openssl-sys\"")),
        }),
    })
}
