//! Names of variables in `.env` files. Values are never taken out of the text: a `.env` has real ones,
//! and an example may have one by mistake.

use zeroize::Zeroizing;

use super::tree::{Tree, name_of};

/// A variable's name, and the comment that stands above it in an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// The file it is in.
    pub file: String,
    pub help: String,
}

/// All names in the tree's files of this kind, examples first, each once.
pub fn variables(tree: &Tree) -> Vec<Variable> {
    let mut files: Vec<&str> = tree
        .files()
        .filter(|path| is_example(name_of(path)) || is_real(name_of(path)))
        .collect();
    files.sort_by_key(|path| (is_real(name_of(path)), path.matches('/').count()));
    let mut found: Vec<Variable> = Vec::new();
    for file in files {
        let Some(text) = tree.read(file).map(Zeroizing::new) else {
            continue;
        };
        for (name, help) in names(&text) {
            if found.iter().any(|known| known.name == name) {
                continue;
            }
            found.push(Variable {
                // A comment in a real `.env` may be a value that was put aside.
                help: if is_real(name_of(file)) {
                    String::new()
                } else {
                    help
                },
                name,
                file: file.to_owned(),
            });
        }
    }
    found
}

pub fn is_example(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_env = name.starts_with(".env") || name.starts_with("env.") || name.ends_with(".env");
    is_env
        && ["example", "sample", "template", "dist", "defaults"]
            .iter()
            .any(|word| name.contains(word))
}

/// A file with values of somebody's own.
pub fn is_real(name: &str) -> bool {
    (name == ".env" || name.starts_with(".env.")) && !is_example(name)
}

/// Names, each with the comment right above it.
fn names(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    // Inside a value of several lines, such as a private key: its lines are no names.
    let mut open_quote = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(quote) = open_quote {
            if line.contains(quote) {
                open_quote = None;
            }
            continue;
        }
        if let Some(words) = line.strip_prefix('#') {
            // A commented assignment is no explanation, and it has a value.
            match words.contains('=') {
                true => comment.clear(),
                false => comment.push(words.trim()),
            }
            continue;
        }
        let assigned = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = assigned.split_once('=') else {
            comment.clear();
            continue;
        };
        let value = value.trim_start();
        open_quote = ['"', '\'', '`']
            .into_iter()
            .find(|quote| value.starts_with(*quote) && value.matches(*quote).count() == 1);
        let name = name.trim_end();
        if is_usual(name) {
            let help: String = comment.join(" ").chars().take(200).collect();
            found.push((name.to_owned(), help.trim().to_owned()));
        }
        comment.clear();
    }
    found
}

/// As people write the names in such files; the end of a key's base64 is not that.
fn is_usual(name: &str) -> bool {
    is_name(name) && name.len() <= 64 && !name.chars().any(|c| c.is_ascii_lowercase())
}

/// Whether it can be the name of a variable.
pub fn is_name(name: &str) -> bool {
    name.parse::<app::model::SecretKey>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_their_comments_are_read_and_values_are_not() {
        let text = "# From the Neon console\nDATABASE_URL=postgres://u:hunter2@h/d\n\n#OLD=hunter3\nexport PORT = 8000\nPEM=\"-----BEGIN\nMIIEABC==\n-----END\"\nabCd==\nnot a line\n1X=2\n";
        assert_eq!(
            names(text),
            vec![
                ("DATABASE_URL".into(), "From the Neon console".into()),
                ("PORT".into(), String::new()),
                ("PEM".into(), String::new())
            ]
        );
        assert!(
            is_example(".env.example")
                && is_example("example.env")
                && is_example(".env.local.sample")
        );
        assert!(
            is_real(".env")
                && is_real(".env.local")
                && !is_real(".env.example")
                && !is_real("env.rs")
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_no_value_comes_out(text in "\\PC{0,200}", value in "[a-z]{12}") {
            let all = names(&format!("{text}\nA_KEY={value}\n"));
            prop_assert!(all.iter().all(|(name, help)| !name.contains(&value) && (text.contains(&value) || !help.contains(&value))));
        }
    }
}
