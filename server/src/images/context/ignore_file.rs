//! Reads a `.dockerignore`: which lines are patterns, and what they look like once cleaned.
//! The rules are those of moby/patternmatcher v0.6.1, `ignorefile/ignorefile.go`.

use std::io;
use std::path::{Path, PathBuf};

use super::Reader;

/// The name of the file at the context's root.
pub const DOCKERIGNORE: &str = ".dockerignore";

/// One line that is a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreLine {
    /// Counted from 1.
    pub number: u32,
    /// Cleaned; a negation still begins with `!`.
    pub pattern: String,
}

/// An ignore file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreFile {
    pub path: PathBuf,
    pub lines: Vec<IgnoreLine>,
}

/// Finds and reads the file this reader would use; none when there is none.
///
/// BuildKit prefers `<Dockerfile>.dockerignore` beside the Dockerfile; the classic builder knows
/// only the one at the context's root.
pub fn find(
    root: &Path,
    dockerfile: Option<&Path>,
    reader: Reader,
) -> io::Result<Option<IgnoreFile>> {
    if let (Reader::BuildKit, Some(dockerfile)) = (reader, dockerfile) {
        let mut own = dockerfile.as_os_str().to_owned();
        own.push(DOCKERIGNORE);
        if let Some(found) = read(PathBuf::from(own))? {
            return Ok(Some(found));
        }
    }
    read(root.join(DOCKERIGNORE))
}

fn read(path: PathBuf) -> io::Result<Option<IgnoreFile>> {
    match std::fs::read(&path) {
        Ok(bytes) => {
            let lines = parse(&String::from_utf8_lossy(&bytes));
            Ok(Some(IgnoreFile { path, lines }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The patterns of a file's text. A `#` makes a comment only as the very first character.
pub fn parse(text: &str) -> Vec<IgnoreLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n')
        .zip(1..)
        .filter_map(|(line, number)| {
            if line.starts_with('#') {
                return None;
            }
            let line = line.trim();
            if line.is_empty() {
                return None;
            }
            let pattern = match line.strip_prefix('!') {
                Some(rest) => format!("!{}", cleaned(rest.trim())),
                None => cleaned(line),
            };
            Some(IgnoreLine { number, pattern })
        })
        .collect()
}

fn cleaned(pattern: &str) -> String {
    if pattern.is_empty() {
        return String::new();
    }
    let clean = clean_path(pattern);
    match clean.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => clean,
    }
}

/// The shortest path that means the same, by words alone: Go's `path.Clean`.
pub fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &str) -> Vec<String> {
        parse(text).into_iter().map(|line| line.pattern).collect()
    }

    #[test]
    fn lines_become_clean_patterns() {
        let text = "\u{feff}one\r\n/two\n  /a//b/./c/  \n\n# no pattern\n #not a comment\n! /in/again/\n!\n! \n/\ndocs/../src\n../up\n";
        assert_eq!(
            patterns(text),
            [
                "one",
                "two",
                "a/b/c",
                "#not a comment",
                "!in/again",
                "!",
                "!",
                "/",
                "src",
                "../up"
            ]
        );
        assert_eq!(parse("# c\n\nx")[0].number, 3);
    }

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        let cases = [
            ("", "."),
            ("abc", "abc"),
            ("abc/def", "abc/def"),
            ("abc//def//ghi", "abc/def/ghi"),
            ("//abc", "/abc"),
            ("abc/", "abc"),
            ("abc/./def", "abc/def"),
            ("/./abc/def", "/abc/def"),
            ("abc/def/..", "abc"),
            ("abc/def/../..", "."),
            ("/abc/def/../..", "/"),
            ("abc/def/../../..", ".."),
            ("/abc/def/../../..", "/"),
            ("abc/../../././../def", "../../def"),
            ("..", ".."),
            ("/../a", "/a"),
        ];
        for (path, clean) in cases {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }

    #[test]
    fn buildkit_prefers_the_dockerfile_s_own_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let dockerfile = root.join("web.Dockerfile");
        let name = |reader| {
            find(root, Some(&dockerfile), reader)
                .expect("readable")
                .map(|file| file.path)
        };
        assert_eq!(name(Reader::BuildKit), None);
        std::fs::write(root.join(DOCKERIGNORE), "a").expect("written");
        assert_eq!(name(Reader::BuildKit), Some(root.join(DOCKERIGNORE)));
        let own = root.join("web.Dockerfile.dockerignore");
        std::fs::write(&own, "b").expect("written");
        assert_eq!(name(Reader::BuildKit), Some(own));
        assert_eq!(name(Reader::Classic), Some(root.join(DOCKERIGNORE)));
    }
}
