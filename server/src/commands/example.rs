//! The bundled example project: from the source tree when that is here, else unpacked from the binary.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use app::model::Finding;

use crate::embedded::EXAMPLE;
use crate::project::Project;

/// The folder of the project to use: the one asked for, the current one, or the example.
pub(super) fn project_folder(asked: Option<&Path>, state: &Path) -> Result<PathBuf, Finding> {
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    if let Ok(current) = std::env::current_dir()
        && Project::is_in(&current)
    {
        return Ok(current);
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/todo-chatbot");
    if let Ok(source) = source.canonicalize()
        && Project::is_in(&source)
    {
        return Ok(source);
    }
    let folder = state.join("example");
    unpack(&folder).map_err(|error| {
        Finding::new(
            "EXAMPLE_NOT_UNPACKED",
            "The example project could not be unpacked",
            format!("{}: {error}.", folder.display()),
        )
    })?;
    Ok(folder)
}

/// Writes what is missing; a person's changes stay.
fn unpack(folder: &Path) -> io::Result<()> {
    for (name, bytes) in EXAMPLE {
        let path = folder.join(name);
        if path.exists() {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unpacked_example_is_a_project_and_keeps_changes() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        unpack(temp.path()).expect("unpacked");
        assert!(Project::is_in(temp.path()));
        assert!(EXAMPLE.iter().all(|(name, _)| !name.starts_with("target/")));
        let changed = temp.path().join("slipway.toml");
        fs::write(&changed, "changed").expect("written");
        unpack(temp.path()).expect("unpacked again");
        assert_eq!(fs::read_to_string(changed).expect("read"), "changed");
    }
}
