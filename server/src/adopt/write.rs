//! Writes what a person said yes to: each file whole or not at all, none that exists touched, no link
//! followed; when one cannot be written, those before it are taken back.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use app::model::{Finding, NewFile, NextAction};

use super::tree::normal;

/// Writes the files in this order; their paths.
pub fn write(root: &Path, files: &[NewFile]) -> Result<Vec<String>, Finding> {
    let mut done = Done::default();
    for file in files {
        if let Err(error) = place(root, file, &mut done) {
            done.take_back();
            return Err(not_written(&file.path, &error));
        }
    }
    Ok(files.iter().map(|file| file.path.clone()).collect())
}

/// What was made so far.
#[derive(Default)]
struct Done {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Done {
    fn take_back(&self) {
        for file in self.files.iter().rev() {
            let _ = fs::remove_file(file);
        }
        // Refused where somebody has put something in meanwhile, which is right.
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn place(root: &Path, file: &NewFile, done: &mut Done) -> io::Result<()> {
    let path = normal(&file.path)
        .filter(|path| !path.is_empty())
        .ok_or_else(|| io::Error::other("the path leads out of the project"))?;
    let parts: Vec<&str> = path.split('/').collect();
    let mut folder = root.to_owned();
    for part in &parts[..parts.len() - 1] {
        folder.push(part);
        match fs::symlink_metadata(&folder) {
            Ok(there) if there.is_dir() => {}
            Ok(_) => {
                return Err(io::Error::other(format!(
                    "{part} is there and is no folder"
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&folder)?;
                done.folders.push(folder.clone());
            }
            Err(error) => return Err(error),
        }
    }
    let target = root.join(&path);
    let mut temporary = tempfile::Builder::new()
        .prefix(".slipway-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(&folder)?;
    temporary.write_all(file.text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary
        .persist_noclobber(&target)
        .map_err(|error| error.error)?;
    done.files.push(target);
    Ok(())
}

fn not_written(path: &str, error: &io::Error) -> Finding {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return Finding::new(
            "ADOPT_FILE_EXISTS",
            format!("{path} is there already"),
            "It was made meanwhile, and Slipway overwrites nothing. Nothing was written.",
        )
        .next(NextAction::advice(
            "Look at the folder again: the proposal will then take the file into account",
        ));
    }
    Finding::new(
        "ADOPT_NOT_WRITTEN",
        format!("{path} could not be written"),
        format!("The system refused it: {error}. What was written before it was taken back."),
    )
    .next(NextAction::advice(
        "Check that your user may write in this folder and that the disk has room",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> NewFile {
        NewFile {
            path: path.to_owned(),
            text: "new".to_owned(),
        }
    }

    #[test]
    fn all_or_nothing_is_written_and_nothing_that_exists_is_touched() {
        let temp = tempfile::tempdir().expect("a folder");
        let root = temp.path();
        fs::write(root.join("there"), "old").expect("written");
        let refused = write(root, &[file("k8s/a/x.yaml"), file("there")]).expect_err("it exists");
        assert_eq!(refused.code, "ADOPT_FILE_EXISTS");
        assert_eq!(fs::read_to_string(root.join("there")).expect("read"), "old");
        assert_eq!(
            fs::read_dir(root).expect("listed").count(),
            1,
            "nothing is left behind"
        );
        write(root, &[file("k8s/a/x.yaml"), file("y")]).expect("written");
        let mode = root
            .join("y")
            .metadata()
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0o044);
    }

    #[test]
    fn no_link_leads_out_of_the_folder() {
        let temp = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(outside.path(), temp.path().join("k8s")).expect("linked");
        for path in ["k8s/x", "../x", "/tmp/x", "", "a/../../x"] {
            let refused = write(temp.path(), &[file(path)]).expect_err("it leads out");
            assert_eq!(refused.code, "ADOPT_NOT_WRITTEN", "{path}");
        }
        let target = temp.path().join("dangling");
        std::os::unix::fs::symlink(outside.path().join("made"), &target).expect("linked");
        assert!(write(temp.path(), &[file("dangling")]).is_err());
        assert_eq!(fs::read_dir(outside.path()).expect("listed").count(), 0);
    }
}
