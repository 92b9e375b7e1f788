//! A real Postgres in a temporary folder, started for one test and ended with it.
//! Missing binaries fail the test: a database test that quietly skips proves nothing.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub const PASSWORD: &str = "Pg-Pa55w0rd-for-tests";

pub struct Postgres {
    server: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Postgres {
    pub fn start() -> Self {
        let bin = binaries();
        let user = unprivileged();
        let folder = tempfile::Builder::new()
            .prefix("todo-pg-")
            .tempdir_in("/tmp")
            .unwrap();
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
            chown(&password, Some(uid), Some(gid)).unwrap();
        }
        let made = command(&bin.join("initdb"), folder.path(), user)
            .args([
                "--auth=scram-sha-256",
                "--username=todo",
                "--no-sync",
                "--pwfile",
            ])
            .arg(&password)
            .arg("--pgdata")
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = serve(&bin, folder.path(), port, user);
        let postgres = Self {
            server,
            port,
            _folder: folder,
        };
        postgres.until_listening();
        postgres
    }

    pub fn url(&self) -> String {
        format!(
            "postgres://todo:{PASSWORD}@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    /// Ends the server as a crash would; its folder stays.
    pub fn stop(&mut self) {
        // SIGINT is Postgres' fast shutdown; its children end with it.
        let pid = i32::try_from(self.server.id()).unwrap();
        // SAFETY: the id is of a child that has not been waited for, so it is still ours.
        unsafe { libc::kill(pid, libc::SIGINT) };
        self.server.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.server = serve(&binaries(), self._folder.path(), self.port, unprivileged());
        self.until_listening();
    }

    fn until_listening(&self) {
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "Postgres did not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if matches!(self.server.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

fn serve(bin: &Path, folder: &Path, port: u16, user: Option<(u32, u32)>) -> Child {
    command(&bin.join("postgres"), folder, user)
        .arg("-D")
        .arg(folder.join("data"))
        .args([
            "-p",
            &port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
        ])
        .arg(format!("unix_socket_directories={}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn command(program: &Path, folder: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().expect(
        "these tests need a real Postgres: install the package postgresql \
         (initdb and postgres in /usr/lib/postgresql/*/bin)",
    )
}

/// Postgres refuses to run as root, so root runs it as `nobody`.
fn unprivileged() -> Option<(u32, u32)> {
    // SAFETY: geteuid has no preconditions and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    root.then_some((65534, 65534))
}
