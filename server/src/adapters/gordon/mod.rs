//! Gordon (`docker ai`): a plugin that comes with Docker Desktop. Whether it is signed in and ready cannot
//! be asked, and it answers in a terminal only: what it does there is between it and the person.

use std::path::{Path, PathBuf};

use crate::process::CommandSpec;

/// The plugin's file.
pub const PLUGIN: &str = "docker-ai";

/// The command that starts it with a question, for a person to run in a terminal.
pub fn command(folder: &Path, question: &str) -> String {
    let folder = folder.display().to_string();
    format!("docker ai -C {} {}", quoted(&folder), quoted(question))
}

/// The same, to be run in a terminal of ours: a question is never taken for a flag.
pub fn program(docker: PathBuf, folder: &Path, question: &str) -> CommandSpec {
    let question = match question.starts_with('-') {
        true => format!(" {question}"),
        false => question.to_owned(),
    };
    CommandSpec::new(docker)
        .args(["ai", "-C"])
        .arg(folder)
        .arg(question)
        .cwd(folder)
        .env("TERM", "xterm-256color")
}

/// One word for every POSIX shell, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_stays_one_word_whatever_is_in_it() {
        let command = command(
            Path::new("/my project"),
            "why isn't $(reboot) \"ready\"; ls?",
        );
        assert_eq!(
            command,
            r#"docker ai -C '/my project' 'why isn'\''t $(reboot) "ready"; ls?'"#
        );
        let shell = command.replacen("docker ai", "printf '%s|'", 1);
        let said = std::process::Command::new("sh")
            .args(["-c", &shell])
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert_eq!(said, "-C|/my project|why isn't $(reboot) \"ready\"; ls?|");
    }
}
