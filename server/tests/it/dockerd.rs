//! A real Docker Engine for the tests, started when the first test asks for it and shared by all test
//! processes of a run: each holds a lock on a file, and a keeper ends the engine when nobody has for
//! a while. It has its own data, network bridge and certificates, so the machine's own is not touched.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

/// How long the engine may take to answer, on a machine that compiles beside it.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The shared engine; it goes on at least as long as this lives.
#[derive(Debug)]
pub struct Dockerd {
    folder: PathBuf,
    tcp_port: u16,
    _in_use: Flock<File>,
}

impl Dockerd {
    /// The shared engine. None, with the reason on stderr, where there cannot be one; a failure when
    /// `SLIPWAY_REQUIRE_DOCKERD` is set.
    pub fn shared() -> Option<Self> {
        match Self::start_or_join() {
            Ok(engine) => Some(engine),
            Err(why) if std::env::var_os("SLIPWAY_REQUIRE_DOCKERD").is_some() => {
                panic!("no Docker Engine for this test: {why}")
            }
            Err(why) => {
                eprintln!("SKIPPED, no Docker Engine for this test: {why}");
                None
            }
        }
    }

    /// The docker CLI with and without the buildx plugin; none, with the reason, where buildx cannot
    /// be had.
    pub fn config_with_buildx(&self) -> Option<PathBuf> {
        let tools = std::env::var_os("SLIPWAY_TEST_TOOLS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools"),
            PathBuf::from,
        );
        let config = tools.join("docker-config");
        if config.join("cli-plugins/docker-buildx").exists() {
            return Some(config);
        }
        assert!(
            std::env::var_os("SLIPWAY_REQUIRE_BUILDX").is_none(),
            "there is no buildx in {}",
            config.display()
        );
        eprintln!(
            "SKIPPED, no buildx for this test: `cargo xtask tools` gets it into {}",
            config.display()
        );
        None
    }

    /// A CLI configuration without any plugin.
    pub fn config_without_buildx(&self) -> PathBuf {
        self.folder.join("config")
    }

    /// Its local address, `unix://…`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.join("docker.sock").display())
    }

    /// Its address over TLS, as a minikube node's: `tcp://127.0.0.1:PORT`.
    pub fn tls_host(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.tcp_port)
    }

    /// The folder with `ca.pem`, `cert.pem` and `key.pem` for [`Dockerd::tls_host`].
    pub fn cert_path(&self) -> PathBuf {
        self.folder.join("certs")
    }

    /// Runs the docker CLI against it and gives what it printed; it must succeed.
    pub fn docker(&self, args: &[&str]) -> String {
        let output = Command::new("docker")
            .args(args)
            .env("DOCKER_HOST", self.host())
            .env("DOCKER_CONFIG", self.config_without_buildx())
            .output()
            .expect("docker runs");
        assert!(
            output.status.success(),
            "docker {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn start_or_join() -> Result<Self, String> {
        if !nix::unistd::geteuid().is_root() {
            return Err("starting one needs root".to_owned());
        }
        for program in ["dockerd", "docker", "ip", "flock"] {
            if server::process::find_on_path(program).is_none() {
                return Err(format!("there is no `{program}` on this machine"));
            }
        }
        let folder = std::env::temp_dir().join("slipway-test-dockerd");
        let private = |path: &Path| {
            fs::DirBuilder::new()
                .recursive(true)
                .create(path)
                .map_err(|error| format!("create {}: {error}", path.display()))
        };
        private(&folder)?;
        private(&folder.join("config"))?;
        let lock = |name: &str, how| {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(folder.join(name))
                .map_err(|error| format!("open {name}: {error}"))?;
            Flock::lock(file, how).map_err(|(_, error)| format!("lock {name}: {error}"))
        };
        // The keeper takes this one alone when it ends the engine, so nobody joins a dying one.
        let in_use = lock("in-use", FlockArg::LockShared)?;
        let _starting = lock("starting", FlockArg::LockExclusive)?;
        let tcp_port = match answers(&folder) {
            Some(port) => port,
            None => start(&folder)?,
        };
        Ok(Self {
            folder,
            tcp_port,
            _in_use: in_use,
        })
    }
}

