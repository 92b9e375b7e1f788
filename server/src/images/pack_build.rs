//! The pack builder: the component's own build command, then an image out of what it left behind.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::time::Duration;

use app::model::BuiltImage;
use practice::images::{PackFile, PackSpec, pack};
use tokio_util::sync::CancellationToken;

use super::cargo_output::CargoProgress;
use super::deliver::{Lies, Made};
use super::{Inner, findings};
use crate::engine::{RunError, StageHandle, clock};
use crate::process::{self, CommandSpec, Ending, strip_escapes};
use crate::project::{ComponentSpec, PackRecipe};

/// A first build compiles everything.
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// How many of a program's last lines are kept as evidence.
pub const TAIL: usize = 25;

/// Keeps the last lines.
#[derive(Debug, Default)]
pub struct Tail(VecDeque<String>);

impl Tail {
    pub fn push(&mut self, line: &str) {
        if self.0.len() == TAIL {
            self.0.pop_front();
        }
        self.0.push_back(strip_escapes(line).into_owned());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

/// Runs the build command of the recipe.
pub async fn build(
    inner: &Inner,
    component: &ComponentSpec,
    recipe: &PackRecipe,
    stage: &StageHandle,
    cancel: &CancellationToken,
) -> Result<(), RunError> {
    let Some((program, args)) = recipe.build.split_first() else {
        stage.skip("nothing has to be built");
        return Ok(());
    };
    stage.start();
    let folder = inner.project.path(&component.context);
    stage.log(format!("$ {}", recipe.build.join(" ")));
    let mut progress = CargoProgress::of(&recipe.build, &folder, cancel).await;
    let mut spec = CommandSpec::new(program)
        .args(args)
        .cwd(&folder)
        .deadline(BUILD_DEADLINE);
    spec.env_clear = true;
    spec.env = build_environment(inner);
    spec = spec.env("CARGO_TERM_COLOR", "never");
    let mut tail = Tail::default();
    let ending = process::run(&spec, cancel, |_, line| {
        if let Some(progress) = progress.hear(line) {
            stage.progress(progress);
        }
        stage.log(line);
        tail.push(line);
    })
    .await
    .map_err(|error| findings::spawn_failed(&component.name, &error))?;
    match ending {
        Ending::Exited(0) => {
            stage.succeed("built");
            Ok(())
        }
        Ending::Cancelled { .. } => Err(RunError::Cancelled),
        ending => Err(findings::build_failed(&component.name, ending, &tail.lines()).into()),
    }
}

/// Slipway's own environment without what would send the build elsewhere and without secrets: a
/// build must not depend on who started Slipway, and needs no secret of the running app.
fn build_environment(inner: &Inner) -> Vec<(OsString, OsString)> {
    let spec = inner.project.spec();
    std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            !spec
                .secrets
                .iter()
                .any(|secret| secret.key.as_str() == name)
                && !leads_astray(&name)
        })
        .collect()
}

fn leads_astray(name: &str) -> bool {
    matches!(
        name,
        "CARGO_TARGET_DIR"
            | "CARGO_BUILD_TARGET_DIR"
            | "CARGO_BUILD_TARGET"
            | "CARGO_MANIFEST_DIR"
            | "CARGO_MANIFEST_PATH"
            | "OUT_DIR"
            | "LD_LIBRARY_PATH"
            | "MAKEFLAGS"
            | "CARGO_MAKEFLAGS"
    ) || name.starts_with("CARGO_PKG_")
        || name.starts_with("SLIPWAY_")
}

/// Makes the image out of what the build left behind.
pub async fn pack_image(
    inner: &Inner,
    component: &ComponentSpec,
    recipe: &PackRecipe,
    stage: &StageHandle,
) -> Result<Made, RunError> {
    let spec = pack_spec(inner, component, recipe);
    if !spec.binary.is_file() {
        return Err(findings::no_binary(&component.name, &recipe.binary).into());
    }
    let user = practice::images::pack::NONROOT.to_string();
    let packed = in_background(stage, move |say| pack(&spec, say))
        .await?
        .map_err(|error| findings::pack_failed(&component.name, &error))?;
    Ok(Made {
        image: BuiltImage {
            reference: format!("{}:{}", component.image, packed.tag()),
            id: packed.id(),
            size_bytes: packed.size_bytes(),
            built: clock::now(),
            user,
        },
        lies: Lies::Packed(packed),
    })
}

fn pack_spec(inner: &Inner, component: &ComponentSpec, recipe: &PackRecipe) -> PackSpec {
    PackSpec {
        binary: inner.project.path(&recipe.binary),
        files: recipe
            .files
            .iter()
            .map(|(source, dest)| PackFile {
                source: inner.project.path(source),
                dest: dest.clone(),
            })
            .collect(),
        cmd: recipe.args.clone(),
        env: recipe.env.clone(),
        exposed_ports: vec![component.port],
        labels: BTreeMap::from([(
            "org.opencontainers.image.title".to_owned(),
            component.image.clone(),
        )]),
        ..PackSpec::default()
    }
}

/// Runs blocking work off the runtime; what it says becomes log lines.
pub async fn in_background<T: Send + 'static>(
    stage: &StageHandle,
    work: impl FnOnce(&mut dyn FnMut(String)) -> T + Send + 'static,
) -> Result<T, RunError> {
    let stage = stage.clone();
    tokio::task::spawn_blocking(move || work(&mut |line| stage.log(line)))
        .await
        .map_err(|error| {
            app::model::Finding::new(
                "INTERNAL_ERROR",
                "Slipway made a mistake",
                error.to_string(),
            )
            .into()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_does_not_inherit_where_others_build() {
        assert!(leads_astray("CARGO_TARGET_DIR"));
        assert!(leads_astray("CARGO_PKG_NAME"));
        assert!(!leads_astray("PATH"));
        assert!(!leads_astray("CARGO_HOME"));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut tail = Tail::default();
        for line in 0..100 {
            tail.push(&line.to_string());
        }
        assert_eq!(tail.lines().len(), TAIL);
        assert_eq!(tail.lines()[TAIL - 1], "99");
    }
}
