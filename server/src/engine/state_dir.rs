//! The state folder: private to its owner, and one Slipway at a time writes in it.
//! The lock goes with the process, however that ends.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use app::model::{Finding, NextAction};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

const LOCK: &str = "lock";
const SERVER: &str = "server.json";

/// An opened state folder; the lock is held as long as this lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    lock: Option<Flock<File>>,
}

/// Who serves from this state folder now, for a second Slipway and for scripts of the same user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerFile {
    pub address: String,
    pub pid: u32,
    /// The link that lets someone look without touching.
    pub viewer_link: String,
}

impl StateDir {
    /// Creates the folder if needed, makes it private and takes its lock.
    pub fn open(path: &Path) -> Result<Self, Finding> {
        let mut dir = Self::without_lock(path)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(|error| unusable(path, &error))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => {
                dir.lock = Some(lock);
                // Left behind by one that was killed; nobody serves there any more.
                dir.forget_server_file();
                Ok(dir)
            }
            Err((_, Errno::EWOULDBLOCK)) => Err(second_slipway(path, dir.server_file())),
            Err((_, errno)) => Err(unusable(path, &errno.into())),
        }
    }

    /// Opens the folder beside a Slipway that may be using it, only to look.
    pub fn without_lock(path: &Path) -> Result<Self, Finding> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o700)))
            .and_then(|()| path.canonicalize())
            .map(|path| Self { path, lock: None })
            .map_err(|error| unusable(path, &error))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says where this Slipway serves. The file is readable by its owner only.
    pub fn write_server_file(&self, server: &ServerFile) -> std::io::Result<()> {
        let json = serde_json::to_vec_pretty(server)?;
        super::private_file::write(&self.path.join(SERVER), &json)
    }

    /// This Slipway serves no longer.
    pub fn forget_server_file(&self) {
        // When it cannot be removed, the free lock still tells.
        let _ = fs::remove_file(self.path.join(SERVER));
    }

    /// Where a Slipway serves from this folder, if one wrote that down.
    pub fn server_file(&self) -> Option<ServerFile> {
        let text = fs::read(self.path.join(SERVER)).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

fn second_slipway(path: &Path, first: Option<ServerFile>) -> Finding {
    let why = match &first {
        Some(first) => format!(
            "Process {} uses the state folder {} and serves at {}.",
            first.pid,
            path.display(),
            first.address
        ),
        None => format!(
            "Another Slipway uses the state folder {} at this moment.",
            path.display()
        ),
    };
    let finding = Finding::new("SECOND_SLIPWAY", "Slipway is already running here", why);
    let finding = match first {
        Some(first) => finding.next(NextAction::advice(format!(
            "Use the one that runs at {}, or stop it first",
            first.address
        ))),
        None => finding.next(NextAction::advice("Wait until it has ended, or stop it")),
    };
    finding.next(NextAction::Command {
        command: "slipway --state-dir ANOTHER_FOLDER".to_owned(),
        why: "Runs a second one with a state of its own".to_owned(),
    })
}

fn unusable(path: &Path, error: &std::io::Error) -> Finding {
    Finding::new(
        "STATE_DIR_UNUSABLE",
        "The state folder cannot be used",
        format!("{}: {error}.", path.display()),
    )
    .next(NextAction::Command {
        command: "slipway --state-dir FOLDER".to_owned(),
        why: "Uses a folder that you own and can write to".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_where_the_first_one_is() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let path = temp.path().join("state");
        let first = StateDir::open(&path).expect("the first one gets the lock");
        first
            .write_server_file(&ServerFile {
                address: "http://127.0.0.1:4747".into(),
                pid: 7,
                viewer_link: String::new(),
            })
            .expect("written");
        let mode = |name: &str| {
            fs::metadata(path.join(name))
                .expect("exists")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!((mode("."), mode(SERVER), mode(LOCK)), (0o700, 0o600, 0o600));
        let finding = StateDir::open(&path).expect_err("one writer only");
        assert_eq!(finding.code, "SECOND_SLIPWAY");
        assert!(finding.why.contains("http://127.0.0.1:4747"));
        drop(first);
        let next = StateDir::open(&path).expect("the lock is free again");
        assert!(next.server_file().is_none());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_finding() {
        let finding = StateDir::open(Path::new("/proc/none/state")).expect_err("not creatable");
        assert_eq!(finding.code, "STATE_DIR_UNUSABLE");
    }
}
