//! The node's unsafe corner: thin wrappers over the Linux calls that have no safe binding. Each
//! wrapper checks what the kernel returns; no policy lives here.
#![expect(unsafe_code, reason = "raw system calls without a safe binding")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::{self, offset_of};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use libc::{c_int, c_long, c_ulong, c_void};

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

/// Runs `setup` in the child between fork and exec.
///
/// `setup` must only make system calls: after fork of a threaded process, locks (the allocator's
/// among them) may be held by threads that do not exist in the child.
pub fn before_exec(
    command: &mut Command,
    setup: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: callers pass only closures over data prepared before the fork that make system
    // calls and do not allocate, as required above.
    unsafe { command.pre_exec(setup) };
}

/// True when the kernel can hand system calls of a filtered process to a supervisor.
pub fn notifications_available() -> bool {
    let action = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: the kernel reads one u32 through the pointer, which lives across the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL as c_ulong,
            0 as c_ulong,
            ptr::from_ref(&action),
        )
    };
    result == 0 && cfg!(any(target_arch = "x86_64", target_arch = "aarch64"))
}

/// Installs the filter that reports `bind`, `connect` and addressed `sendto` calls of this process
/// and its descendants, and returns the descriptor the reports arrive on.
pub fn install_network_filter() -> io::Result<RawFd> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let load = |k: usize| libc::sock_filter {
        code: LOAD,
        jt: 0,
        jf: 0,
        k: k as u32,
    };
    let equal = |k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: EQUAL,
        jt,
        jf,
        k,
    };
    let answer = |k: u32| libc::sock_filter {
        code: RETURN,
        jt: 0,
        jf: 0,
        k,
    };
    let destination = offset_of!(libc::seccomp_data, args) + 4 * 8;
    // Jumps count instructions to skip; 10 allows and 11 reports.
    let mut program = [
        load(offset_of!(libc::seccomp_data, arch)),
        equal(AUDIT_ARCH, 0, 8),
        load(offset_of!(libc::seccomp_data, nr)),
        equal(libc::SYS_bind as u32, 7, 0),
        equal(libc::SYS_connect as u32, 6, 0),
        equal(libc::SYS_sendto as u32, 0, 4),
        // `send` is `sendto` without an address: far too frequent to report, and of no interest.
        load(destination),
        equal(0, 0, 3),
        load(destination + 4),
        equal(0, 0, 1),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(libc::SECCOMP_RET_USER_NOTIF),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the filter and its program live across the call, which copies them.
    let fd = check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER as c_ulong,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            ptr::from_ref(&filter),
        )
    })?;
    Ok(fd as RawFd)
}

/// Forbids gaining privileges through exec, which an unprivileged filter requires.
pub fn no_new_privileges() -> io::Result<()> {
    // SAFETY: prctl with plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into()).map(drop)
}

/// This process dies when the thread that spawned it does.
pub fn die_with_parent(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: prctl and getppid with plain integers.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong, 0, 0, 0).into())?;
        // The parent may have died before the request was in place.
        if libc::getppid() != parent {
            libc::_exit(137);
        }
    }
    Ok(())
}

/// Keeps every descriptor but the standard three from the program: whatever this process or its
/// parents left open without close-on-exec is none of the container's business.
pub fn hide_descriptors() -> io::Result<()> {
    // SAFETY: plain integers; the descriptors stay open until exec.
    check(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    })
    .map(drop)
}

/// Starts a session of our own.
pub fn new_session() -> io::Result<()> {
    // SAFETY: no arguments.
    check(unsafe { libc::setsid() }.into()).map(drop)
}

/// Makes the terminal at `path` this session's own and its standard input, output and error.
/// The process must lead a session that has no terminal yet.
pub fn take_terminal(path: &CStr) -> io::Result<()> {
    // SAFETY: the path is NUL-terminated and outlives the call; the rest is plain integers.
    unsafe {
        let fd = check(libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC).into())? as c_int;
        check(libc::ioctl(fd, libc::TIOCSCTTY, 0).into())?;
        for standard in 0..3 {
            check(libc::dup2(fd, standard).into())?;
        }
    }
    Ok(())
}

/// Tells a terminal how many columns and rows it has; its programs get `SIGWINCH`.
pub fn set_window_size(terminal: BorrowedFd<'_>, columns: u16, rows: u16) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel reads one `winsize` through the pointer, which lives across the call.
    let result =
        unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, ptr::from_ref(&size)) };
    check(result.into()).map(drop)
}

/// Gives up every capability outside the set container runtimes leave to root.
pub fn drop_capabilities() {
    // chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service,
    // net_raw, sys_chroot, mknod, audit_write, setfcap
    const KEPT: [c_ulong; 14] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31];
    for capability in 0..=63 {
        if !KEPT.contains(&capability) {
            // SAFETY: prctl with plain integers; it fails harmlessly past the last capability.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        }
    }
}

