//! A pseudo-terminal for a command in a container. The command opens it under its own name inside
//! the container's root, so that `tty` and whatever asks the C library find it there.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::unistd::{Gid, Uid, chown};

use super::sys;
use crate::api::pod_backend::TerminalSize;

/// The side that shows and types.
#[derive(Debug)]
pub struct Terminal {
    screen: OwnedFd,
    /// The command's side, such as `/dev/pts/3`.
    pub path: PathBuf,
}

impl Terminal {
    /// A new terminal, owned by the user the command runs as when this process may give it away.
    pub fn open((uid, gid): (u32, u32)) -> io::Result<Self> {
        let screen = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        grantpt(&screen)?;
        unlockpt(&screen)?;
        let path = PathBuf::from(ptsname_r(&screen)?);
        if nix::unistd::geteuid().is_root() {
            chown(&path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(Self {
            screen: screen.into(),
            path,
        })
    }

    /// Another handle to the same screen.
    pub fn screen(&self) -> io::Result<Screen> {
        self.screen.try_clone().map(Screen)
    }
}

/// A handle to what a terminal shows, takes and measures.
#[derive(Debug)]
pub struct Screen(OwnedFd);

impl Screen {
    /// Bytes to read and to type.
    pub fn into_file(self) -> File {
        File::from(self.0)
    }

    /// Tells the programs in the terminal its new size.
    pub fn resize(&self, size: TerminalSize) -> io::Result<()> {
        sys::set_window_size(self.0.as_fd(), size.columns, size.rows)
    }
}
