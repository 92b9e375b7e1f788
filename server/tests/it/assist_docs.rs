//! docs/findings.md has every code there is in the sources, once, and no other.

use std::collections::BTreeSet;
use std::path::Path;

use walkdir::WalkDir;

fn is_code(text: &str) -> bool {
    text.len() > 4
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The text inside the quotes it begins with.
fn literal(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix('"')?.split('"').next()
}

/// A file's codes: given to a finding directly or as a field; where a variable is given, whatever in
/// that file looks like a code.
fn codes_of(source: &str) -> BTreeSet<String> {
    // Tests may make up codes of their own.
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut codes = BTreeSet::new();
    let mut has_variable = false;
    for (at, call) in source.match_indices("Finding::new(") {
        match literal(&source[at + call.len()..]) {
            Some(code) => drop(codes.insert(code.to_owned())),
            None => has_variable = true,
        }
    }
    for (at, field) in source.match_indices(" code: \"") {
        // Other texts may speak of a code, too.
        let code = literal(&source[at + field.len() - 1..]).filter(|text| is_code(text));
        codes.extend(code.map(str::to_owned));
    }
    if has_variable {
        codes.extend(
            source
                .split('"')
                .filter(|text| is_code(text))
                .map(str::to_owned),
        );
    }
    codes
}

fn is_test_file(path: &Path) -> bool {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .is_some_and(|stem| stem.contains("tests"))
}

#[test]
fn every_finding_is_documented_and_every_documented_finding_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut codes = BTreeSet::new();
    for entry in WalkDir::new(root.join("src")) {
        let entry = entry.expect("the sources can be walked");
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "rs") && !is_test_file(path) {
            codes.extend(codes_of(
                &std::fs::read_to_string(path).expect("a source file"),
            ));
        }
    }
    assert!(codes.len() > 50, "the sources were not read: {codes:?}");
    for code in &codes {
        assert!(is_code(code), "`{code}` is not written like a code");
    }
    let page = std::fs::read_to_string(root.join("../docs/findings.md")).expect("docs/findings.md");
    let headings: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.trim().to_owned())
        .collect();
    let documented: BTreeSet<String> = headings.iter().cloned().collect();
    assert_eq!(
        headings.len(),
        documented.len(),
        "a code is described twice"
    );
    let missing: Vec<_> = codes.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&codes).collect();
    assert!(missing.is_empty(), "not in docs/findings.md: {missing:?}");
    assert!(
        gone.is_empty(),
        "in docs/findings.md and nowhere else: {gone:?}"
    );
}

const BEGIN: &str = "<!-- The rules of the diagnosis write what follows. -->\n";
const END: &str = "<!-- Until here. -->\n";

/// `SLIPWAY_WRITE_DOCS=1 cargo nextest run -p app -p practice -p server -E 'test(assist_docs)'`
/// writes the page.
#[test]
fn the_sections_of_the_diagnosis_are_as_the_rules_have_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/findings.md");
    let page = std::fs::read_to_string(&path).expect("docs/findings.md");
    let (before, rest) = page.split_once(BEGIN).expect("where it begins");
    let (written, after) = rest.split_once(END).expect("where it ends");
    let wanted = format!("\n{}", server::assist::page(server::assist::CODES));
    if std::env::var_os("SLIPWAY_WRITE_DOCS").is_some() {
        let page = format!("{before}{BEGIN}{wanted}{END}{after}");
        std::fs::write(&path, page).expect("written");
    } else {
        assert_eq!(written, wanted, "write it with SLIPWAY_WRITE_DOCS=1");
    }
}

#[test]
fn every_documented_finding_says_why_and_what_next() {
    let page = include_str!("../../../docs/findings.md");
    for section in page.split("\n### ").skip(1) {
        let code = section.lines().next().unwrap_or_default();
        for part in ["\n- Why: ", "\n- Next: "] {
            let text = section
                .split(part)
                .nth(1)
                .and_then(|rest| rest.lines().next());
            assert!(
                text.is_some_and(|text| text.len() > 5),
                "{code} lacks {part:?}"
            );
        }
    }
}

#[test]
fn codes_are_found_in_every_way_they_are_written() {
    let source = r#"
        Finding::new(
            "ONE_CODE", "x", "y");
        Mistake { code: "TWO_CODE" };
        let code = if a { "THREE_CODE" } else { "OTHER" };
        Finding::new(code, "x", "y");
        #[cfg(test)] mod tests { fn f() { Finding::new("MADE_UP", "", ""); } }
    "#;
    let expected = ["ONE_CODE", "OTHER", "THREE_CODE", "TWO_CODE"].map(str::to_owned);
    assert_eq!(codes_of(source), BTreeSet::from(expected));
}
