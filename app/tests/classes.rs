//! Every class written in the Rust sources has a rule in the committed style sheet: neither the
//! `view!` nor the `classes!` macro notices a typo.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[test]
fn every_class_used_has_a_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let css = std::fs::read_to_string(root.join("../style/slipway.css")).expect("the style sheet");
    let rules = classes_with_rules(&css);
    let mut used: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in rust_files(&root.join("src")) {
        let source = std::fs::read_to_string(&file).expect("a source file");
        for class in classes_used(&source) {
            used.entry(class).or_insert_with(|| file.clone());
        }
    }
    assert!(used.len() > 100, "only {} classes were found", used.len());
    let missing: Vec<_> = used
        .iter()
        .filter(|(class, _)| !rules.contains(*class))
        .collect();
    assert!(missing.is_empty(), "no rule for {missing:#?}");
}

#[test]
fn the_scanner_sees_every_way_to_name_a_class() {
    let source = r#"
        view! { <p class="a b" class:c=move || true></p> <A attr:class="d" /> }
        classes! { base: "e", variant: "f-g" }
        let x = format!("h {}", tone.class()); class=format!("i {}", x)
        Self::Ok => "tone-ok",
    "#;
    let found = classes_used(source);
    for class in ["a", "b", "c", "d", "e", "f-g", "i", "tone-ok"] {
        assert!(found.contains(class), "{class} in {found:?}");
    }
    assert_eq!(
        classes_with_rules(".x{color:red}.md\\:y-1\\.5:hover,.z>p{margin:.5rem}"),
        ["x", "md:y-1.5", "z"].map(String::from).into()
    );
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Reads `class="…"`, `class=…format!("…`, `class:…=`, the strings in `classes!` and the tones.
fn classes_used(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |text: &str| {
        found.extend(
            text.split_whitespace()
                .filter(|word| !word.contains(['{', '}']))
                .map(str::to_owned),
        );
    };
    for (at, _) in source.match_indices("class=") {
        let value = &source[at + "class=".len()..];
        let line = value.lines().next().unwrap_or_default();
        if let Some(text) = value.strip_prefix('"') {
            add(text.split('"').next().unwrap_or_default());
        } else if let Some((_, text)) = line.split_once("format!(\"") {
            add(text.split('"').next().unwrap_or_default());
        }
    }
    for (at, _) in source.match_indices("class:") {
        let name = &source[at + "class:".len()..];
        if let Some((name, _)) = name.split_once('=')
            && name.chars().all(|c| c.is_alphanumeric() || c == '-')
        {
            add(name);
        }
    }
    for (at, _) in source.match_indices("classes! {") {
        let body = source[at..].split('}').next().unwrap_or_default();
        for text in body.split('"').skip(1).step_by(2) {
            add(text);
        }
    }
    for text in source.split('"').filter(|text| text.starts_with("tone-")) {
        add(text);
    }
    found
}

/// The class names of all selectors, unescaped.
fn classes_with_rules(css: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = css;
    while let Some(at) = rest.find('.') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '\\')) {
            continue;
        }
        let mut name = String::new();
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => name.extend(chars.next()),
                c if c.is_alphanumeric() || matches!(c, '-' | '_') => name.push(c),
                _ => break,
            }
        }
        found.insert(name);
    }
    found
}
