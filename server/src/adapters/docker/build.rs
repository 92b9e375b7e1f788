//! Builds through the CLI: BuildKit where buildx is here, else the classic builder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Daemon, Format};
use crate::process::CommandSpec;

/// The first buildx that writes raw JSON.
const RAW_JSON_SINCE: (u32, u32) = (0, 13);

/// What builds here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildEngine {
    /// BuildKit through buildx of this version.
    BuildKit { buildx: String, format: Format },
    /// The daemon's own old builder: no secrets, no mounts.
    Classic { why: String },
}

impl BuildEngine {
    pub fn format(&self) -> Format {
        match self {
            Self::BuildKit { format, .. } => *format,
            Self::Classic { .. } => Format::Classic,
        }
    }

    /// In a few words, for the screen.
    pub fn label(&self) -> String {
        match self {
            Self::BuildKit { buildx, .. } => format!("BuildKit, buildx {buildx}"),
            Self::Classic { .. } => "classic builder".to_owned(),
        }
    }

    /// The same with text that every version writes.
    #[must_use]
    pub fn in_plain_text(self) -> Self {
        match self {
            Self::BuildKit { buildx, .. } => Self::BuildKit {
                buildx,
                format: Format::Plain,
            },
            classic @ Self::Classic { .. } => classic,
        }
    }
}

/// Asks for buildx; fails where the CLI has no such plugin.
pub fn buildx_version() -> CommandSpec {
    CommandSpec::new("docker")
        .args(["buildx", "version"])
        .deadline(Duration::from_secs(8))
        .grace(Duration::from_secs(1))
}

/// Which engine builds, from what [`buildx_version`] printed (none: it failed) and from the variable
/// `DOCKER_BUILDKIT` of the person who started Slipway.
pub fn engine(buildx_stdout: Option<&str>, docker_buildkit: Option<&str>) -> BuildEngine {
    if matches!(docker_buildkit, Some("0" | "false")) {
        return BuildEngine::Classic {
            why: "DOCKER_BUILDKIT=0 switches BuildKit off".to_owned(),
        };
    }
    // `github.com/docker/buildx v0.17.1 257815a` or Debian's `github.com/docker/buildx 0.13.1+ds1 …`
    let version = buildx_stdout
        .and_then(|text| text.split_whitespace().nth(1))
        .map(|word| word.trim_start_matches('v'))
        .filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    match version {
        Some(version) => BuildEngine::BuildKit {
            buildx: version.split('+').next().unwrap_or(version).to_owned(),
            format: if major_minor(version).is_some_and(|found| found >= RAW_JSON_SINCE) {
                Format::RawJson
            } else {
                Format::Plain
            },
        },
        None => BuildEngine::Classic {
            why: "the docker CLI has no buildx plugin".to_owned(),
        },
    }
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// One build.
#[derive(Clone, Debug)]
pub struct BuildCommand<'b> {
    pub daemon: &'b Daemon,
    pub engine: &'b BuildEngine,
    pub reference: &'b str,
    pub dockerfile: &'b Path,
    pub context: &'b Path,
    pub args: &'b [(String, String)],
    pub secrets: &'b [BuildSecret],
    /// `linux/arm64`, where it is not the daemon's own.
    pub platform: Option<&'b str>,
    /// Every step is done again.
    pub no_cache: bool,
    /// Where the CLI writes the image's ID.
    pub id_file: &'b Path,
    pub deadline: Duration,
}

/// A value a build may read and no layer keeps. The value itself is never part of the arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSecret {
    pub id: String,
    pub source: SecretSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A variable of Slipway's own environment, by its name.
    Env(String),
    File(PathBuf),
}