/// Leaves the given namespaces.
pub fn unshare(flags: c_int) -> io::Result<()> {
    // SAFETY: plain integer.
    check(unsafe { libc::unshare(flags) }.into()).map(drop)
}

/// Writes a whole small file (such as `/proc/self/uid_map`) without allocating.
pub fn write_file(path: &CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the path is NUL-terminated and the buffer outlives the calls.
    unsafe {
        let fd =
            check(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC).into())? as c_int;
        let written = libc::write(fd, bytes.as_ptr().cast(), bytes.len());
        let result = check(written as c_long).map(drop);
        libc::close(fd);
        result
    }
}

/// `mount` without a file system type or options.
pub fn mount(source: Option<&CStr>, target: &CStr, flags: c_ulong) -> io::Result<()> {
    let source = source.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: both paths are NUL-terminated or null, and outlive the call.
    check(unsafe { libc::mount(source, target.as_ptr(), ptr::null(), flags, ptr::null()) }.into())
        .map(drop)
}

/// Makes `root` the root of this mount namespace and forgets the old one.
pub fn pivot_into(root: &CStr) -> io::Result<()> {
    // SAFETY: NUL-terminated paths that outlive the calls.
    unsafe {
        check(libc::chdir(root.as_ptr()).into())?;
        // The old root is stacked on top of the new one at ".", so it can be detached at once.
        check(libc::syscall(
            libc::SYS_pivot_root,
            c".".as_ptr(),
            c".".as_ptr(),
        ))?;
        check(libc::umount2(c".".as_ptr(), libc::MNT_DETACH).into())?;
        check(libc::chdir(c"/".as_ptr()).into())?;
    }
    Ok(())
}

pub fn change_directory(path: &CStr) -> io::Result<()> {
    // SAFETY: NUL-terminated path that outlives the call.
    check(unsafe { libc::chdir(path.as_ptr()) }.into()).map(drop)
}

pub fn set_hostname(name: &CString) -> io::Result<()> {
    let bytes = name.as_bytes();
    // SAFETY: pointer and length of one live buffer.
    check(unsafe { libc::sethostname(bytes.as_ptr().cast(), bytes.len()) }.into()).map(drop)
}

/// Becomes another user for good.
pub fn become_user(uid: u32, gid: u32, groups: &[libc::gid_t]) -> io::Result<()> {
    // SAFETY: the group list is a live slice with its own length.
    unsafe {
        check(libc::setgroups(groups.len(), groups.as_ptr()).into())?;
        check(libc::setgid(gid).into())?;
        check(libc::setuid(uid).into())?;
    }
    Ok(())
}

/// Sends one descriptor over a socket.
pub fn send_descriptor(socket: RawFd, descriptor: RawFd) -> io::Result<()> {
    let mut byte = 0_u8;
    let mut control = [0_u64; 8];
    let mut slice = libc::iovec {
        iov_base: ptr::from_mut(&mut byte).cast(),
        iov_len: 1,
    };
    // SAFETY: an all-zero msghdr is valid; its pointers are set to live buffers below, and the
    // control buffer is larger and more aligned than one descriptor needs.
    unsafe {
        let mut message: libc::msghdr = mem::zeroed();
        message.msg_iov = &raw mut slice;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        ptr::write_unaligned(libc::CMSG_DATA(header).cast(), descriptor);
        check(libc::sendmsg(socket, &raw const message, 0) as c_long).map(drop)
    }
}

/// Receives one descriptor sent by [`send_descriptor`].
pub fn receive_descriptor(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut byte = 0_u8;
    let mut control = [0_u64; 8];
    let mut slice = libc::iovec {
        iov_base: ptr::from_mut(&mut byte).cast(),
        iov_len: 1,
    };
    // SAFETY: as in `send_descriptor`; the header is only followed when the kernel wrote one, and
    // the received descriptor is ours alone.
    unsafe {
        let mut message: libc::msghdr = mem::zeroed();
        message.msg_iov = &raw mut slice;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        check(
            libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) as c_long,
        )?;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Err(io::Error::other("no descriptor arrived"));
        }
        Ok(OwnedFd::from_raw_fd(ptr::read_unaligned(
            libc::CMSG_DATA(header).cast(),
        )))
    }
}

/// A system call a filtered process is waiting in.
#[derive(Clone, Copy, Debug)]
pub struct Notification {
    pub id: u64,
    pub pid: i32,
    pub call: c_long,
    pub args: [u64; 6],
}

/// What the process sees as its system call's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The kernel performs the call as it was made.
    Continue,
    /// The call was performed for it and returned this.
    Value(i64),
    /// The call failed with this error number.
    Errno(i32),
}

