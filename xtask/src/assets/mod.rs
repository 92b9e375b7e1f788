//! The site: the browser's half, the style sheet and the static files, put together in `target/site` and
//! compressed once here instead of on every request.

mod browser_half;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::command::Step;
use crate::machine;

const CSS: &str = "style/slipway.css";

/// Builds `target/site`; quick when nothing changed.
pub fn build_site() -> Result<()> {
    machine::ensure_wasm_target()?;
    let site = machine::target_dir().join("site");
    let pkg = site.join("pkg");
    fs::create_dir_all(&pkg)?;
    browser_half::build(&pkg)?;
    copy_if_changed(Path::new(CSS), &pkg.join("slipway.css"))?;
    copy_folder(Path::new("public"), &site)?;
    compress_folder(&site)
}

/// Writes `style/slipway.css` anew; needs the npm packages.
pub fn write_css() -> Result<()> {
    tailwind(Path::new(CSS))
}

/// Fails when the committed style sheet is not what the sources give.
pub fn check_css() -> Result<()> {
    let fresh = machine::target_dir().join("slipway-check.css");
    tailwind(&fresh)?;
    ensure!(
        fs::read(&fresh)? == fs::read(CSS)?,
        "{CSS} is out of date: run `cargo xtask css` and commit it"
    );
    Ok(())
}

fn tailwind(output: &Path) -> Result<()> {
    machine::ensure_npm_packages()?;
    let output = std::path::absolute(output)?;
    // Tailwind resolves `@import "tailwindcss"` from the style sheet's folder upwards, so it is told where it is.
    Step::new("node")
        .arg("end2end/node_modules/@tailwindcss/cli/dist/index.mjs")
        .args(["--input", "style/main.css", "--minify", "--output"])
        .arg(output)
        .env("NODE_PATH", std::path::absolute("end2end/node_modules")?)
        .run("Write the style sheet")
}

fn is_newer(output: &Path, input: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    matches!((modified(output), modified(input)), (Some(output), Some(input)) if output >= input)
}

fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let content = fs::read(from).with_context(|| format!("could not read {}", from.display()))?;
    if fs::read(to).ok().as_deref() != Some(&content) {
        fs::write(to, content).with_context(|| format!("could not write {}", to.display()))?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("could not list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            copy_if_changed(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Puts `.br` and `.gz` beside every text-like file that changed since the last time.
fn compress_folder(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            compress_folder(&path)?;
        } else if matches!(
            path.extension().and_then(|e| e.to_str()),
            Some("js" | "wasm" | "css" | "svg")
        ) {
            compress(&path)?;
        }
    }
    Ok(())
}

fn compress(path: &Path) -> Result<()> {
    let beside = |suffix: &str| PathBuf::from(format!("{}.{suffix}", path.display()));
    let (brotli, gzip) = (beside("br"), beside("gz"));
    if is_newer(&brotli, path) && is_newer(&gzip, path) {
        return Ok(());
    }
    let content = fs::read(path)?;
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 11, 22);
    encoder.write_all(&content)?;
    let small = encoder.into_inner();
    if small.is_empty() {
        bail!("compressing {} gave nothing", path.display());
    }
    fs::write(brotli, &small)?;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&content)?;
    fs::write(gzip, encoder.finish()?)?;
    Ok(())
}
