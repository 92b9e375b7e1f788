//! Image reports to look at: one with much to say, one with nothing to mend, one before a build.

use std::collections::BTreeMap;

use app::model::*;

use super::fixtures::NOW;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn name(text: &str) -> ComponentName {
    text.parse().expect("fixtures have valid names")
}

fn layer(made_by: &str, size_bytes: u64, from_base: bool) -> LayerFact {
    LayerFact {
        made_by: made_by.into(),
        size_bytes,
        from_base,
    }
}

fn check(id: &str, title: &str, verdict: ImageVerdict) -> ImageCheck {
    ImageCheck {
        id: id.into(),
        title: title.into(),
        verdict,
    }
}

fn good(note: &str) -> ImageVerdict {
    ImageVerdict::Good { note: note.into() }
}

fn note(note: &str) -> ImageVerdict {
    ImageVerdict::Note { note: note.into() }
}

fn found(code: &str, what: &str, why: &str, advice: &str) -> Finding {
    Finding::new(code, what, why)
        .attention()
        .next(NextAction::advice(advice))
}

fn sources(since_build: SinceBuild) -> SourcesView {
    let file = |path: &str, bytes| ContextFile {
        path: path.into(),
        bytes,
    };
    let left_out = |path: &str, line| ExcludedPath {
        path: path.into(),
        line: Some(line),
    };
    SourcesView::Read(Box::new(ContextPreview {
        folder: "backend".into(),
        ignore_file: Some("backend/.dockerignore".into()),
        files: 24,
        bytes: 184_300,
        biggest: vec![
            file("Cargo.lock", 92_100),
            file("src/assistant/conversation.rs", 18_400),
            file("src/main.rs", 9_200),
        ],
        excluded: vec![
            left_out("Dockerfile", 2),
            left_out("target/", 2),
            left_out("tests/", 2),
        ],
        excluded_count: 11,
        tag: "3f9a0c12be77".into(),
        since_build,
    }))
}

fn hint(
    severity: HintSeverity,
    line: u32,
    code: &str,
    number: Option<&str>,
    texts: [&str; 4],
    patch: Vec<PatchLine>,
) -> DockerfileHint {
    let [excerpt, what, why, fix] = texts.map(str::to_owned);
    DockerfileHint {
        code: code.into(),
        hadolint: number.map(str::to_owned),
        severity,
        line,
        excerpt,
        what,
        why,
        fix,
        patch,
    }
}

/// Much to say.
pub fn busy() -> ImageReport {
    let mut size = found(
        "IMAGE_OVER_BUDGET",
        "The image of frontend is larger than planned",
        "It has 231 MB, and slipway.toml allows 200 MB.",
        "Leave out what the program does not need, or raise size_budget in slipway.toml",
    );
    size = size.evidence(
        "The biggest layers",
        "117 MB  base image: RUN /bin/sh -c apt-get update && apt-get install\n84.0 MB  RUN npm install\n22.0 MB  COPY . .",
    );
    let mut secret = found(
        "IMAGE_SECRET_INSIDE",
        "The image of frontend holds what looks like a secret",
        "Everyone who gets the image can read it, and taking it out of a later layer does not take it out of the image.",
        "Change the secret, take it out of the Dockerfile, and give it to the pod as a [[secret]] of slipway.toml",
    );
    secret.severity = Severity::Failed;
    ImageReport {
        component: name("frontend"),
        sources: sources(SinceBuild::Changed {
            count: 9,
            first: [
                "src/pages/index.tsx",
                "package.json",
                "Dockerfile",
                "notes.md (new)",
                "old.css (gone)",
                "public/logo.svg",
            ]
            .map(str::to_owned)
            .to_vec(),
        }),
        image: Some(ImageFacts {
            size_bytes: 231_000_000,
            layers: vec![
                layer("ADD file:c1f8d1a2b3 in /", 74_800_000, true),
                layer(
                    "RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends ca-certificates curl gnupg",
                    41_200_000,
                    true,
                ),
                layer("WORKDIR /app", 12, false),
                layer("RUN npm install", 84_000_000, false),
                layer("COPY . .", 22_000_000, false),
                layer("RUN npm run build", 8_900_000, false),
                layer("RUN chown -R node /app/.cache", 41_000, false),
            ],
            user: String::new(),
            base: Some(BaseImage {
                reference: "node:20-bookworm-slim".into(),
                created: Some(UnixMillis(NOW.0 - 190 * DAY)),
            }),
            architecture: "amd64".into(),
            os: "linux".into(),
            ..ImageFacts::default()
        }),
        checks: vec![
            check("size", "Size", ImageVerdict::Found(Box::new(size))),
            check(
                "user",
                "User",
                ImageVerdict::Found(Box::new(found(
                    "IMAGE_RUNS_AS_ROOT",
                    "frontend runs as root",
                    "The image names no other user. Who breaks into the app is root in the container, and a namespace with the restricted policy refuses the pod.",
                    "End the Dockerfile with a user of its own, by number: USER 10001:10001",
                ))),
            ),
            check("port", "Port", good("3000, as slipway.toml says")),
            check("command", "Command", good("node server.js")),
            check(
                "architecture",
                "Architecture",
                ImageVerdict::Unknown {
                    why: "amd64; the cluster's nodes have not said theirs".into(),
                },
            ),
            check("secrets", "Secrets", ImageVerdict::Found(Box::new(secret))),
            check(
                "base",
                "Base image",
                ImageVerdict::Found(Box::new(found(
                    "IMAGE_BASE_OLD",
                    "The base image of frontend is old",
                    "node:20-bookworm-slim was made 190 days ago; what was fixed in it since is missing here.",
                    "Name a newer version in FROM, or pull the same tag anew and build again",
                ))),
            ),
            check(
                "healthcheck",
                "Health check",
                note("None; Kubernetes uses the probes instead"),
            ),
            check(
                "labels",
                "Labels",
                note("title = todo-frontend, source = https://example.org/todo"),
            ),
        ],
        dockerfile: Some("frontend/Dockerfile".into()),
        hints: vec![
            hint(
                HintSeverity::Error,
                6,
                "SECRET_IN_ENV",
                None,
                [
                    "ENV API_TOKEN=•••",
                    "API_TOKEN is set to what looks like a secret",
                    "It is written into the image, where everyone who gets the image can read it.",
                    "Take the line out, change the value, and give API_TOKEN to the pod: [[secret]] in slipway.toml",
                ],
                vec![],
            ),
            hint(
                HintSeverity::Warning,
                1,
                "BASE_UNTAGGED",
                Some("DL3006"),
                [
                    "FROM node",
                    "node has no tag",
                    "Without a tag it is whatever was published last: the same Dockerfile makes another image tomorrow.",
                    "Name a version: node:VERSION",
                ],
                vec![
                    PatchLine::Remove("FROM node".into()),
                    PatchLine::Add("FROM node:VERSION".into()),
                ],
            ),
            hint(
                HintSeverity::Warning,
                14,
                "SHELL_FORM",
                Some("DL3025"),
                [
                    "CMD npm start",
                    "CMD is in the shell form",
                    "A shell becomes process 1 and keeps SIGTERM to itself: each stop waits for the grace period and then kills the app.",
                    "Write it as a list of words",
                ],
                vec![
                    PatchLine::Remove("CMD npm start".into()),
                    PatchLine::Add("CMD [\"npm\", \"start\"]".into()),
                ],
            ),
            hint(
                HintSeverity::Advice,
                4,
                "NPM_IGNORES_LOCK",
                None,
                [
                    "RUN npm install",
                    "The lock file is not binding",
                    "npm install may take other versions than the lock file names; npm ci takes exactly those.",
                    "Use npm ci",
                ],
                vec![
                    PatchLine::Remove("RUN npm install".into()),
                    PatchLine::Add("RUN npm ci".into()),
                ],
            ),
        ],
        muted: 2,
    }
}

