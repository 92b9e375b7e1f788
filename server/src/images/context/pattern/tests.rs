use proptest::prelude::*;

use super::*;

/// Decides about a path with nothing known of its parents: each is asked in turn, as a walk does.
fn excludes(patterns: &Patterns, path: &str) -> bool {
    let mut parent: Option<Matched> = None;
    let cuts = path
        .match_indices('/')
        .map(|(at, _)| at)
        .filter(|at| *at > 0);
    for at in cuts {
        parent = Some(patterns.verdict(&path[..at], parent.as_ref()).matched);
    }
    patterns.verdict(path, parent.as_ref()).excluded
}

fn matches(patterns: &[&str], path: &str) -> bool {
    excludes(&Patterns::new(patterns).expect("valid patterns"), path)
}

#[test]
fn single_patterns_match_as_the_builder_s_do() {
    let yes = [
        ("*", "file.go"),
        ("*.go", "file.go"),
        ("**", "file"),
        ("**/", "file"),
        ("**", "dir/file"),
        ("**/**", "dir/file"),
        ("dir/**", "dir/file"),
        ("dir/**", "dir/dir2/file"),
        ("**/dir", "dir"),
        ("**/dir", "dir/file"),
        ("**/dir2/*", "dir/dir2/file"),
        ("**/dir2/**", "dir/dir2/dir3/file"),
        ("**file", "file"),
        ("**file", "dir/dir/file"),
        ("**/file", "dir/dir/file"),
        ("**/file*", "dir/dir/file.txt"),
        ("**/file*.txt*", "dir/dir/file.txt"),
        ("**/**/*.txt", "dir/dir/file.txt"),
        ("**/**/*.txt", "file.txt"),
        ("**/*.txt", "file.txt"),
        ("a**/*.txt", "a/file.txt"),
        ("a**/*.txt", "a/dir/dir/file.txt"),
        ("a/*.txt**", "a/file.txt"),
        ("a[b-d]e", "ace"),
        ("a[^b-d]e", "aze"),
        (".*", ".foo"),
        ("abc?def", "abcZdef"),
        ("**/foo/bar", "dir/dir2/foo/bar"),
        ("abc/**", "abc/def/ghi"),
        ("**/.foo", ".foo"),
        ("a(b)c/def", "a(b)c/def"),
        ("a.|)$(}+{bc", "a.|)$(}+{bc"),
        ("dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9.whl"),
        ("a\\\\", "a\\"),
        ("a\\*b", "a*b"),
        ("a*", "ab/c"),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f"),
        ("a*b?c*x", "abxbbxdbxebxczzx"),
        ("a?b", "a☺b"),
        ("a[^a]b", "a☺b"),
        ("[a-ζ]*", "α"),
        ("[\\]a]", "]"),
        ("[x\\-]", "-"),
        ("*x", "xxx"),
        ("[a&&b]", "&"),
        ("docs/", "docs/x"),
        ("/docs", "/docs"),
    ];
    for (pattern, path) in yes {
        assert!(matches(&[pattern], path), "{pattern} matches {path}");
    }
    let no = [
        ("**/**/*.txt2", "dir/dir/file.txt"),
        ("a/*.txt", "a/dir/file.txt"),
        ("a[b-d]e", "aae"),
        ("a[b-d]e", "ae"),
        (".*", "foo"),
        ("abc.def", "abcZdef"),
        ("abc?def", "abcdef"),
        ("abc/**", "abc"),
        ("**/.foo", "bar.foo"),
        ("a(b)c/def", "a(b)c/xyz"),
        ("a*/b", "a/c/b"),
        ("ab[^c]", "abc"),
        ("a???b", "a☺b"),
        ("*[a-ζ]", "A"),
        ("a?b", "a/b"),
        ("a*b", "a/b"),
        ("a\\*b", "ab"),
        ("node_modules", "web/node_modules/x"),
        (".", "a"),
        ("/", "a"),
        ("../a", "a"),
    ];
    for (pattern, path) in no {
        assert!(
            !matches(&[pattern], path),
            "{pattern} does not match {path}"
        );
    }
}

#[test]
fn the_last_pattern_that_matches_wins() {
    let cases: [(&[&str], &str, bool); 10] = [
        (&["!file.go", "*.go"], "file.go", true),
        (&["*.go", "!file.go"], "file.go", false),
        (&["docs", "!docs/README.md"], "docs/README.md", false),
        (&["docs/", "!docs/README.md"], "docs/README.md", false),
        (&["docs/*", "!docs/README.md"], "docs/README.md", false),
        (&["docs", "!docs/README.md"], "docs/other", true),
        (&["**", "!util/docker/web"], "util/docker/web/foo", false),
        (
            &["**", "!util/docker/web", "util/docker/web/foo"],
            "util/docker/web/foo",
            true,
        ),
        (&["**", "!dist/*.whl"], "dist/a+b.whl", false),
        (&["a", "!a/b", "a/b/c"], "a/b/d", false),
    ];
    for (patterns, path, excluded) in cases {
        assert_eq!(matches(patterns, path), excluded, "{patterns:?} on {path}");
    }
}

