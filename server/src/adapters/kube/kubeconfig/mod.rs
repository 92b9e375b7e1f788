//! The kubeconfig: its files, merged as kubectl merges them, except that a missing, broken or
//! endless file costs only that file.

mod contexts;
mod kinds;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use app::model::KubeconfigFile;
use kube::config::Kubeconfig;

pub use contexts::{ContextRow, Parts, contexts, parts};

/// A larger file is no kubeconfig that a person made; one with a thousand contexts has about 4 MB.
const LARGEST_BYTES: u64 = 16 << 20;

/// The kubeconfig files in use, in kubectl's order of precedence.
pub fn paths() -> Vec<PathBuf> {
    let listed = std::env::var_os("KUBECONFIG")
        .map(|list| std::env::split_paths(&list).collect::<Vec<_>>())
        .unwrap_or_default();
    let listed: Vec<PathBuf> = listed
        .into_iter()
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    directories::BaseDirs::new()
        .map(|dirs| vec![dirs.home_dir().join(".kube").join("config")])
        .unwrap_or_default()
}

/// What the variable `KUBECONFIG` must hold for a tool to see the same contexts.
pub fn variable(paths: &[PathBuf]) -> OsString {
    std::env::join_paths(paths).unwrap_or_else(|_| {
        paths
            .first()
            .map(|path| path.clone().into_os_string())
            .unwrap_or_default()
    })
}

/// All files as one, and what became of each.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub config: Kubeconfig,
    pub files: Vec<KubeconfigFile>,
}

impl Loaded {
    pub fn rows(&self) -> Vec<ContextRow> {
        contexts(&self.config)
    }

    pub fn row(&self, context: &str) -> Option<ContextRow> {
        self.rows()
            .into_iter()
            .find(|row| row.name.as_str() == context)
    }
}

/// Tells whether any of the files changed since.
pub type Stamp = Vec<Option<(SystemTime, u64)>>;

/// The stamp of the files as they are now. Asks the file system only.
pub fn stamp(paths: &[PathBuf]) -> Stamp {
    paths
        .iter()
        .map(|path| {
            let file = path.metadata().ok()?;
            Some((file.modified().ok()?, file.len()))
        })
        .collect()
}

/// Reads and merges the files: the first one that names something wins. Blocks while it reads.
pub fn read(paths: &[PathBuf]) -> Loaded {
    let mut loaded = Loaded::default();
    for path in paths {
        let merged = match read_one(path) {
            // kubectl skips it without a word, too.
            Ok(None) => continue,
            Ok(Some(next)) => {
                let contexts = u32::try_from(next.contexts.len()).unwrap_or(u32::MAX);
                loaded
                    .config
                    .clone()
                    .merge(next)
                    .map(|merged| (merged, contexts))
                    .map_err(|error| error.to_string())
            }
            Err(error) => Err(error),
        };
        let (contexts, problem) = match merged {
            Ok((merged, contexts)) => {
                loaded.config = merged;
                (contexts, None)
            }
            Err(error) => (0, Some(error)),
        };
        loaded.files.push(KubeconfigFile {
            path: path.display().to_string(),
            contexts,
            problem,
        });
    }
    loaded
}

/// None when there is no such file. Relative paths in it are meant from its own folder.
fn read_one(path: &Path) -> Result<Option<Kubeconfig>, String> {
    let file = match path.metadata() {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("it cannot be read: {error}")),
    };
    // A pipe would be waited for without end.
    if !file.is_file() {
        return Err("it is not a file".to_owned());
    }
    if file.len() > LARGEST_BYTES {
        return Err(format!(
            "it has {} MB, and no kubeconfig is larger than {} MB",
            file.len() >> 20,
            LARGEST_BYTES >> 20
        ));
    }
    let mut start = [0; 512];
    let length = File::open(path)
        .and_then(|mut file| file.read(&mut start))
        .map_err(|error| format!("it cannot be read: {error}"))?;
    // UTF-16 has zeros and a mark that says so; anything else with zeros is no text.
    let is_utf16 = start.starts_with(&[0xFF, 0xFE]) || start.starts_with(&[0xFE, 0xFF]);
    if !is_utf16 && start[..length].contains(&0) {
        return Err("it is not a text".to_owned());
    }
    let mut config = Kubeconfig::read_from(path).map_err(|error| short(&error.to_string()))?;
    // An empty name is none: it must not win over the next file's.
    config.current_context = config.current_context.filter(|name| !name.is_empty());
    Ok(Some(config))
}

