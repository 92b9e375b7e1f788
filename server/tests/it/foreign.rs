//! Another cluster than our own to run a suite on, named by `SLIPWAY_TEST_KUBECONFIG` and
//! `SLIPWAY_TEST_CONTEXT`: a namespace there that goes however the test ends.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::real_tools;

const IMAGE: &str = "registry.k8s.io/pause:3.10";

/// A namespace on that cluster; dropping it removes it, also when a test fails.
#[derive(Debug)]
pub struct Foreign {
    pub kubeconfig: PathBuf,
    pub context: String,
    pub namespace: String,
}

impl Foreign {
    /// The cluster that the environment names; none: the practice cluster.
    pub fn named() -> Option<Self> {
        let kubeconfig = std::env::var_os("SLIPWAY_TEST_KUBECONFIG")?.into();
        let context = std::env::var("SLIPWAY_TEST_CONTEXT").expect("SLIPWAY_TEST_CONTEXT");
        Some(Self {
            kubeconfig,
            context,
            namespace: format!("slipway-test-{:08x}", rand::random::<u32>()),
        })
    }

    /// An image that is on its nodes and runs without arguments and without end.
    pub fn image() -> String {
        std::env::var("SLIPWAY_TEST_IMAGE").unwrap_or_else(|_| IMAGE.to_owned())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // A test that failed has no runtime to rely on any more.
        let removed = Command::new(real_tools::kubectl())
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--context", &self.context, "delete", "namespace"])
            .args([&self.namespace, "--ignore-not-found", "--wait=false"])
            .args(["--request-timeout=20s"])
            .stdin(Stdio::null())
            .output();
        if !removed.as_ref().is_ok_and(|said| said.status.success()) {
            eprintln!("{} may be left behind: {removed:?}", self.namespace);
        }
    }
}
