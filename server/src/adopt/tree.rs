//! The folder's files, listed within limits: what builds and package managers leave behind is passed
//! over, links are never followed, and what was not looked at is told.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use app::model::Note;
use nix::fcntl::OFlag;

/// Nothing of a person's is in these.
const PASSED_OVER: &[&str] = &[
    "node_modules",
    "bower_components",
    "target",
    "vendor",
    "venv",
    "__pycache__",
    "site-packages",
    "coverage",
    "dist",
    ".git",
    ".hg",
    ".svn",
    ".next",
    ".nuxt",
    ".svelte-kit",
    ".turbo",
    ".venv",
    ".tox",
    ".cache",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".gradle",
    ".idea",
    ".terraform",
    ".yarn",
    ".pnpm-store",
];

/// How much is looked at. The nearest files come first, so that a limit costs the deep ones.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub depth: usize,
    /// Files and folders together.
    pub entries: usize,
    pub entries_of_folder: usize,
    pub bytes_of_file: u64,
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 8,
            entries: 20_000,
            entries_of_folder: 4_000,
            bytes_of_file: 512 << 10,
            bytes: 32 << 20,
        }
    }
}

/// What was listed. Paths are relative, with `/`; the folder itself is the empty path.
#[derive(Debug)]
pub struct Tree {
    pub root: PathBuf,
    pub folders: u32,
    pub notes: Vec<Note>,
    /// With their sizes.
    files: BTreeMap<String, u64>,
    limits: Limits,
    bytes_left: Cell<u64>,
}

impl Tree {
    /// Lists the folder.
    pub fn walk(root: &Path, limits: Limits) -> Self {
        let mut tree = Self {
            root: root.to_owned(),
            folders: 0,
            notes: Vec::new(),
            files: BTreeMap::new(),
            limits,
            bytes_left: Cell::new(limits.bytes),
        };
        let mut entries = 0;
        let mut links = 0_u32;
        let mut strange = 0_u32;
        let mut queue = VecDeque::from([(String::new(), 0)]);
        while let Some((folder, depth)) = queue.pop_front() {
            let listing = match fs::read_dir(root.join(&folder)) {
                Ok(listing) => listing,
                Err(error) => {
                    tree.note(&folder, format!("It cannot be read: {error}"));
                    continue;
                }
            };
            tree.folders += 1;
            let mut names = Vec::new();
            for (nth, entry) in listing.flatten().enumerate() {
                if nth >= limits.entries_of_folder {
                    tree.note(
                        &folder,
                        format!(
                            "Only {} of its entries were looked at",
                            limits.entries_of_folder
                        ),
                    );
                    break;
                }
                match entry.file_name().into_string() {
                    Ok(name) => names.push((name, entry)),
                    Err(_) => strange += 1,
                }
            }
            names.sort_by(|a, b| a.0.cmp(&b.0));
            for (name, entry) in names {
                if entries >= limits.entries {
                    tree.note(
                        ".",
                        format!(
                            "Only the nearest {} files and folders were looked at",
                            limits.entries
                        ),
                    );
                    queue.clear();
                    break;
                }
                entries += 1;
                let path = join(&folder, &name);
                // Of the entry itself, not of what a link leads to.
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                if kind.is_symlink() {
                    links += 1;
                } else if kind.is_dir() {
                    if PASSED_OVER.contains(&name.as_str())
                        || entry.path().join("pyvenv.cfg").is_file()
                    {
                        continue;
                    }
                    if depth + 1 > limits.depth {
                        tree.note(&path, "It lies too deep and was not looked at".to_owned());
                    } else {
                        queue.push_back((path, depth + 1));
                    }
                } else if kind.is_file() {
                    let size = entry.metadata().map_or(0, |metadata| metadata.len());
                    tree.files.insert(path, size);
                }
            }
        }
        if links > 0 {
            tree.note(".", format!("{links} symbolic links were not followed"));
        }
        if strange > 0 {
            tree.note(
                ".",
                format!("{strange} names are not UTF-8 and were left out: slipway.toml could not name them"),
            );
        }
        tree
    }