/// The parser shows a piece of the file with its error, and that may hold a token: the first line
/// says what is wrong and where.
fn short(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    let line = line
        .strip_prefix("failed to parse kubeconfig YAML: ")
        .unwrap_or(line);
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    fn one(context: &str, cluster: &str, server: &str) -> String {
        format!(
            "current-context: {context}\nclusters: [{{name: {cluster}, cluster: {{server: '{server}'}}}}]\ncontexts: [{{name: {context}, context: {{cluster: {cluster}, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
        )
    }

    #[test]
    fn a_missing_file_is_skipped_and_a_broken_one_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path();
        let token = "very-secret-token";
        let good = file(folder, "good", &one("a", "c", "https://127.0.0.1:1"));
        let pipe = folder.join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).expect("a pipe");
        let paths = [
            folder.join("missing"),
            file(
                folder,
                "broken",
                &format!("users: [{{name: u, user: {{token: {token}}}}}"),
            ),
            file(folder, "list", "- a\n- b\n"),
            file(folder, "binary", "\u{0}\u{1}ELF"),
            file(folder, "other-kind", "kind: Pod\napiVersion: v2\n"),
            folder.to_owned(),
            pipe,
            good,
            file(folder, "empty", ""),
        ];
        let loaded = read(&paths);
        let rows = loaded.rows();
        assert_eq!(rows.len(), 1);
        assert!(rows[0].current);
        let problems: Vec<(&str, bool)> = loaded
            .files
            .iter()
            .map(|file| {
                let name = file.path.rsplit('/').next().expect("a name");
                (name, file.problem.is_some())
            })
            .collect();
        let of = |name: &str| problems.iter().find(|(other, _)| *other == name);
        assert_eq!(of("missing"), None, "{problems:?}");
        for broken in ["broken", "list", "binary", "pipe"] {
            assert_eq!(of(broken), Some(&(broken, true)), "{problems:?}");
        }
        for good in ["good", "empty"] {
            assert_eq!(of(good), Some(&(good, false)), "{problems:?}");
        }
        assert!(!format!("{:?}", loaded.files).contains(token));
    }

    #[test]
    fn the_first_file_that_names_something_wins() {
        let dir = tempfile::tempdir().expect("a folder");
        let paths = [
            file(dir.path(), "none", "current-context: ''\n"),
            file(dir.path(), "one", &one("a", "c", "https://127.0.0.1:1")),
            file(dir.path(), "two", &one("b", "c", "https://127.0.0.1:2")),
        ];
        let rows = read(&paths).rows();
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.name.as_str(), row.server.as_str(), row.current))
            .collect();
        // Both contexts name the cluster `c`, and the first file's is it.
        assert_eq!(
            seen,
            [
                ("a", "https://127.0.0.1:1", true),
                ("b", "https://127.0.0.1:1", false)
            ]
        );
    }

    #[test]
    fn paths_are_meant_from_the_folder_of_their_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("sub");
        std::fs::create_dir(&folder).expect("created");
        let text = "clusters: [{name: c, cluster: {server: 'https://h', certificate-authority: ca.crt}}]\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {client-certificate: ../u.crt, tokenFile: t, exec: {command: ./login}}}]\n";
        let loaded = read(&[file(&folder, "config", text)]);
        let parts = parts(&loaded.config, "a").expect("a context");
        let below = |name: &str| folder.join(name).display().to_string();
        assert_eq!(parts.cluster.certificate_authority, Some(below("ca.crt")));
        assert_eq!(parts.user.client_certificate, Some(below("../u.crt")));
        assert_eq!(parts.user.token_file, Some(below("t")));
        let command = parts.user.exec.and_then(|exec| exec.command);
        assert_eq!(command, Some(below("./login")));
    }

    #[test]
    fn a_file_beyond_all_measure_is_not_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("huge");
        let huge = File::create(&path).expect("created");
        huge.set_len(LARGEST_BYTES + 1).expect("grown");
        let loaded = read(&[path]);
        let problem = loaded.files[0].problem.as_deref().expect("a problem");
        assert!(problem.contains("larger than 16 MB"), "{problem}");
    }

    #[test]
    fn a_thousand_contexts_are_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut text = String::from(
            "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\ncontexts:\n",
        );
        for number in 0..1000 {
            text.push_str(&format!(
                "- {{name: ctx-{number}, context: {{cluster: c, user: u}}}}\n"
            ));
        }
        assert_eq!(read(&[file(dir.path(), "many", &text)]).rows().len(), 1000);
    }

    proptest! {
        #[test]
        fn no_file_breaks_the_reader(text in "(?s).{0,400}") {
            let dir = tempfile::tempdir().expect("a folder");
            let path = file(dir.path(), "any", &text);
            let loaded = read(&[path]);
            let _ = loaded.rows();
            prop_assert_eq!(loaded.files.len(), 1);
        }
    }
}
