//! Ports and health paths as they stand in source code. A guess, and said to be one: the line is named.

use std::sync::LazyLock;

use app::model::Guess;
use regex::Regex;

use crate::adopt::tree::{Tree, folder_of, name_of};

/// How many files of one folder are read.
const MOST_FILES: usize = 120;

static PORT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?:listen|bind|ListenAndServe|listen_and_serve|serve)\w*\s*\(\s*[^()\n]{0,60}?\b(\d{4,5})\b"#,
        r#"|["'](?:0\.0\.0\.0|127\.0\.0\.1|localhost|\[::\])?:(\d{4,5})["']"#,
        r#"|\bPORT\b[^\n]{0,50}?\b(\d{4,5})\b"#,
        r#"|\bport\s*[=:]\s*(\d{4,5})\b"#,
    ))
    .expect("the expression is a constant")
});

static PATHS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"["'`](?:GET )?(/(?:api/)?(?:healthz?|livez|live|alive|readyz?|readiness|liveness|ping|status|up))/?["'`]"#)
        .expect("the expression is a constant")
});

/// What the sources of a folder say.
#[derive(Debug, Default)]
pub struct Said {
    pub port: Option<Guess>,
    pub live: Option<Guess>,
    pub ready: Option<Guess>,
}

/// Reads the sources with these endings, those that start a program first.
pub fn scan(tree: &Tree, folder: &str, endings: &[&str]) -> Said {
    let starts = [
        "main", "server", "app", "index", "__main__", "manage", "settings", "config",
    ];
    let mut files: Vec<&str> = tree
        .below(folder)
        .filter(|path| {
            let name = name_of(path);
            let is_test =
                name.contains("test") || name.contains("spec") || path.contains("/tests/");
            endings.iter().any(|ending| name.ends_with(ending)) && !is_test
        })
        .collect();
    files.sort_by_key(|path| {
        let stem = name_of(path).split('.').next().unwrap_or_default();
        let rank = starts.iter().position(|start| *start == stem);
        (rank.unwrap_or(starts.len()), path.matches('/').count())
    });
    let mut said = Said::default();
    for file in files.into_iter().take(MOST_FILES) {
        let Some(text) = tree.read(file) else {
            continue;
        };
        hear(file, &text, &mut said);
        // A route folder of Next.js is a path by itself.
        if let Some(path) = route_of(file)
            && is_live(&path)
        {
            let why = format!("{file} answers there");
            said.live.get_or_insert_with(|| Guess::new(path, why));
        }
        if said.port.is_some() && said.live.is_some() && said.ready.is_some() {
            break;
        }
    }
    said
}

fn hear(file: &str, text: &str, said: &mut Said) {
    for (number, line) in text.lines().enumerate().take(4_000) {
        let line: String = line.chars().take(400).collect();
        let place = format!("{file}:{}", number + 1);
        if said.port.is_none()
            && let Some(found) = PORT.captures(&line)
            && let Some(port) = found.iter().skip(1).flatten().next()
            && is_port(port.as_str())
        {
            said.port = Some(Guess::new(
                port.as_str(),
                format!("{place} seems to listen there"),
            ));
        }
        for found in PATHS.captures_iter(&line) {
            let path = &found[1];
            let slot = match is_live(path) {
                true => &mut said.live,
                false => &mut said.ready,
            };
            slot.get_or_insert_with(|| Guess::new(path, format!("{place} names this path")));
        }
    }
}

fn is_live(path: &str) -> bool {
    !path.contains("read")
}

/// Ports of databases are where a service connects to, not where it listens.
fn is_port(text: &str) -> bool {
    text.parse::<u16>()
        .is_ok_and(|port| port >= 1000 && ![5432, 6379, 3306, 27017, 5672, 9092].contains(&port))
        && !(text.len() == 4 && (text.starts_with("19") || text.starts_with("202")))
}

/// `app/api/health/route.ts` and `pages/api/health.ts`.
fn route_of(file: &str) -> Option<String> {
    let name = name_of(file);
    let folder = folder_of(file);
    if name.starts_with("route.") {
        let (_, route) = format!("/{folder}")
            .rsplit_once("/app/")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        let path = format!("/{route}");
        return PATHS.is_match(&format!("\"{path}\"")).then_some(path);
    }
    let (_, route) = file.rsplit_once("pages/api/")?;
    let path = format!("/api/{}", route.split('.').next()?);
    PATHS.is_match(&format!("\"{path}\"")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(text: &str) -> (Option<String>, Option<String>, Option<String>) {
        let mut said = Said::default();
        hear("main.x", text, &mut said);
        let value = |guess: Option<Guess>| guess.map(|guess| guess.value);
        (value(said.port), value(said.live), value(said.ready))
    }

    #[test]
    fn ports_and_paths_are_found_as_people_write_them() {
        for (text, port) in [
            ("app.listen(3000, () => {", "3000"),
            ("http.ListenAndServe(\":8081\", nil)", "8081"),
            ("const PORT = process.env.PORT || 4000", "4000"),
            ("uvicorn.run(app, host='0.0.0.0', port=8000)", "8000"),
            ("TcpListener::bind(\"0.0.0.0:7000\").await", "7000"),
        ] {
            assert_eq!(said(text).0.as_deref(), Some(port), "{text}");
        }
        assert_eq!(said("connect(\"localhost:5432\")").0, None);
        let (_, live, ready) = said("@app.get(\"/health\")\nrouter.get('/readyz', f)");
        assert_eq!(live.as_deref(), Some("/health"));
        assert_eq!(ready.as_deref(), Some("/readyz"));
        assert_eq!(
            route_of("web/app/api/health/route.ts").as_deref(),
            Some("/api/health")
        );
        assert_eq!(route_of("app/todos/route.ts"), None);
    }

    proptest! {
        #[test]
        fn no_source_makes_it_panic(text in "\\PC{0,300}") {
            said(&text);
        }
    }
}
