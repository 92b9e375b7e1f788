//! The real helm and kubectl that the tests drive; `cargo xtask tools` puts them there.
//! Shared by the practice cluster's tests and the server's. A missing tool fails the test that needs
//! it: a suite that skips its hardest part is green for nothing.

#![allow(dead_code)] // each binary that includes this uses a part of it

use std::path::PathBuf;

/// The program of one of the tools' folders: `("helm-4", "helm")`, `("kubectl-1.35", "kubectl")`.
fn program(folder: &str, name: &str) -> PathBuf {
    let tools = std::env::var_os("SLIPWAY_TEST_TOOLS").map_or_else(
        // Cargo gives integration tests a folder right under its target folder.
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools"),
        PathBuf::from,
    );
    let path = tools.join(folder).join(name);
    assert!(
        path.is_file(),
        "{} is not there: run `cargo xtask tools`, or name a folder that has it in SLIPWAY_TEST_TOOLS",
        path.display()
    );
    path
}

/// The real helm of this major version: 3 (3.17.2) or 4 (4.1.4).
pub fn helm(major: u32) -> PathBuf {
    program(&format!("helm-{major}"), "helm")
}

/// A Python with the official A2A SDK (a2a-sdk 0.3.26).
pub fn a2a_python() -> PathBuf {
    program("a2a/bin", "python")
}

/// kubectl 1.35.2.
pub fn kubectl() -> PathBuf {
    program("kubectl-1.35", "kubectl")
}

/// kubectl 1.32.3, for what an older one does differently.
pub fn older_kubectl() -> PathBuf {
    program("kubectl-1.32", "kubectl")
}