/// Waits for the next report; `None` when the caller vanished meanwhile.
pub fn next_notification(listener: BorrowedFd<'_>) -> io::Result<Option<Notification>> {
    // SAFETY: the kernel demands a zeroed structure, fills it, and all-zero is a valid value.
    let report = unsafe {
        let mut report: libc::seccomp_notif = mem::zeroed();
        let result = libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV,
            &raw mut report,
        );
        if let Err(error) = check(result.into()) {
            return match error.raw_os_error() {
                Some(libc::ENOENT | libc::EINTR) => Ok(None),
                _ => Err(error),
            };
        }
        report
    };
    Ok(Some(Notification {
        id: report.id,
        pid: report.pid as i32,
        call: report.data.nr.into(),
        args: report.data.args,
    }))
}

/// True while the reported process still waits in the same call: what was read from its memory
/// through its process ID then really was its own.
pub fn still_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads one u64 through the pointer.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
            &raw const id,
        ) == 0
    }
}

pub fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) {
    let (val, error, flags) = match answer {
        Answer::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Answer::Value(value) => (value, 0, 0),
        Answer::Errno(error) => (0, -error, 0),
    };
    let response = libc::seccomp_notif_resp {
        id,
        val,
        error,
        flags,
    };
    // SAFETY: the kernel reads the response. It fails when the process died, which needs no answer.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw const response,
        )
    };
}

/// A duplicate of descriptor `fd` of process (thread group) `pid`.
pub fn duplicate_descriptor(pid: i32, fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain integers; each returned descriptor is new and owned by us alone.
    unsafe {
        let process = check(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
        let process = OwnedFd::from_raw_fd(process as RawFd);
        let copy = check(libc::syscall(
            libc::SYS_pidfd_getfd,
            process.as_raw_fd(),
            fd,
            0,
        ))?;
        Ok(OwnedFd::from_raw_fd(copy as RawFd))
    }
}

/// An integer socket option.
pub fn socket_option(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: value and length are live and of the size given.
    check(
        unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                level,
                name,
                ptr::from_mut(&mut value).cast::<c_void>(),
                &raw mut length,
            )
        }
        .into(),
    )?;
    Ok(value)
}

pub fn set_socket_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    // SAFETY: the value is live and of the size given.
    check(
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                name,
                ptr::from_ref(&value).cast::<c_void>(),
                size_of::<c_int>() as libc::socklen_t,
            )
        }
        .into(),
    )
    .map(drop)
}

/// An IPv4 address in the socket's own family: plain, or IPv4-mapped for an IPv6 socket.
#[derive(Clone, Copy)]
pub struct RawAddress {
    bytes: [u8; 28],
    length: libc::socklen_t,
}

impl RawAddress {
    pub fn new(address: SocketAddrV4, ipv6: bool) -> Self {
        let mut bytes = [0; 28];
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        if ipv6 {
            bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
            bytes[8..24].copy_from_slice(&address.ip().to_ipv6_mapped().octets());
            Self { bytes, length: 28 }
        } else {
            bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            bytes[4..8].copy_from_slice(&address.ip().octets());
            Self { bytes, length: 16 }
        }
    }

    /// The IPv6 loopback with any port.
    pub fn ipv6_loopback() -> Self {
        let mut bytes = [0; 28];
        bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        bytes[23] = 1;
        Self { bytes, length: 28 }
    }
}

fn result_of(result: c_int) -> Answer {
    match check(result.into()) {
        Ok(_) => Answer::Value(0),
        Err(error) => Answer::Errno(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

pub fn bind(socket: BorrowedFd<'_>, address: &RawAddress) -> Answer {
    // SAFETY: the address buffer is live and at least `length` long.
    result_of(unsafe {
        libc::bind(
            socket.as_raw_fd(),
            address.bytes.as_ptr().cast(),
            address.length,
        )
    })
}

pub fn connect(socket: BorrowedFd<'_>, address: &RawAddress) -> Answer {
    // SAFETY: the address buffer is live and at least `length` long.
    result_of(unsafe {
        libc::connect(
            socket.as_raw_fd(),
            address.bytes.as_ptr().cast(),
            address.length,
        )
    })
}

pub fn send_to(socket: BorrowedFd<'_>, bytes: &[u8], flags: c_int, to: &RawAddress) -> Answer {
    // SAFETY: both buffers are live with their own lengths.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            flags | libc::MSG_NOSIGNAL,
            to.bytes.as_ptr().cast(),
            to.length,
        )
    };
    match check(sent as c_long) {
        Ok(sent) => Answer::Value(sent),
        Err(error) => Answer::Errno(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// The socket's own IPv4 address and port (also when it is an IPv6 socket with a mapped address).
/// An unbound socket has the unspecified address and port 0.
pub fn local_address(socket: BorrowedFd<'_>) -> io::Result<SocketAddrV4> {
    let mut bytes = [0_u8; 28];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: the buffer is live and `length` says how long it is.
    check(
        unsafe {
            libc::getsockname(
                socket.as_raw_fd(),
                bytes.as_mut_ptr().cast(),
                &raw mut length,
            )
        }
        .into(),
    )?;
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let at = if length > 16 { 20 } else { 4 };
    Ok(SocketAddrV4::new(
        Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]),
        port,
    ))
}
