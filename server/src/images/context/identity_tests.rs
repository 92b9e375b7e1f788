use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::{ContextSpec, HashCache, Reader, read};
use super::*;

const KEY: &[u8] = b"this installation";

struct World {
    folder: TempDir,
    cache: HashCache,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let world = Self {
            folder,
            cache: HashCache::default(),
        };
        world.write("src/main.rs", "fn main() {}");
        world.write("Cargo.toml", "[package]");
        world
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn look(&mut self, inputs: &BuildInputs) -> (ContextIdentity, u64) {
        let spec = ContextSpec {
            root: self.root().to_owned(),
            dockerfile: None,
            reader: Reader::BuildKit,
            more_patterns: vec![],
        };
        let cancel = CancellationToken::new();
        let context = read(&spec, &cancel, &mut |_| {}).expect("readable");
        let hashed = self
            .cache
            .hash(&context, &cancel, &|_| {})
            .expect("hashable");
        (context.identity(&hashed, inputs, KEY), hashed.read)
    }

    fn identity(&mut self) -> ContextIdentity {
        self.look(&inputs()).0
    }
}

fn inputs() -> BuildInputs {
    BuildInputs {
        builder: "docker",
        recipe: b"FROM scratch".to_vec(),
        ..BuildInputs::default()
    }
}

#[test]
fn the_same_sources_have_the_same_digest_wherever_they_lie() {
    let (mut one, mut two) = (World::new(), World::new());
    assert_eq!(one.identity(), two.identity());
    assert_eq!(one.identity().tag().len(), 12);
}

#[test]
fn every_change_a_builder_would_see_is_another_digest() {
    let mut world = World::new();
    world.write("run.sh", "#!/bin/sh");
    symlink("run.sh", world.root().join("link")).expect("linked");
    let mut seen = vec![world.identity().digest];
    type Change = (&'static str, fn(&Path), &'static [&'static str]);
    let changes: [Change; 6] = [
        (
            "an edit of the same length",
            |root| fs::write(root.join("Cargo.toml"), "[PACKAGE]").expect("written"),
            &["Cargo.toml"],
        ),
        (
            "the exec bit",
            |root| {
                fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755))
                    .expect("set");
            },
            &["run.sh"],
        ),
        (
            "a link's target",
            |root| {
                fs::remove_file(root.join("link")).expect("removed");
                symlink("src", root.join("link")).expect("linked");
            },
            &["link"],
        ),
        (
            "an empty folder",
            |root| fs::create_dir(root.join("empty")).expect("made"),
            &["empty (new)"],
        ),
        (
            "a file that is gone",
            |root| fs::remove_file(root.join("run.sh")).expect("removed"),
            &["run.sh (gone)"],
        ),
        (
            "a name",
            |root| fs::rename(root.join("src"), root.join("lib")).expect("renamed"),
            &[
                "lib (new)",
                "lib/main.rs (new)",
                "src (gone)",
                "src/main.rs (gone)",
            ],
        ),
    ];
    for (what, change, words) in changes {
        let before = world.identity();
        change(world.root());
        let now = world.identity();
        assert!(!seen.contains(&now.digest), "{what}");
        assert_eq!(
            before.snapshot.difference(&now.snapshot).words(),
            words,
            "{what}"
        );
        seen.push(now.digest);
    }
}

#[test]
fn inputs_besides_the_files_count_and_argument_values_are_not_kept() {
    let mut world = World::new();
    let plain = world.identity();
    let with = |change: fn(&mut BuildInputs)| {
        let mut inputs = inputs();
        change(&mut inputs);
        inputs
    };
    type Change = fn(&mut BuildInputs);
    let cases: [(Change, &str); 5] = [
        (
            |inputs| inputs.recipe = b"FROM alpine".to_vec(),
            "Dockerfile",
        ),
        (
            |inputs| {
                inputs.args.insert("TOKEN".into(), "hunter2-hunter2".into());
            },
            "build arguments",
        ),
        (|inputs| inputs.target = Some("web".into()), "target"),
        (
            |inputs| inputs.platform = Some("linux/arm64".into()),
            "platform",
        ),
        (|inputs| inputs.builder = "pack", "builder"),
    ];
    for (change, word) in cases {
        let (now, _) = world.look(&with(change));
        assert_ne!(now.digest, plain.digest, "{word}");
        assert!(
            plain
                .snapshot
                .difference(&now.snapshot)
                .words()
                .contains(&word.to_owned())
        );
        let kept = serde_json::to_string(&now.snapshot).expect("encodes");
        assert!(!kept.contains("hunter2") && !kept.contains(&hex::encode("hunter2-hunter2")));
    }
    // The same argument under another installation's key is another hash.
    let mut inputs = inputs();
    inputs.args.insert("TOKEN".into(), "hunter2".into());
    assert_ne!(inputs.hashes(KEY), inputs.hashes(b"another"));
}

#[test]
fn only_what_changed_is_read_again_and_nothing_escapes() {
    let mut world = World::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let saved = &elsewhere.path().join("not-there-yet/cache");
    let first = world.look(&inputs());
    assert_eq!(first.1, 2);
    // Files this young could change again within one tick, so they are not trusted yet.
    assert_eq!(world.look(&inputs()).1, 2);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let set_old = |path: &Path| {
        fs::File::options()
            .write(true)
            .open(path)
            .and_then(|file| file.set_modified(old))
            .expect("set");
    };
    set_old(&world.root().join("Cargo.toml"));
    set_old(&world.root().join("src/main.rs"));
    // The change time is what it is: the entry settles only when that has passed too.
    let settled = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while world.look(&inputs()).1 > 0 {
        assert!(std::time::Instant::now() < settled, "the files settle");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    world.cache.save(saved).expect("saved");
    world.cache = HashCache::open(saved);
    assert_eq!(world.look(&inputs()), (first.0.clone(), 0));
    // Same size, same modification time: only the change time gives it away.
    let path = world.root().join("Cargo.toml");
    fs::write(&path, "[PACKAGE]").expect("written");
    set_old(&path);
    let (now, read) = world.look(&inputs());
    assert_eq!(read, 1);
    assert_eq!(
        first.0.snapshot.difference(&now.snapshot).words(),
        ["Cargo.toml"]
    );
}

#[test]
fn a_cancelled_reading_ends_with_that() {
    let world = World::new();
    let spec = ContextSpec {
        root: world.root().to_owned(),
        dockerfile: None,
        reader: Reader::Classic,
        more_patterns: vec![],
    };
    let cancel = CancellationToken::new();
    let context = read(&spec, &cancel, &mut |_| {}).expect("readable");
    cancel.cancel();
    assert!(matches!(
        read(&spec, &cancel, &mut |_| {}),
        Err(super::super::ContextError::Cancelled)
    ));
    assert!(
        HashCache::default()
            .hash(&context, &cancel, &|_| {})
            .is_err()
    );
}
