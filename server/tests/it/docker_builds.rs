//! Builds by the real docker CLI in a real Docker Engine, with BuildKit and without.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use app::model::{BuildStepState, UnixMillis};
use server::adapters::docker::{self, BuildCommand, BuildEngine, Daemon, ProgressReader};
use server::process;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::dockerd::Dockerd;

/// A folder with a program that needs nothing else, so that images can be made from scratch.
pub fn context(dockerfile: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("program.c");
    fs::write(&source, include_str!("../standins/program.c")).expect("written");
    let compiled = Command::new("cc")
        .args(["-static", "-Os", "-o"])
        .arg(folder.path().join("program"))
        .arg(&source)
        .status()
        .expect("a C compiler runs");
    assert!(compiled.success());
    fs::remove_file(&source).expect("removed");
    fs::write(folder.path().join("Dockerfile"), dockerfile).expect("written");
    folder
}

const DOCKERFILE: &str = r#"FROM scratch AS base
COPY program /program
RUN ["/program", "say", "héllo"]
FROM base
USER 65532
EXPOSE 8000
ENTRYPOINT ["/program"]
"#;

/// One build of this folder; what it made of the steps, and the image's ID.
async fn build(
    engine: &Dockerd,
    builder: &BuildEngine,
    config: &Path,
    folder: &Path,
    reference: &str,
) -> (process::Ending, ProgressReader, Vec<String>, String) {
    let daemon = Daemon::Named(vec![
        ("DOCKER_HOST".to_owned(), engine.tls_host()),
        ("DOCKER_TLS_VERIFY".to_owned(), "1".to_owned()),
        (
            "DOCKER_CERT_PATH".to_owned(),
            engine.cert_path().display().to_string(),
        ),
        ("DOCKER_CONFIG".to_owned(), config.display().to_string()),
    ]);
    let id_file = folder.join(".iid");
    let spec = BuildCommand {
        daemon: &daemon,
        engine: builder,
        reference,
        dockerfile: &folder.join("Dockerfile"),
        context: folder,
        args: &[],
        secrets: &[],
        platform: None,
        no_cache: false,
        id_file: &id_file,
        deadline: Duration::from_secs(120),
    }
    .spec();
    let mut reader = ProgressReader::new(builder.format());
    let mut said = Vec::new();
    let ending = process::stream(&spec, &CancellationToken::new(), |pipe, bytes| {
        reader.push(pipe, bytes, UnixMillis(0), |line| {
            said.push(line.to_owned())
        });
    })
    .await
    .expect("docker starts");
    reader.finish(UnixMillis(0), |line| said.push(line.to_owned()));
    let id = fs::read_to_string(&id_file).unwrap_or_default();
    (ending, reader, said, id)
}

async fn both_ways(engine: &Dockerd, mut each: impl AsyncFnMut(&BuildEngine, &Path)) {
    if let Some(config) = engine.config_with_buildx() {
        let buildkit = docker::engine(Some("github.com/docker/buildx v0.13.1 x"), None);
        each(&buildkit, &config).await;
        each(&buildkit.in_plain_text(), &config).await;
    }
    let config = engine.config_without_buildx();
    each(&docker::engine(None, None), &config).await;
}

#[tokio::test]
async fn an_image_is_built_over_tls_by_every_engine() {
    let Some(engine) = Dockerd::shared() else {
        return;
    };
    let folder = context(DOCKERFILE);
    both_ways(&engine, async |builder, config| {
        let reference = format!("slipway-test-tls-{:?}:1", builder.format()).to_lowercase();
        let (ending, mut reader, said, id) =
            build(&engine, builder, config, folder.path(), &reference).await;
        assert!(ending.is_success(), "{builder:?}: {said:#?}");
        let inspected = docker::parse_inspect(&engine.docker(&[
            "image",
            "inspect",
            "--format",
            "{{json .}}",
            &reference,
        ]))
        .expect("an image");
        assert_eq!(inspected.id, id, "{builder:?}");
        assert_eq!(inspected.user, "65532");
        let steps = reader.steps().all();
        assert!(
            steps
                .iter()
                .any(|step| step.name == "COPY program /program")
        );
        assert!(
            steps.iter().all(|step| matches!(
                step.state,
                BuildStepState::Done { .. } | BuildStepState::Cached
            )),
            "{builder:?}: {steps:#?}"
        );
        // A second time nothing has to be done.
        let (_, mut reader, _, again) =
            build(&engine, builder, config, folder.path(), &reference).await;
        assert_eq!(again, id);
        let copy = reader
            .steps()
            .all()
            .iter()
            .find(|step| step.name == "COPY program /program")
            .expect("the step")
            .state
            .clone();
        assert_eq!(copy, BuildStepState::Cached, "{builder:?}");
    })
    .await;
}
