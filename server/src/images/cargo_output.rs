//! How far a cargo build is, from the lines it prints.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use app::model::Progress;
use tokio_util::sync::CancellationToken;

use crate::process::{self, CommandSpec};

/// Counts crates as cargo begins with them.
#[derive(Debug)]
pub struct CargoProgress {
    total: Option<u64>,
    done: u64,
}

impl CargoProgress {
    /// Asks cargo how many crates there are, when the build command is cargo's; a guess would be
    /// worse than none, so nothing is said when it does not answer.
    pub async fn of(command: &[String], folder: &Path, cancel: &CancellationToken) -> Self {
        let total = if is_cargo(command) {
            count_crates(command, folder, cancel).await
        } else {
            None
        };
        Self { total, done: 0 }
    }

    /// What a line says about the progress; none for most lines.
    pub fn hear(&mut self, line: &str) -> Option<Progress> {
        let line = line.trim_start();
        let name = line
            .strip_prefix("Compiling ")
            .or_else(|| line.strip_prefix("Checking "));
        if let Some(name) = name {
            self.done += 1;
            let crate_name = name.split(' ').next().unwrap_or_default();
            return Some(Progress {
                done: self.done,
                // More than counted happens with several versions of one build script.
                total: self.total.map(|total| total.max(self.done)),
                note: format!("compiling {crate_name}"),
            });
        }
        line.strip_prefix("Finished ").map(|_| Progress {
            done: self.total.unwrap_or(self.done),
            total: self.total,
            note: "compiled".to_owned(),
        })
    }
}

fn is_cargo(command: &[String]) -> bool {
    command
        .first()
        .and_then(|program| Path::new(program).file_name())
        .is_some_and(|name| name == "cargo")
}

async fn count_crates(
    command: &[String],
    folder: &Path,
    cancel: &CancellationToken,
) -> Option<u64> {
    let spec = CommandSpec::new(command.first()?)
        .args([
            "tree",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--locked",
            "--offline",
        ])
        .cwd(folder)
        .deadline(Duration::from_secs(15))
        .grace(Duration::from_secs(1));
    let captured = process::capture(&spec, cancel).await.ok()?;
    if !captured.ending.is_success() {
        return None;
    }
    let crates: BTreeSet<&str> = captured
        .stdout
        .lines()
        .map(|line| line.trim_end_matches(" (*)").trim())
        .filter(|line| !line.is_empty())
        .collect();
    u64::try_from(crates.len()).ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_counted_and_the_end_is_whole() {
        // cargo 1.95
        let mut progress = CargoProgress {
            total: Some(3),
            done: 0,
        };
        let first = progress
            .hear("   Compiling serde v1.0.228")
            .expect("counted");
        assert_eq!((first.done, first.total), (1, Some(3)));
        assert_eq!(first.note, "compiling serde");
        assert_eq!(progress.hear("warning: unused variable"), None);
        let last = progress
            .hear("    Finished `release` profile [optimized] target(s) in 2.00s")
            .expect("the end");
        assert_eq!((last.done, last.total), (3, Some(3)));
    }

    #[test]
    fn only_cargo_is_asked() {
        assert!(is_cargo(&["/usr/bin/cargo".into(), "build".into()]));
        assert!(!is_cargo(&["make".into()]));
        assert!(!is_cargo(&[]));
    }
}
