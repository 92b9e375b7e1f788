//! Gordon (`docker ai`): a plugin that comes with Docker Desktop. Whether it is signed in and ready cannot
//! be asked, and it answers in a terminal only: what it does there is between it and the person.

use std::path::Path;

/// The plugin's file.
pub const PLUGIN: &str = "docker-ai";

/// The command that starts it with a question, for a person to run in a terminal.
pub fn command(folder: &Path, question: &str) -> String {
    let folder = folder.display().to_string();
    format!("docker ai -C {} {}", quoted(&folder), quoted(question))
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
