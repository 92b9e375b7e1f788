//! Adds to a `slipway.toml` what a person said yes to. What is in it stays as it is, comments and all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use app::model::{Finding, NextAction, SecretKind};

use super::{FILE, Project, SecretSpec, try_text};

impl Project {
    /// Names a secret in the file, and reads it again. Written only if the file is good with it.
    pub fn declare(&self, secret: &SecretSpec) -> Result<(), Finding> {
        let path = self.root.join(FILE);
        let before = fs::read_to_string(&path).map_err(|error| not_added(&error))?;
        let gap = if before.ends_with('\n') { "" } else { "\n" };
        let text = format!("{before}{gap}\n{}", section(secret));
        try_text(&self.root, &text, &[])?;
        replace(&path, &text).map_err(|error| not_added(&error))?;
        self.reload().map(drop)
    }
}

/// The secret as a table of `[[secret]]`; what is the default is left out.
fn section(secret: &SecretSpec) -> String {
    let mut lines = vec![
        "[[secret]]".to_owned(),
        format!("key = {}", quoted(secret.key.as_str())),
    ];
    if let Some(kind) = kind(&secret.kind) {
        lines.push(format!("kind = {}", quoted(kind)));
    }
    if secret.optional {
        lines.push("optional = true".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

fn kind(kind: &SecretKind) -> Option<&'static str> {
    match kind {
        SecretKind::PostgresUrl => Some("postgres-url"),
        SecretKind::Url => Some("url"),
        SecretKind::ApiKey { .. } => Some("api-key"),
        SecretKind::Random { .. } => Some("random"),
        SecretKind::Text => None,
        SecretKind::MultiLine => Some("multi-line"),
        SecretKind::File => Some("file"),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Whole or not at all, with the permissions it had, and through a link rather than over it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(".slipway-")
        .permissions(fs::metadata(&path)?.permissions())
        .tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

fn not_added(error: &io::Error) -> Finding {
    Finding::new(
        "PROJECT_NOT_WRITTEN",
        "slipway.toml was not changed",
        format!("The system refused: {error}."),
    )
    .next(NextAction::advice(
        "Make the file and its folder writable, or add the [[secret]] by hand",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# ours\n[project]\nname = \"t\" # short\n[[component]]\nname = \"app\"\nport = 80\ndockerfile = \"Dockerfile\"";

    fn secret(key: &str, kind: SecretKind, optional: bool) -> SecretSpec {
        SecretSpec {
            key: key.parse().expect("a key"),
            label: "shown".to_owned(),
            help: "guessed".to_owned(),
            kind,
            optional,
            components: Vec::new(),
            rehearsal: None,
            test_url: None,
        }
    }

    fn project() -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("app")).expect("created");
        fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").expect("written");
        fs::write(folder.path().join(FILE), BEFORE).expect("written");
        let project = Project::load(folder.path()).expect("a project");
        (folder, project)
    }

    #[test]
    fn what_was_there_stays_and_the_secret_is_known_at_once() {
        let (folder, project) = project();
        let random = SecretKind::Random { min_length: 32 };
        project
            .declare(&secret("JWT_SECRET", random.clone(), true))
            .expect("written");
        project
            .declare(&secret("PLAIN", SecretKind::Text, false))
            .expect("written");
        let text = fs::read_to_string(folder.path().join(FILE)).expect("read");
        assert_eq!(
            text,
            format!(
                "{BEFORE}\n\n[[secret]]\nkey = \"JWT_SECRET\"\nkind = \"random\"\noptional = true\n\n[[secret]]\nkey = \"PLAIN\"\n"
            )
        );
        let spec = project.spec();
        assert_eq!(spec.secrets.len(), 2);
        assert_eq!(spec.secrets[0].kind, random);
    }

    #[test]
    fn a_file_that_would_be_wrong_with_it_is_not_touched() {
        let (folder, project) = project();
        let twice = secret("A", SecretKind::Text, false);
        project.declare(&twice).expect("written");
        let before = fs::read_to_string(folder.path().join(FILE)).expect("read");
        project.declare(&twice).expect_err("named already");
        let after = fs::read_to_string(folder.path().join(FILE)).expect("read");
        assert_eq!(before, after);
    }

    #[test]
    fn a_link_leads_to_the_file_that_is_changed() {
        let (folder, project) = project();
        let real = folder.path().join("real.toml");
        fs::rename(folder.path().join(FILE), &real).expect("moved");
        std::os::unix::fs::symlink(&real, folder.path().join(FILE)).expect("linked");
        project
            .declare(&secret("A", SecretKind::Text, false))
            .expect("written");
        let link = fs::symlink_metadata(folder.path().join(FILE)).expect("there");
        assert!(link.is_symlink());
        assert!(fs::read_to_string(&real).expect("read").contains("\"A\""));
    }
}
