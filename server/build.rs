//! Puts the built web assets into release binaries; debug builds read them from the disk.
//! A site that was not built is no error: the binary then says how to build it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    let workspace = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let site = workspace.join(target).join("site");
    println!("cargo::rustc-env=SLIPWAY_SITE={}", site.display());
    let mut list = String::from("pub static SITE: &[(&str, &[u8])] = &[\n");
    if variable("PROFILE") == "release" {
        // A folder that does not exist would make cargo build again every time.
        fs::create_dir_all(&site).expect("the site folder can be made");
        println!("cargo::rerun-if-changed={}", site.display());
        add_folder(&site, "", &mut list);
    }
    list.push_str("];\npub static EXAMPLE: &[(&str, &[u8])] = &[\n");
    add_example(&workspace.join("examples/todo-chatbot"), "", &mut list);
    list.push_str("];\n");
    let out = PathBuf::from(variable("OUT_DIR")).join("embedded.rs");
    fs::write(out, list).expect("the list of web assets can be written");
}

fn variable(name: &str) -> String {
    env::var(name).expect("cargo sets it for build scripts")
}

fn add_folder(folder: &Path, prefix: &str, list: &mut String) {
    for (name, path) in entries(folder) {
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            add_folder(&path, &format!("{name}/"), list);
        } else {
            add_file(&name, &path, list);
        }
    }
}

/// The example's sources, so that the binary can unpack them where the source tree is not at hand.
fn add_example(folder: &Path, prefix: &str, list: &mut String) {
    for (name, path) in entries(folder) {
        if ["target", "node_modules", ".git"].contains(&name.as_str()) {
            continue;
        }
        // Not the example's own folder: its `target` changes without the sources changing.
        println!("cargo::rerun-if-changed={}", path.display());
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            add_example(&path, &format!("{name}/"), list);
        } else {
            add_file(&name, &path, list);
        }
    }
}

fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| {
            let entry = entry.expect("its entries can be read");
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .collect();
    entries.sort();
    entries
}

fn add_file(name: &str, path: &Path, list: &mut String) {
    writeln!(
        list,
        "    ({name:?}, include_bytes!({:?})),",
        path.display().to_string()
    )
    .expect("writing to a String cannot fail");
}
