//! The browser's half: one WebAssembly module from cargo, taken apart at the pages' parts
//! (`app/src/pages/parts.rs`), with wasm-bindgen's glue.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;
use wasm_encoder::{Module, RawSection};
use wasm_split_cli_support::{Options, transform};
use wasmparser::{Parser, Payload};

use crate::command::cargo;
use crate::machine;

/// The script that fetches parts.
const LOADER: &str = "slipway_parts.js";

/// Builds it into `pkg`; quick when nothing changed.
pub fn build(pkg: &Path) -> Result<()> {
    cargo([
        "rustc",
        "--package",
        "app",
        "--lib",
        "--crate-type",
        "cdylib",
        "--target",
        "wasm32-unknown-unknown",
        "--no-default-features",
        "--features",
        "hydrate",
        "--profile",
        "wasm-release",
        // Taking it apart needs to know who refers to whom.
        "--",
        "-Clink-arg=--emit-relocs",
    ])
    .run("Build the browser half")?;
    let input = machine::target_dir().join("wasm32-unknown-unknown/wasm-release/app.wasm");
    let output = pkg.join("slipway.wasm");
    // A build tool that was changed may take it apart in another way.
    if super::is_newer(&output, &input) && super::is_newer(&output, &env::current_exe()?) {
        return Ok(());
    }
    let scratch = machine::target_dir().join("bindgen");
    // What an earlier build left there belongs to that one.
    for folder in [&scratch, &pkg.to_owned()] {
        if folder.is_dir() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("could not empty {}", folder.display()))?;
        }
        fs::create_dir_all(folder)?;
    }
    let whole = fs::read(&input).with_context(|| format!("could not read {}", input.display()))?;
    let parts = take_apart(&whole, &scratch)?;
    glue(&scratch)?;

    // Parts of one build do not fit another, so that they are found only under their build's name.
    let build = &hex(&Sha256::digest(&whole))[..16];
    fs::create_dir_all(pkg.join(build))?;
    let mut loader = fs::read_to_string(scratch.join(LOADER))?;
    for part in parts {
        let name = part
            .file_name()
            .context("a part has a name")?
            .to_string_lossy()
            .into_owned();
        let before = format!("\"./{name}\"");
        ensure!(loader.contains(&before), "{LOADER} does not fetch {name}");
        loader = loader.replace(&before, &format!("\"./{build}/{name}\""));
        fs::write(
            pkg.join(build).join(&name),
            without_names(&fs::read(&part)?)?,
        )?;
    }
    fs::write(pkg.join(LOADER), loader)?;
    fs::copy(scratch.join("slipway.js"), pkg.join("slipway.js"))?;
    let snippets = scratch.join("snippets");
    if snippets.is_dir() {
        super::copy_folder(&snippets, &pkg.join("snippets"))?;
    }
    // The last: it says that all of this is done.
    fs::copy(scratch.join("slipway_bg.wasm"), &output)?;
    Ok(())
}

/// Writes the main module and the parts into the folder; gives the parts.
fn take_apart(whole: &[u8], folder: &Path) -> Result<Vec<PathBuf>> {
    let main = folder.join("main.wasm");
    let link_name = format!("./{LOADER}");
    let mut options = Options::new(whole);
    options.output_dir = folder;
    options.main_out_path = &main;
    options.main_module = "./slipway.js";
    options.link_name = &link_name;
    let split = transform(options)
        .map_err(|error| anyhow!("the browser half could not be taken apart: {error:?}"))?;
    Ok(split.split_modules)
}

fn glue(folder: &Path) -> Result<()> {
    Bindgen::new()
        .input_path(folder.join("main.wasm"))
        .out_name("slipway")
        .web(true)?
        .typescript(false)
        // The parts import from the main module what the linker exported.
        .keep_lld_exports(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .context("wasm-bindgen could not make the glue")
}

/// The module without its custom sections: the names of functions are longer than the functions.
fn without_names(module: &[u8]) -> Result<Vec<u8>> {
    let mut bare = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if matches!(payload, Payload::CustomSection(_)) {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            bare.section(&RawSection {
                id,
                data: &module[range.start as usize..range.end as usize],
            });
        }
    }
    Ok(bare.finish())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
