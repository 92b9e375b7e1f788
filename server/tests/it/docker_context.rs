//! What we say a builder sees, against what a real one saw: random trees with random ignore files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use server::images::context::{ContextSpec, Entry, Kind, Reader, read};
use tokio_util::sync::CancellationToken;

use crate::dockerd::Dockerd;

/// How many trees are compared.
const TREES: usize = 40;

/// One thing to make in a tree.
#[derive(Clone, Debug)]
enum Made {
    File { mode: u32, text: String },
    Folder,
    Link(String),
    Pipe,
}

#[derive(Clone, Debug)]
struct Case {
    tree: BTreeMap<String, Made>,
    ignore: Vec<String>,
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "ab", "a.b", ".a", "c d", "é", "Dockerfile"])
        .prop_map(str::to_owned)
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..4).prop_map(|parts| parts.join("/"))
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![
        6 => (prop::sample::select(vec![0o644, 0o755, 0o600, 0o4755]), "[a-z]{0,8}")
            .prop_map(|(mode, text)| Made::File { mode, text }),
        2 => Just(Made::Folder),
        1 => prop::sample::select(vec!["a", "../b", "/etc/passwd", "nowhere"])
            .prop_map(|to| Made::Link(to.to_owned())),
        1 => Just(Made::Pipe),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => name(),
        1 => Just("*".to_owned()),
        1 => Just("**".to_owned()),
        1 => Just("a*".to_owned()),
        1 => Just("?".to_owned()),
        1 => Just("[ab]".to_owned()),
        1 => Just("[^a]".to_owned()),
        1 => Just("*b".to_owned()),
        1 => Just("\\a".to_owned()),
        1 => Just("..".to_owned()),
        1 => Just(".".to_owned()),
    ];
    let pattern = (
        prop::collection::vec(part, 1..4),
        any::<bool>(),
        prop::sample::select(vec!["", "", "", "/", "**", "./"]),
        prop::sample::select(vec!["", "", "/", "/**", "/*", "  "]),
    )
        .prop_map(|(parts, negated, before, after)| {
            let negation = if negated { "!" } else { "" };
            format!("{negation}{before}{}{after}", parts.join("/"))
        });
    prop_oneof![
        12 => pattern,
        1 => Just("# a comment".to_owned()),
        1 => Just(" # not a comment".to_owned()),
        1 => Just(String::new()),
        1 => Just(".dockerignore".to_owned()),
        1 => Just("*".to_owned()),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::collection::btree_map(path(), made(), 3..16),
        prop::collection::vec(line(), 1..6),
    )
        .prop_map(|(tree, ignore)| Case { tree, ignore })
}

impl Case {
    fn make(&self, root: &Path) {
        for (path, made) in &self.tree {
            let path = root.join(path);
            // A path may want a folder where another has put a file; then it is left out.
            if fs::create_dir_all(path.parent().expect("below the root")).is_err()
                || path.symlink_metadata().is_ok()
            {
                continue;
            }
            match made {
                Made::File { mode, text } => {
                    fs::write(&path, text).expect("written");
                    fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("set");
                }
                Made::Folder => fs::create_dir(&path).expect("made"),
                Made::Link(to) => symlink(to, &path).expect("linked"),
                Made::Pipe => {
                    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o644))
                        .expect("made");
                }
            }
        }
        fs::write(root.join("Dockerfile.real"), "FROM scratch\nCOPY . /\n").expect("written");
        fs::write(root.join(".dockerignore"), self.ignore.join("\n")).expect("written");
    }
}

/// What a builder sees, in words that can be compared. Folders are apart: the daemon makes those
/// that are missing.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    things: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, path: &Path, mode: u32, kind: &str, more: &str) {
        let path = path.to_string_lossy().trim_end_matches('/').to_owned();
        match kind {
            "folder" => self.folders.insert(path),
            "link" => self.things.insert(format!("{path} link to {more}")),
            // The daemon gives every file an owner anew, and that takes set-user-ID away.
            kind => self
                .things
                .insert(format!("{path} {kind} {:o} {more}", mode & 0o777)),
        };
    }

    fn ours(entries: &[Entry]) -> Self {
        let mut seen = Self {
            things: BTreeSet::new(),
            folders: BTreeSet::new(),
        };
        for Entry { path, kind, mode } in entries {
            match kind {
                Kind::File(stamp) => {
                    seen.add(path, *mode, "file", &stamp.size_bytes.to_string());
                }
                Kind::Folder => seen.add(path, *mode, "folder", ""),
                Kind::Link(to) => seen.add(path, *mode, "link", &to.to_string_lossy()),
                Kind::Special => seen.add(path, *mode, "special", ""),
            }
        }
        seen
    }

    /// From the one layer of a saved image.
    fn of_layer(layer: &[u8]) -> Self {
        let mut seen = Self {
            things: BTreeSet::new(),
            folders: BTreeSet::new(),
        };
        let mut archive = tar::Archive::new(layer);
        for entry in archive.entries().expect("a layer") {
            let entry = entry.expect("an entry");
            let header = entry.header();
            let mode = header.mode().expect("a mode") & 0o7777;
            let path: PathBuf = entry.path().expect("a path").into_owned();
            let kind = header.entry_type();
            if kind.is_dir() {
                seen.add(&path, mode, "folder", "");
            } else if kind.is_symlink() {
                let to = entry.link_name().expect("a target").expect("a target");
                seen.add(&path, mode, "link", &to.to_string_lossy());
            } else if kind.is_file() {
                seen.add(&path, mode, "file", &entry.size().to_string());
            } else {
                seen.add(&path, mode, "special", "");
            }
        }
        seen
    }
}

