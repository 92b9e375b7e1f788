//! A real Postgres with its data in a folder of its own; it ends with the test.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "Pg-Pa55/w0rd?for#tests";
/// The password as it stands in a URL.
pub(crate) const ENCODED: &str = "Pg-Pa55%2Fw0rd%3Ffor%23tests";
/// Postgres refuses to run as root, so root runs it as `nobody`.
const NOBODY: u32 = 65534;

pub(crate) struct Postgres {
    server: Child,
    pub port: u16,
    pub folder: TempDir,
}

impl Postgres {
    /// With extra settings, and with TLS when there is a certificate (PEM of chain and key).
    pub fn start(settings: &[&str], tls: Option<(&str, &str)>) -> Self {
        let bin = binaries();
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join("home");
        fs::create_dir(&home).expect("made");
        let password = home.join("password");
        fs::write(&password, PASSWORD).expect("written");
        own(folder.path());
        own(&home);
        own(&password);
        let data = home.join("data");
        let made = as_nobody(Command::new(bin.join("initdb")), &home)
            .args(["--auth=scram-sha-256", "--username=todo", "--no-sync"])
            .arg("--pwfile")
            .arg(&password)
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb");
        let port = free_port();
        let mut server = as_nobody(Command::new(bin.join("postgres")), &home);
        server.arg("-D").arg(&data);
        server.args([
            "-p",
            &port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
        ]);
        server
            .arg("-c")
            .arg(format!("unix_socket_directories={}", home.display()));
        for setting in settings {
            server.args(["-c", setting]);
        }
        if let Some((chain, key)) = tls {
            for (name, text) in [("server.crt", chain), ("server.key", key)] {
                let file = data.join(name);
                fs::write(&file, text).expect("written");
                own(&file);
                private(&file);
            }
            server.args(["-c", "ssl=on"]);
        }
        let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut postgres = Self {
            server: server.expect("postgres runs"),
            port,
            folder,
        };
        postgres.wait();
        postgres
    }

    /// Replaces who may sign in from where, and has the server read it again.
    pub fn allow(&self, rules: &str) {
        let file = self.folder.path().join("home/data/pg_hba.conf");
        fs::write(file, rules).expect("written");
        kill(self.pid(), Signal::SIGHUP).expect("told");
    }

    pub fn url(&self, rest: &str) -> String {
        format!("postgres://todo:{ENCODED}@127.0.0.1:{}/{rest}", self.port)
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        // It accepts connections before it takes any; the status in its file says when it does.
        let status = self.folder.path().join("home/data/postmaster.pid");
        let is_ready = || {
            fs::read_to_string(&status)
                .is_ok_and(|text| text.lines().any(|line| line.trim_end() == "ready"))
        };
        while !is_ready() {
            assert!(Instant::now() < deadline, "Postgres did not start");
            let ended = self.server.try_wait().expect("asked");
            assert!(ended.is_none(), "Postgres ended: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.server.id()).expect("a pid"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Fast shutdown: its children end with it.
        let _ = kill(self.pid(), Signal::SIGINT);
        let _ = self.server.wait();
    }
}

fn binaries() -> PathBuf {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|found| {
            found
                .flatten()
                .map(|entry| entry.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    versions.retain(|bin| bin.join("initdb").exists());
    versions.sort();
    versions.pop().expect(
        "a real Postgres is needed: `cargo xtask test rust` installs it, or install the package postgresql",
    )
}

fn as_nobody(mut command: Command, home: &Path) -> Command {
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir(home).env("LC_ALL", "C");
    command
}

fn own(path: &Path) {
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("given away");
    }
}

fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("made private");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
