//! What to say about a context before it is sent: how much it is, what is left out, and what should
//! not be in it.

use std::io::Read;
use std::path::Path;

use app::model::{
    ComponentName, ContextFile, ContextPreview, ExcludedPath, Finding, NextAction, SinceBuild,
    Subject, humanize_bytes,
};

use super::identity::{ContextIdentity, Snapshot};
use super::walk::{Context, Entry, Kind};

/// A context larger than this is pointed out.
const LARGE_BYTES: u64 = 200_000_000;
/// How many changed paths are named.
const NAMED: usize = 6;

/// The preview of a context, compared with the snapshot of the last build. `folder` is how
/// `slipway.toml` names it.
pub fn preview(
    context: &Context,
    identity: &ContextIdentity,
    built: Option<&Snapshot>,
    folder: &Path,
) -> ContextPreview {
    let shown = |path: &Path| match path.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => path.to_string_lossy().into_owned(),
    };
    // The root may lie elsewhere, behind a link.
    let relative = |path: &Path| match path.strip_prefix(&context.spec.root) {
        Ok(inside) => shown(&folder.join(inside)),
        Err(_) => path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    };
    let mut files: Vec<(&Entry, u64)> = context
        .entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            Kind::File(stamp) => Some((entry, stamp.size_bytes)),
            Kind::Link(_) => Some((entry, 0)),
            Kind::Folder | Kind::Special => None,
        })
        .collect();
    let count = files.len() as u64;
    let bytes = files.iter().map(|(_, bytes)| bytes).sum();
    files.sort_by(|(a, a_bytes), (b, b_bytes)| b_bytes.cmp(a_bytes).then(a.path.cmp(&b.path)));
    ContextPreview {
        folder: shown(folder),
        ignore_file: context.ignore.as_ref().map(|file| relative(&file.path)),
        files: count,
        bytes,
        biggest: files
            .iter()
            .take(ContextPreview::MOST)
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(entry, bytes)| ContextFile {
                path: entry.path.to_string_lossy().into_owned(),
                bytes: *bytes,
            })
            .collect(),
        excluded: context
            .excluded
            .iter()
            .take(ContextPreview::MOST)
            .map(|left_out| ExcludedPath {
                path: format!(
                    "{}{}",
                    left_out.path.display(),
                    if left_out.is_folder { "/" } else { "" }
                ),
                line: left_out.line,
            })
            .collect(),
        excluded_count: context.excluded.len() as u64,
        tag: identity.tag(),
        since_build: since(built, &identity.snapshot),
    }
}

fn since(built: Option<&Snapshot>, now: &Snapshot) -> SinceBuild {
    let Some(built) = built else {
        return SinceBuild::NeverBuilt;
    };
    let difference = built.difference(now);
    if difference.is_empty() {
        return SinceBuild::Unchanged;
    }
    let mut first = difference.words();
    first.truncate(NAMED);
    SinceBuild::Changed {
        count: difference.count() as u64,
        first,
    }
}

