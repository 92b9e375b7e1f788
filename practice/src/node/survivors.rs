//! Containers are written down while they run, so that a node started after a crash ends what the
//! last one left behind: by process ID and start time, and by the marker in their environment.

use std::fs;
use std::path::{Path, PathBuf};

use super::core::NodeCore;

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("run")
}

impl NodeCore {
    /// Notes a running container. A note that cannot be written only costs the first of the two
    /// ways to find a survivor.
    pub fn survivors_note(&self, container_id: &str, pid: i32, pod_uid: &str) {
        let folder = folder(&self.state_dir);
        #[cfg(target_os = "linux")]
        let started = super::linux::procfs::stat(pid).map_or(0, |stat| stat.started);
        #[cfg(not(target_os = "linux"))]
        let started = 0;
        let note = || {
            fs::create_dir_all(&folder)?;
            fs::write(
                folder.join(container_id),
                format!("{pid} {started} {pod_uid}\n"),
            )
        };
        if let Err(error) = note() {
            tracing::warn!(%error, "running container not written down");
        }
    }

    pub fn survivors_forget(&self, container_id: &str) {
        let _ = fs::remove_file(folder(&self.state_dir).join(container_id));
    }
}

/// Ends every process an earlier node of this state folder left running and removes what it left
/// in `pods` and in the secret storage. Returns how many processes were ended. Blocks.
pub fn clean_up(state_dir: &Path, secret_base: &Path, identity: &str) -> usize {
    let mut ended = 0;
    for entry in fs::read_dir(folder(state_dir))
        .into_iter()
        .flatten()
        .flatten()
    {
        if let Ok(note) = fs::read_to_string(entry.path()) {
            ended += end_noted(&note);
        }
        let _ = fs::remove_file(entry.path());
    }
    #[cfg(target_os = "linux")]
    {
        ended += super::linux::procfs::kill_survivors(&format!("SLIPWAY_NODE={identity}"));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = identity;
    for folder in [&state_dir.join("pods"), secret_base] {
        let _ = fs::remove_dir_all(folder);
    }
    ended
}

#[cfg(target_os = "linux")]
fn end_noted(note: &str) -> usize {
    use super::linux::procfs;
    let mut words = note.split_whitespace();
    let (Some(pid), Some(started)) = (
        words.next().and_then(|word| word.parse::<i32>().ok()),
        words.next().and_then(|word| word.parse::<u64>().ok()),
    ) else {
        return 0;
    };
    // The start time tells our process from a stranger that got the same ID.
    if procfs::stat(pid).is_none_or(|stat| stat.started != started) {
        return 0;
    }
    let group = nix::unistd::Pid::from_raw(pid);
    usize::from(nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).is_ok())
}

#[cfg(not(target_os = "linux"))]
fn end_noted(_note: &str) -> usize {
    0
}