#[test]
fn what_the_builder_refuses_is_refused() {
    for pattern in [
        "!", "[", "[^", "[^bc", "a[", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "\\",
    ] {
        assert!(Patterns::new([pattern]).is_err(), "{pattern}");
    }
    assert!(Patterns::new(["", "  "]).expect("empty").is_empty());
}

#[test]
fn the_pattern_that_decided_is_named() {
    let patterns = Patterns::new(["*", "!src", "src/*.tmp"]).expect("valid");
    assert_eq!(patterns.verdict("notes", None).by, Some(0));
    let src = patterns.verdict("src", None);
    assert_eq!((src.excluded, src.by), (false, Some(1)));
    let below = patterns.verdict("src/a.tmp", Some(&src.matched));
    assert_eq!((below.excluded, below.by), (true, Some(2)));
}

/// Straight from the rules' words, without a regular expression: slow and obvious.
fn naive(pattern: &[char], path: &[char]) -> bool {
    match pattern {
        [] => path.is_empty(),
        ['*', '*', rest @ ..] => {
            let rest = rest.strip_prefix(&['/']).unwrap_or(rest);
            if rest.is_empty() {
                return true;
            }
            naive(rest, path)
                || (0..path.len()).any(|at| path[at] == '/' && naive(rest, &path[at + 1..]))
        }
        ['*', rest @ ..] => {
            let reach = path.iter().take_while(|char| **char != '/').count();
            (0..=reach).any(|skip| naive(rest, &path[skip..]))
        }
        ['?', rest @ ..] => {
            matches!(path, [char, path @ ..] if *char != '/' && naive(rest, path))
        }
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            matches!(path, [char, path @ ..] if char == literal && naive(rest, path))
        }
    }
}

fn naive_excludes(patterns: &[(bool, String)], path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let ups: Vec<String> = (1..=parts.len())
        .map(|count| parts[..count].join("/"))
        .collect();
    let mut excluded = false;
    for (negated, pattern) in patterns {
        let pattern: Vec<char> = pattern.chars().collect();
        let hit = ups
            .iter()
            .any(|path| naive(&pattern, &path.chars().collect::<Vec<_>>()));
        if hit {
            excluded = !negated;
        }
    }
    excluded
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]{1,2}",
        2 => Just("*".to_owned()),
        2 => Just("**".to_owned()),
        1 => "[ab]\\*",
        1 => "\\*[ab.]",
        1 => Just("?".to_owned()),
        1 => Just("a.b".to_owned()),
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    prop::collection::vec(segment(), 1..4).prop_map(|parts| parts.join("/"))
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab.]{1,2}", 1..5)
        .prop_map(|parts| parts.join("/"))
        .prop_filter("a clean path", |path| {
            clean_path(path) == *path && path != ".."
        })
}

proptest! {
    #[test]
    fn one_pattern_agrees_with_the_naive_reading(pattern in pattern(), path in path()) {
        let ours = Patterns::new([&pattern]).expect("valid");
        prop_assert_eq!(
            excludes(&ours, &path),
            naive_excludes(&[(false, pattern.clone())], &path),
            "{} on {}", pattern, path
        );
    }

    /// Leaves out what the builder itself does not remember: a negation that matches a parent which
    /// was not excluded is never asked about that parent, and so not known for its contents.
    #[test]
    fn exclusions_then_negations_agree_with_the_naive_reading(
        out in prop::collection::vec(pattern(), 1..4),
        back_in in prop::collection::vec(pattern(), 0..4),
        path in path(),
    ) {
        let list: Vec<(bool, String)> = out.into_iter().map(|one| (false, one))
            .chain(back_in.into_iter().map(|one| (true, one)))
            .collect();
        let forgotten = path.match_indices('/').map(|(at, _)| &path[..at]).any(|parent| {
            !naive_excludes(&list, parent) && list.iter().any(|(negated, pattern)| {
                *negated && naive_excludes(&[(false, pattern.clone())], parent)
            })
        });
        prop_assume!(!forgotten);
        let texts = list.iter().map(|(negated, text)| if *negated { format!("!{text}") } else { text.clone() });
        let ours = Patterns::new(texts).expect("valid");
        prop_assert_eq!(excludes(&ours, &path), naive_excludes(&list, &path), "{:?} on {}", list, path);
    }

    #[test]
    fn any_text_compiles_or_is_refused(text in "\\PC{0,24}", path in "\\PC{0,12}") {
        if let Ok(patterns) = Patterns::new([&text]) {
            patterns.verdict(&path, None);
        }
    }
}