/// What should not be sent to a builder. Looks into small files that may be private keys, so it
/// blocks.
pub fn warnings(context: &Context, component: &ComponentName) -> Vec<(&'static str, Finding)> {
    let mut out = Vec::new();
    let folder = context.spec.root.file_name().map_or_else(
        || "the context".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let mut say = |id: &'static str, finding: Finding, lines: &[String], evidence: &[String]| {
        let about = Subject::Component {
            component: component.clone(),
        };
        let mut finding = finding
            .attention()
            .about(about)
            .next(NextAction::advice(format!(
                "Add to {folder}/.dockerignore: {}",
                lines.join(", ")
            )));
        if !evidence.is_empty() {
            finding = finding.evidence("In the build context", evidence.join("\n"));
        }
        out.push((id, finding));
    };
    let secrets: Vec<String> = context
        .entries
        .iter()
        .filter(|entry| is_secret_file(&context.spec.root, entry))
        .map(|entry| entry.path.to_string_lossy().into_owned())
        .collect();
    if !secrets.is_empty() {
        say(
            "context-secrets",
            Finding::new(
                "CONTEXT_SECRET_FILE",
                format!("Files with secrets are sent to the builder of {component}"),
                "A COPY of the folder puts them into a layer, and a layer can be read by everyone who gets the image, also when a later instruction deletes the file.",
            ),
            &secrets,
            &secrets,
        );
    }
    if has_folder(context, ".git") {
        say(
            "context-git",
            Finding::new(
                "CONTEXT_HAS_GIT",
                format!("The history of {component} is sent to its builder"),
                "The folder .git is in the build context: it is large, changes with every commit, and holds everything that was ever committed.",
            ),
            &[".git".to_owned()],
            &[],
        );
    }
    let bulky: Vec<String> = [
        "node_modules",
        "target",
        ".venv",
        "venv",
        "__pycache__",
        "dist",
    ]
    .into_iter()
    .filter(|name| *name != "dist" || has_folder(context, "node_modules"))
    .filter(|name| has_folder(context, name))
    .map(str::to_owned)
    .collect();
    if !bulky.is_empty() {
        say(
            "context-output",
            Finding::new(
                "CONTEXT_HAS_BUILD_OUTPUT",
                format!("What this machine built is sent to the builder of {component}"),
                format!(
                    "{} is made by tools on this machine, for this machine. In the image it may not fit, and each local build makes the image look changed.",
                    bulky.join(", ")
                ),
            ),
            &bulky,
            &[],
        );
    }
    let bytes: u64 = context.entries.iter().map(bytes_of).sum();
    if bytes > LARGE_BYTES {
        let mut biggest: Vec<&Entry> = context.entries.iter().collect();
        biggest.sort_by_key(|entry| std::cmp::Reverse(bytes_of(entry)));
        let lines: Vec<String> = biggest
            .iter()
            .take(3)
            .map(|entry| entry.path.to_string_lossy().into_owned())
            .collect();
        say(
            "context-size",
            Finding::new(
                "CONTEXT_LARGE",
                format!("The build context of {component} is large"),
                format!(
                    "{} have to be read for every build, and with a remote daemon also sent.",
                    humanize_bytes(bytes)
                ),
            ),
            &lines,
            &[],
        );
    }
    out
}

fn bytes_of(entry: &Entry) -> u64 {
    match &entry.kind {
        Kind::File(stamp) => stamp.size_bytes,
        _ => 0,
    }
}

fn has_folder(context: &Context, name: &str) -> bool {
    context.entries.iter().any(|entry| {
        entry.kind == Kind::Folder && entry.path.file_name().is_some_and(|n| n == name)
    })
}

fn is_secret_file(root: &Path, entry: &Entry) -> bool {
    let Kind::File(stamp) = &entry.kind else {
        return false;
    };
    let name = entry
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let is_sample = ["example", "sample", "template", "dist", "defaults"]
        .iter()
        .any(|word| name.ends_with(word));
    if name == ".env" || (name.starts_with(".env.") && !is_sample) {
        return true;
    }
    if matches!(
        name.as_str(),
        "id_rsa" | "id_ed25519" | "id_ecdsa" | ".netrc" | ".pypirc" | "kubeconfig" | ".pgpass"
    ) {
        return true;
    }
    if name.ends_with(".p12") || name.ends_with(".pfx") {
        return true;
    }
    let whole = entry.path.to_string_lossy();
    if whole.ends_with(".aws/credentials") || whole.ends_with(".docker/config.json") {
        return true;
    }
    let may_be_key = name.ends_with(".pem") || name.ends_with(".key");
    may_be_key && stamp.size_bytes < 100_000 && holds_private_key(&root.join(&entry.path))
}

fn holds_private_key(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains("PRIVATE KEY-----")
}
