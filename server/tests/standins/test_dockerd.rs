//! The tests' Docker Engine for whoever is no Rust test. Prints one line of JSON when it is ready and
//! keeps it until its own input is closed. Exits with 3, and the reason on stderr, where there cannot
//! be an engine.

#[path = "../it/dockerd.rs"]
mod dockerd;

use std::io::{self, Read as _, Write as _};
use std::process::exit;

use serde_json::json;

fn main() {
    let Some(engine) = dockerd::Dockerd::shared() else {
        exit(3);
    };
    let Some(with_buildx) = engine.config_with_buildx() else {
        exit(3);
    };
    let said = json!({
        "host": engine.host(),
        "tlsHost": engine.tls_host(),
        "certPath": engine.cert_path(),
        "configWithBuildx": with_buildx,
        "configWithoutBuildx": engine.config_without_buildx(),
        // Also proves that it answers.
        "version": engine.docker(&["version", "--format", "{{.Server.Version}}"]).trim(),
    });
    println!("{said}");
    io::stdout().flush().expect("someone reads it");
    let _ = io::stdin().read_to_end(&mut Vec::new());
}