impl BuildCommand<'_> {
    pub fn spec(&self) -> CommandSpec {
        let mut spec = self.daemon.command();
        spec = match self.engine {
            BuildEngine::BuildKit { format, .. } => {
                spec = spec.args(["buildx", "build"]);
                spec = spec.arg(match format {
                    Format::RawJson => "--progress=rawjson",
                    Format::Plain | Format::Classic => "--progress=plain",
                });
                if matches!(self.daemon, Daemon::Named(_)) {
                    spec = spec.args(["--builder", "default"]);
                }
                // Builders in a container keep their result to themselves otherwise.
                spec.arg("--load")
            }
            BuildEngine::Classic { .. } => spec.env("DOCKER_BUILDKIT", "0").arg("build"),
        };
        if let Some(platform) = self.platform {
            spec = spec.args(["--platform", platform]);
        }
        if self.no_cache {
            spec = spec.arg("--no-cache");
        }
        for (name, value) in self.args {
            spec = spec.arg("--build-arg").arg(format!("{name}={value}"));
        }
        if matches!(self.engine, BuildEngine::BuildKit { .. }) {
            for secret in self.secrets {
                spec = spec.arg("--secret").arg(match &secret.source {
                    SecretSource::Env(name) => format!("id={},env={name}", secret.id),
                    SecretSource::File(path) => format!("id={},src={}", secret.id, path.display()),
                });
            }
        }
        spec.args(["--tag", self.reference, "--iidfile"])
            .arg(self.id_file)
            .arg("--file")
            .arg(self.dockerfile)
            .arg(self.context)
            .deadline(self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buildkit(version: &str, format: Format) -> BuildEngine {
        BuildEngine::BuildKit {
            buildx: version.to_owned(),
            format,
        }
    }

    #[test]
    fn the_engine_follows_from_what_is_here() {
        let cases = [
            (
                "github.com/docker/buildx v0.17.1 257815a6fb\n",
                buildkit("0.17.1", Format::RawJson),
            ),
            (
                "github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3\n",
                buildkit("0.13.1", Format::RawJson),
            ),
            (
                "github.com/docker/buildx v0.12.1 abc\n",
                buildkit("0.12.1", Format::Plain),
            ),
            (
                "github.com/docker/buildx v1.0.0 abc\n",
                buildkit("1.0.0", Format::RawJson),
            ),
            (
                "github.com/docker/buildx v0-desktop abc\n",
                buildkit("0-desktop", Format::Plain),
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(engine(Some(said), None), expected, "{said}");
            assert!(matches!(
                engine(Some(said), Some("0")),
                BuildEngine::Classic { .. }
            ));
        }
        for said in [
            None,
            Some(""),
            Some("docker: 'buildx' is not a docker command."),
        ] {
            assert!(
                matches!(engine(said, Some("1")), BuildEngine::Classic { .. }),
                "{said:?}"
            );
        }
    }

    #[test]
    fn a_build_says_where_and_never_what_is_secret() {
        let named = Daemon::at("tcp://10.0.0.1:2376");
        let secrets = [
            BuildSecret {
                id: "token".into(),
                source: SecretSource::Env("NPM_TOKEN".into()),
            },
            BuildSecret {
                id: "key".into(),
                source: SecretSource::File("/home/me/key".into()),
            },
        ];
        let command = |engine: &BuildEngine, daemon: &Daemon| {
            let spec = BuildCommand {
                daemon,
                engine,
                reference: "app:1",
                dockerfile: Path::new("Dockerfile"),
                context: Path::new("."),
                args: &[("A".into(), "b c".into())],
                secrets: &secrets,
                platform: Some("linux/arm64"),
                no_cache: true,
                id_file: Path::new("id"),
                deadline: Duration::from_secs(1),
            }
            .spec();
            spec.args
                .iter()
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        let args = command(&buildkit("0.17.1", Format::RawJson), &named);
        assert!(args.windows(2).any(|two| two == ["--builder", "default"]));
        assert!(
            args.windows(2)
                .any(|two| two == ["--platform", "linux/arm64"])
        );
        assert!(args.iter().any(|arg| arg == "--no-cache"));
        assert!(
            args.windows(2)
                .any(|two| two == ["--secret", "id=token,env=NPM_TOKEN"])
        );
        assert!(
            args.windows(2)
                .any(|two| two == ["--secret", "id=key,src=/home/me/key"])
        );
        assert!(args.windows(2).any(|two| two == ["--build-arg", "A=b c"]));
        assert!(!args.iter().any(|arg| arg.contains("--context")));
        // The user's own builder is respected.
        let own = command(&buildkit("0.17.1", Format::RawJson), &Daemon::Users);
        assert!(!own.contains(&"--builder".to_owned()));
        assert!(own.contains(&"--load".to_owned()));
        let classic = command(&engine(None, None), &named);
        assert_eq!(classic[0], "build");
        assert!(
            !classic
                .iter()
                .any(|arg| arg.contains("progress") || arg == "--secret")
        );
    }

    #[test]
    fn the_pushed_digest_is_the_last_line_s() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let output = format!(
            "The push refers to repository [r/app]\n1: Pushed\n1f2e: digest: {digest} size: 527\n"
        );
        assert_eq!(super::super::pushed_digest(&output), Some(digest));
        assert_eq!(
            super::super::pushed_digest("1: digest: sha256:short size: 1"),
            None
        );
        assert_eq!(super::super::pushed_digest("denied"), None);
    }
}
