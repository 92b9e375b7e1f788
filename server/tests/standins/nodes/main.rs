//! Stands in for `kind` v0.30, `k3d` v5.8 and the part of `docker` that reaches into their nodes. Which
//! one it is follows from the name it is called by. For tests only.
//!
//! The folder `STANDIN_NODES` is the state: `images.json` is what `crictl images --output json` shows in
//! every node, `calls.log` has every call, and `scenario.json` may have
//!
//! ```json
//! {"load": "silently-not", "daemon_arch": "arm64"}
//! ```
//!
//! - `load`: `ok`, `silently-not` (exit 0 and nothing is there, as k3d does when a node is unhappy) or
//!   `fail` (no such cluster: exit 1).
//! - `daemon_arch`: what `docker version` says the daemon runs on.
//!
//! Everything else that `docker` is asked goes to the real one, `STANDIN_DOCKER`.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use serde_json::{Value, json};

fn main() {
    let mut words = std::env::args();
    let called = words.next().unwrap_or_default();
    let program = Path::new(&called)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let words: Vec<String> = words.collect();
    let nodes = Nodes::find();
    nodes.log(&format!("{program} {}", words.join(" ")));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let code = match (program.as_str(), &words[..]) {
        ("kind", ["load", "image-archive", archive, "--name", name]) => nodes.kind(archive, name),
        ("k3d", ["image", "import", archive, "--cluster", name]) => nodes.k3d(archive, name),
        ("docker", ["exec", _node, "crictl", "images", "--output", "json"]) => {
            println!("{}", nodes.images());
            0
        }
        ("docker", ["version", ..]) if nodes.scenario("daemon_arch").is_some() => nodes.version(),
        ("docker", _) => {
            let real = std::env::var_os("STANDIN_DOCKER").expect("the real docker is named");
            let error = Command::new(real).args(&words).exec();
            eprintln!("docker: {error}");
            127
        }
        _ => {
            eprintln!("ERROR: unknown command {words:?} for {program:?}");
            1
        }
    };
    exit(code);
}

struct Nodes(PathBuf);

impl Nodes {
    fn find() -> Self {
        Self(std::env::var_os("STANDIN_NODES").map_or_else(|| "/nowhere".into(), PathBuf::from))
    }

    fn log(&self, line: &str) {
        let file = File::options()
            .append(true)
            .create(true)
            .open(self.0.join("calls.log"));
        if let Ok(mut file) = file {
            // One write: several of us may append at once.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }

    fn scenario(&self, key: &str) -> Option<String> {
        let text = fs::read_to_string(self.0.join("scenario.json")).ok()?;
        let scenario: Value = serde_json::from_str(&text).expect("JSON");
        Some(scenario.get(key)?.as_str()?.to_owned())
    }

    /// As crictl 1.32 prints them.
    fn images(&self) -> Value {
        let text = fs::read_to_string(self.0.join("images.json")).ok();
        text.and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| {
                json!({"images": [{"id": format!("sha256:{}", "c".repeat(64)),
                    "repoTags": ["registry.k8s.io/pause:3.10"], "repoDigests": [], "size": "320368",
                    "uid": null, "username": "", "spec": null, "pinned": true}]})
            })
    }

    fn kind(&self, archive: &str, name: &str) -> i32 {
        if self.scenario("load").as_deref() == Some("fail") {
            eprintln!("ERROR: no nodes found for cluster \"{name}\"");
            return 1;
        }
        // Says nothing when all is well.
        self.load(archive);
        0
    }

    fn k3d(&self, archive: &str, name: &str) -> i32 {
        println!("INFO[0000] Importing image(s) into cluster '{name}'");
        if self.scenario("load").as_deref() == Some("fail") {
            println!("FATA[0000] Failed to get cluster {name}: No nodes found for given cluster");
            return 1;
        }
        if self.scenario("load").as_deref() == Some("silently-not") {
            println!("ERRO[0001] failed to import images in node 'k3d-{name}-server-0'");
        }
        self.load(archive);
        println!("INFO[0003] Successfully imported image(s)");
        println!("INFO[0003] Successfully imported 1 image(s) into 1 cluster(s)");
        0
    }

    /// What containerd does with an archive of `docker save`: the image is its config.
    fn load(&self, archive: &str) {
        if self.scenario("load").as_deref() == Some("silently-not") {
            return;
        }
        let manifest = manifest(Path::new(archive)).expect("an archive with a manifest");
        let mut images = self.images();
        let list = images["images"].as_array_mut().expect("a list");
        for image in manifest.as_array().expect("a list") {
            let config = image["Config"].as_str().expect("a config");
            let hex = config
                .rsplit('/')
                .next()
                .unwrap_or(config)
                .trim_end_matches(".json");
            let names = image["RepoTags"].as_array().cloned().unwrap_or_default();
            let names: Vec<String> = names
                .iter()
                .filter_map(Value::as_str)
                .map(practice::images::normalize)
                .collect();
            list.push(
                json!({"id": format!("sha256:{hex}"), "repoTags": names, "repoDigests": [],
                "size": "763000", "uid": {"value": "65532"}, "username": "", "spec": null,
                "pinned": false}),
            );
        }
        fs::write(self.0.join("images.json"), images.to_string()).expect("written");
    }

    fn version(&self) -> i32 {
        let arch = self.scenario("daemon_arch");
        println!(
            "{}",
            json!({"Client": {"Version": "28.2.2", "Arch": "amd64"},
                "Server": {"Version": "28.2.2", "ApiVersion": "1.50", "Os": "linux", "Arch": arch}})
        );
        0
    }
}

fn manifest(archive: &Path) -> Option<Value> {
    let mut archive = tar::Archive::new(File::open(archive).ok()?);
    let mut entry = archive.entries().ok()?.flatten().find(|entry| {
        entry
            .path()
            .is_ok_and(|path| path == Path::new("manifest.json"))
    })?;
    let mut text = String::new();
    entry.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
