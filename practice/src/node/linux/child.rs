//! Everything a container's process does to itself between fork and exec: session, namespaces,
//! mounts, root, user, filter. All data is prepared beforehand; the child only makes system calls.

use std::ffi::CString;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use super::sys;

/// One bind mount into the container's root.
#[derive(Clone, Debug)]
pub struct BindMount {
    pub source: CString,
    pub target: CString,
    pub read_only: bool,
}

/// The prepared setup of one process.
#[derive(Debug)]
pub struct ChildSetup {
    /// The container's root and what is mounted in it; `None` runs on the host's file system.
    pub root: Option<PrivateRoot>,
    pub hostname: CString,
    pub workdir: CString,
    /// User, group and further groups.
    pub user: Option<(u32, u32, Vec<libc::gid_t>)>,
    /// The terminal it has, as named inside the root; `None` keeps the streams it was given.
    pub terminal: Option<CString>,
    /// Where the network filter's descriptor is sent; `None` leaves the network alone.
    pub filter_channel: Option<RawFd>,
    pub parent: libc::pid_t,
}

#[derive(Debug)]
pub struct PrivateRoot {
    pub path: CString,
    pub read_only: bool,
    pub mounts: Vec<BindMount>,
    /// Contents of `uid_map` and `gid_map` when a user namespace is needed.
    pub user_namespace: Option<(Vec<u8>, Vec<u8>)>,
}

impl ChildSetup {
    /// Runs in the child.
    pub fn apply(&self) -> io::Result<()> {
        sys::new_session()?;
        sys::hide_descriptors()?;
        if let Some(root) = &self.root {
            root.enter(&self.hostname)?;
        }
        if let Some(terminal) = &self.terminal {
            sys::take_terminal(terminal)?;
        }
        sys::change_directory(&self.workdir)?;
        if let Some((uid, gid, groups)) = &self.user {
            sys::drop_capabilities();
            sys::become_user(*uid, *gid, groups)?;
        }
        sys::no_new_privileges()?;
        // Changing user clears this request, so it comes after.
        sys::die_with_parent(self.parent)?;
        if let Some(channel) = self.filter_channel {
            let listener = sys::install_network_filter()?;
            sys::send_descriptor(channel, listener)?;
            // Closed by exec as well: the program must never be able to answer for itself.
            nix::unistd::close(listener)?;
        }
        Ok(())
    }
}

impl PrivateRoot {
    fn enter(&self, hostname: &CString) -> io::Result<()> {
        let mut flags = libc::CLONE_NEWNS | libc::CLONE_NEWUTS;
        if self.user_namespace.is_some() {
            flags |= libc::CLONE_NEWUSER;
        }
        sys::unshare(flags)?;
        if let Some((uid_map, gid_map)) = &self.user_namespace {
            sys::write_file(c"/proc/self/setgroups", b"deny")?;
            sys::write_file(c"/proc/self/gid_map", gid_map)?;
            sys::write_file(c"/proc/self/uid_map", uid_map)?;
        }
        sys::mount(None, c"/", libc::MS_REC | libc::MS_PRIVATE)?;
        sys::mount(Some(&self.path), &self.path, libc::MS_BIND | libc::MS_REC)?;
        for mount in &self.mounts {
            sys::mount(
                Some(&mount.source),
                &mount.target,
                libc::MS_BIND | libc::MS_REC,
            )?;
            if mount.read_only {
                remount_read_only(&mount.target)?;
            }
        }
        if self.read_only {
            remount_read_only(&self.path)?;
        }
        sys::pivot_into(&self.path)?;
        // A missing hostname hurts nobody.
        let _ = sys::set_hostname(hostname);
        Ok(())
    }
}

fn remount_read_only(target: &CString) -> io::Result<()> {
    let flags = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY;
    // In a user namespace the flags of the original mount are locked and must be repeated.
    sys::mount(None, target, flags)
        .or_else(|_| sys::mount(None, target, flags | libc::MS_NOSUID | libc::MS_NODEV))
        .or_else(|_| {
            let all = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC | libc::MS_RELATIME;
            sys::mount(None, target, flags | all)
        })
}

/// True when this process may give containers a private root. Tried for real in a child that
/// stops before exec.
pub fn private_roots_available() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    let mut command = Command::new("/");
    sys::before_exec(&mut command, move || {
        let user = if is_root { 0 } else { libc::CLONE_NEWUSER };
        sys::unshare(libc::CLONE_NEWNS | libc::CLONE_NEWUTS | user)?;
        if !is_root {
            sys::write_file(c"/proc/self/setgroups", b"deny")?;
        }
        sys::mount(None, c"/", libc::MS_REC | libc::MS_PRIVATE)?;
        Err(io::Error::from_raw_os_error(libc::ECANCELED))
    });
    command
        .spawn()
        .is_err_and(|error| error.raw_os_error() == Some(libc::ECANCELED))
}

/// A path as the kernel takes it; a path with a NUL byte cannot exist.
pub fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the path contains a NUL byte"))
}