/// Nothing to mend.
pub fn clean() -> ImageReport {
    ImageReport {
        component: name("backend"),
        sources: sources(SinceBuild::Unchanged),
        image: Some(ImageFacts {
            size_bytes: 24_100_000,
            layers: vec![
                layer("Loader and shared libraries", 3_100_000, false),
                layer("The program and its files", 21_000_000, false),
            ],
            user: "65532:65532".into(),
            ..ImageFacts::default()
        }),
        checks: vec![
            check("size", "Size", good("24.1 MB of 200 MB allowed")),
            check("user", "User", good("Runs as 65532:65532, not as root")),
            check("port", "Port", good("8000, as slipway.toml says")),
            check("command", "Command", good("/app/todo-backend")),
            check(
                "architecture",
                "Architecture",
                good("amd64, as the cluster's nodes"),
            ),
            check(
                "secrets",
                "Secrets",
                good("Nothing in it looks like a secret"),
            ),
            check(
                "base",
                "Base image",
                note("None: only what the build put in"),
            ),
            check(
                "healthcheck",
                "Health check",
                note("None; Kubernetes uses the probes instead"),
            ),
            check("labels", "Labels", note("title = todo-backend")),
        ],
        dockerfile: Some("backend/Dockerfile".into()),
        hints: vec![],
        muted: 0,
    }
}

/// Before the first build: of one the sources are known, the other is being read.
pub fn before() -> BTreeMap<ComponentName, ImageReport> {
    let backend = ImageReport {
        sources: sources(SinceBuild::NeverBuilt),
        image: None,
        checks: vec![],
        ..clean()
    };
    let frontend = ImageReport {
        sources: SourcesView::Reading { entries: 12_500 },
        image: None,
        checks: vec![],
        dockerfile: None,
        hints: vec![],
        muted: 0,
        ..busy()
    };
    of([backend, frontend])
}

pub fn of(reports: [ImageReport; 2]) -> BTreeMap<ComponentName, ImageReport> {
    reports
        .into_iter()
        .map(|report| (report.component.clone(), report))
        .collect()
}

/// With sources that cannot be read.
pub fn broken() -> ImageReport {
    let finding = Finding::new(
        "CONTEXT_UNREADABLE",
        "The sources of backend cannot be read",
        "backend/.dockerignore: syntax error in pattern \"[a-\".",
    )
    .next(NextAction::advice(
        "Correct the line in the ignore file; docker refuses it too",
    ));
    ImageReport {
        sources: SourcesView::Unreadable {
            finding: Box::new(finding),
        },
        ..clean()
    }
}
