//! From what was found to a proposal: which components there are, what is known of each, and why.

use std::path::Path;

use app::model::{Draft, DraftComponent, Guess, Note, Proposal};

use super::keys::{draft_secrets, secret_name};
use super::parts::Maker;
use super::tree::{Limits, Tree};
use super::{compose, dockerfiles, env_file, kubernetes, names, stack};

/// Looks at the folder and makes a proposal. Reads within limits, writes nothing, never fails: what
/// cannot be read or understood becomes a note.
pub fn propose(root: &Path, limits: Limits) -> Proposal {
    let tree = Tree::walk(root, limits);
    let composed = compose::read(&tree);
    let (dockerfiles, dockerfile_notes) = dockerfiles::find(&tree);
    let stacks = stack::all(&tree);
    let kubernetes = kubernetes::find(&tree);
    let variables = env_file::variables(&tree);
    let mut notes = tree.notes.clone();
    notes.extend(composed.notes);
    notes.extend(dockerfile_notes);
    notes.extend(kubernetes.notes.iter().cloned());

    let project = project_name(root);
    let mut maker = Maker {
        tree: &tree,
        project: &project.value,
        parts: Vec::new(),
    };
    maker.services(&composed.services, &dockerfiles);
    maker.dockerfiles(&dockerfiles);
    maker.stacks(&stacks);
    maker.know(&stacks, &dockerfiles);
    maker.workloads(&kubernetes.workloads, &mut notes);
    maker.expose();

    let has_other_database = composed.services.iter().any(|service| {
        ["mysql", "mariadb", "mongo"]
            .iter()
            .any(|name| service.image.contains(name))
    }) && !stacks.iter().any(|stack| stack.uses_postgres);
    let secret_name = secret_name(&kubernetes.reads, &project.value);
    let parts = maker.parts;
    let secrets = draft_secrets(
        &parts,
        &kubernetes.reads,
        &composed.services,
        &variables,
        has_other_database,
        &mut notes,
    );
    let components: Vec<DraftComponent> = parts.into_iter().map(|part| part.draft).collect();
    if components.is_empty() {
        notes.push(Note {
            source: ".".to_owned(),
            text: "Nothing that could run as a service was recognised: no Dockerfile, compose file, package file or manifest. Add a component by hand, or look whether this is the right folder".to_owned(),
        });
    }
    notes.sort();
    notes.dedup();
    let namespace = kubernetes
        .namespace
        .unwrap_or_else(|| Guess::new(project.value.clone(), "The project's name"));
    Proposal {
        folder: root.display().to_string(),
        files_seen: tree.count(),
        folders_seen: tree.folders,
        draft: Draft {
            namespace,
            secret: secret_name,
            components,
            secrets,
            manifests: kubernetes
                .manifests
                .unwrap_or_else(|| Guess::none("No manifests were found; Slipway can write some")),
            chart: kubernetes.chart.unwrap_or_else(|| {
                Guess::none("No Chart.yaml was found; Slipway can write a chart")
            }),
            values: kubernetes
                .values
                .unwrap_or_else(|| Guess::none("The chart's own values are enough")),
            name: project,
        },
        notes,
    }
}

fn project_name(root: &Path) -> Guess {
    let folder = root
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    match names::label(folder) {
        Some(name) => Guess::new(name, "The folder's name"),
        None => Guess::new(
            "my-app",
            "The folder's name has no letters that Kubernetes takes",
        ),
    }
}