    fn note(&mut self, source: &str, text: String) {
        // A folder full of oddities is not to flood the page.
        if self.notes.len() < 20 {
            let source = if source.is_empty() { "." } else { source };
            self.notes.push(Note {
                source: source.to_owned(),
                text,
            });
        }
    }

    /// All files, by path.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub fn count(&self) -> u32 {
        u32::try_from(self.files.len()).unwrap_or(u32::MAX)
    }

    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether there is a folder with at least one file in it.
    pub fn has_folder(&self, folder: &str) -> bool {
        if folder.is_empty() {
            return true;
        }
        let start = format!("{folder}/");
        self.files
            .range(start.clone()..)
            .next()
            .is_some_and(|(path, _)| path.starts_with(&start))
    }

    /// The files in a folder and below.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        self.files().filter(move |path| is_below(path, folder))
    }

    /// The first of these names that the folder has.
    pub fn first_in(&self, folder: &str, names: &[&str]) -> Option<String> {
        names
            .iter()
            .map(|name| join(folder, name))
            .find(|path| self.has(path))
    }

    /// The text of a listed file; none when it is too large, away, or the whole was enough.
    pub fn read(&self, path: &str) -> Option<String> {
        let size = *self.files.get(path)?;
        if size > self.limits.bytes_of_file || size > self.bytes_left.get() {
            return None;
        }
        // It may have become a link or a pipe since it was listed.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(self.root.join(path))
            .ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(self.limits.bytes_of_file)
            .read_to_end(&mut bytes)
            .ok()?;
        let left = self.bytes_left.get();
        self.bytes_left.set(left.saturating_sub(bytes.len() as u64));
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A path below a folder; the empty folder is the root.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// The folder a path lies in.
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last part of a path.
pub fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path lies in a folder or below it, or is it.
pub fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path == folder
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// `a/./b/../c` as `a/c`; none when it leads out of the project, or is no relative path.
pub fn normal(path: &str) -> Option<String> {
    if path.starts_with(['/', '~']) || path.contains(['\\', '\0']) {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A path as it is written in `slipway.toml`: the folder itself is `.`.
pub fn shown(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_is_none() {
        let cases = [
            ("./a/../b", Some("b")),
            (".", Some("")),
            ("a//b/", Some("a/b")),
            ("..", None),
            ("a/../../b", None),
            ("/etc", None),
            ("~/x", None),
        ];
        for (path, wanted) in cases {
            assert_eq!(normal(path).as_deref(), wanted, "{path}");
        }
        assert!(is_below("a/b", "a") && !is_below("ab", "a") && is_below("x", ""));
    }

    #[test]
    fn what_builds_leave_behind_and_links_are_not_entered_and_limits_are_told() {
        let temp = tempfile::tempdir().expect("a folder");
        let root = temp.path();
        for path in [
            "node_modules/x/package.json",
            "src/a.js",
            "deep/1/2/3/x",
            "b.txt",
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            fs::write(path, "text").expect("written");
        }
        std::os::unix::fs::symlink(root, root.join("src/loop")).expect("linked");
        let limits = Limits {
            depth: 2,
            ..Limits::default()
        };
        let tree = Tree::walk(root, limits);
        assert_eq!(tree.files().collect::<Vec<_>>(), ["b.txt", "src/a.js"]);
        let told: Vec<&str> = tree.notes.iter().map(|note| note.text.as_str()).collect();
        assert!(
            told.iter().any(|text| text.contains("too deep")),
            "{told:?}"
        );
        assert!(
            told.iter().any(|text| text.contains("1 symbolic link")),
            "{told:?}"
        );
        let few = Limits {
            entries: 2,
            ..Limits::default()
        };
        let tree = Tree::walk(root, few);
        assert!(
            tree.notes
                .iter()
                .any(|note| note.text.contains("nearest 2"))
        );
        assert!(tree.read("../etc/passwd").is_none());
    }
}