/// A builder: its engine, and the CLI's configuration that makes the choice.
struct Builder {
    engine: Dockerd,
    reader: Reader,
    config: PathBuf,
}

fn docker(builder: &Builder, args: &[&str]) -> (bool, String) {
    let buildkit = match builder.reader {
        Reader::BuildKit => "1",
        Reader::Classic => "0",
    };
    let output = Command::new("docker")
        .args(args)
        .env("DOCKER_HOST", builder.engine.host())
        .env("DOCKER_CONFIG", &builder.config)
        .env("DOCKER_BUILDKIT", buildkit)
        .output()
        .expect("docker runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Builds and looks into the image; `None` when the builder refused.
fn built(builder: &Builder, root: &Path, tag: &str) -> Result<Seen, String> {
    let dockerfile = root.join("Dockerfile.real");
    let (ok, said) = docker(
        builder,
        &[
            "build",
            "--no-cache",
            "--tag",
            tag,
            "--file",
            &dockerfile.to_string_lossy(),
            &root.to_string_lossy(),
        ],
    );
    if !ok {
        return Err(said);
    }
    let archive = tempfile::NamedTempFile::new().expect("a file");
    let (ok, said) = docker(
        builder,
        &["save", "--output", &archive.path().to_string_lossy(), tag],
    );
    if said.contains("empty export") {
        // Nothing was copied.
        return Ok(Seen::of_layer(&[0; 1024]));
    }
    assert!(ok, "{said}");
    let mut saved = tar::Archive::new(fs::File::open(archive.path()).expect("opened"));
    for entry in saved.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").into_owned();
        if path.file_name().is_some_and(|name| name == "layer.tar") {
            let mut layer = Vec::new();
            entry.read_to_end(&mut layer).expect("read");
            return Ok(Seen::of_layer(&layer));
        }
    }
    panic!("the saved image has no layer");
}

#[test]
fn the_classic_builder_sees_what_we_say_it_sees() {
    if let Some(engine) = Dockerd::shared() {
        let config = engine.config_without_buildx();
        compare(&Builder {
            engine,
            reader: Reader::Classic,
            config,
        });
    }
}

#[test]
fn buildkit_sees_what_we_say_it_sees() {
    let Some(engine) = Dockerd::shared() else {
        return;
    };
    if let Some(config) = engine.config_with_buildx() {
        compare(&Builder {
            engine,
            reader: Reader::BuildKit,
            config,
        });
    }
}

fn compare(builder: &Builder) {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]),
    );
    let (mut compared, mut refused) = (0, 0);
    for number in 0..TREES {
        let case = case().new_tree(&mut runner).expect("a case").current();
        let folder = tempfile::tempdir().expect("a folder");
        case.make(folder.path());
        let spec = ContextSpec {
            root: folder.path().to_owned(),
            dockerfile: Some(folder.path().join("Dockerfile.real")),
            reader: builder.reader,
            more_patterns: vec![],
        };
        let ours = read(&spec, &CancellationToken::new(), &mut |_| {});
        let theirs = built(
            builder,
            folder.path(),
            &format!("slipway-context-{:?}-{number}", builder.reader).to_lowercase(),
        );
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                compared += 1;
                let ours = Seen::ours(&ours.entries);
                assert_eq!(ours.things, theirs.things, "{case:?}");
                // The daemon makes the folders on the way to what a negation brought back.
                let more: Vec<_> = theirs.folders.difference(&ours.folders).collect();
                let on_the_way = |folder: &str| {
                    let inside = format!("{folder}/");
                    ours.things
                        .iter()
                        .chain(&ours.folders)
                        .any(|path| path.starts_with(&inside))
                };
                assert!(
                    more.iter().all(|folder| on_the_way(folder)),
                    "{case:?}: {more:?}"
                );
                let missing: Vec<_> = ours.folders.difference(&theirs.folders).collect();
                assert!(missing.is_empty(), "{case:?}: {missing:?}");
            }
            (Err(_), Err(_)) => refused += 1,
            (Ok(ours), Err(said)) => {
                // With nothing left there is nothing to copy, and the builder calls that an error.
                assert!(ours.entries.is_empty(), "{case:?}: {said}");
            }
            (Err(error), Ok(_)) => panic!("{case:?}: only we refuse: {error}"),
        }
    }
    assert!(
        compared > TREES / 2,
        "{compared} compared, {refused} refused"
    );
}