/// The port of a running engine.
fn answers(folder: &Path) -> Option<u16> {
    let port = fs::read_to_string(folder.join("port")).ok()?;
    let answered = Command::new("docker")
        .arg("version")
        .env(
            "DOCKER_HOST",
            format!("unix://{}", folder.join("docker.sock").display()),
        )
        .output()
        .is_ok_and(|output| output.status.success());
    answered.then(|| port.trim().parse().ok()).flatten()
}

fn start(folder: &Path) -> Result<u16, String> {
    let say = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    write_certificates(&folder.join("certs"))
        .map_err(|error| say("make its certificates", &*error))?;
    // The engine takes no port 0.
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| say("find a free port", &error))?
        .port();
    fs::write(folder.join("port"), port.to_string())
        .map_err(|error| say("write its port", &error))?;
    fs::write(folder.join("keeper.sh"), KEEPER).map_err(|error| say("write its keeper", &error))?;
    let log = File::create(folder.join("log")).map_err(|error| say("make its log", &error))?;
    let mut keeper = Command::new("sh");
    keeper
        .arg(folder.join("keeper.sh"))
        .arg(folder)
        .arg(port.to_string())
        .current_dir(folder)
        .env_remove("DOCKER_HOST")
        .stdin(Stdio::null())
        .stdout(
            log.try_clone()
                .map_err(|error| say("share its log", &error))?,
        )
        .stderr(log);
    // SAFETY: setsid is async-signal-safe. The keeper outlives the test that started it.
    unsafe {
        keeper.pre_exec(|| {
            nix::unistd::setsid()?;
            Ok(())
        });
    }
    let mut keeper = keeper
        .spawn()
        .map_err(|error| say("start its keeper", &error))?;
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if let Some(port) = answers(folder) {
            return Ok(port);
        }
        let ended = keeper.try_wait().ok().flatten().is_some();
        if ended || Instant::now() > deadline {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            return Err(format!("it did not come up: {}", last.join(" | ")));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Starts the engine and ends it when nobody has held the lock for some seconds.
/// It needs a bridge of its own: BuildKit's RUN knows no build without one, and other engines on the
/// machine remove `docker0`.
const KEEPER: &str = r#"folder=$1 port=$2 bridge=slipway$$
ip link add "$bridge" type bridge && ip addr add "10.233.$(( $$ % 250 )).1/24" dev "$bridge" && ip link set "$bridge" up || exit 1
dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" \
  --host "unix://$folder/docker.sock" --host "tcp://127.0.0.1:$port" \
  --tlsverify --tlscacert "$folder/certs/ca.pem" --tlscert "$folder/certs/server.pem" --tlskey "$folder/certs/server-key.pem" \
  --bridge "$bridge" --iptables=false --ip6tables=false --ip-masq=false --log-level warn &
engine=$!
exec 9>"$folder/in-use"
while kill -0 $engine 2>/dev/null; do
  flock -x 9; flock -u 9
  sleep 8
  flock -n -x 9 && break
done
kill $engine 2>/dev/null
wait $engine
ip link del "$bridge"
rm -rf "$folder/data" "$folder/exec" "$folder/docker.sock" "$folder/port" "$folder/pid"
"#;

fn write_certificates(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(folder)?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "slipway-test-docker");
    let ca_key = KeyPair::generate()?;
    let authority = params.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(params, ca_key);
    let signed = |names: &[&str], usage| -> Result<(String, String), rcgen::Error> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
    };
    let (server, server_key) = signed(
        &["127.0.0.1", "localhost"],
        ExtendedKeyUsagePurpose::ServerAuth,
    )?;
    let (client, client_key) = signed(&[], ExtendedKeyUsagePurpose::ClientAuth)?;
    for (name, text) in [
        ("ca.pem", authority),
        ("server.pem", server),
        ("server-key.pem", server_key),
        ("cert.pem", client),
        ("key.pem", client_key),
    ] {
        OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(folder.join(name))?
            .write_all(text.as_bytes())?;
    }
    Ok(())
}
