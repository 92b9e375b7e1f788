use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::dockerfile::parse;
use super::*;

fn codes(text: &str) -> Vec<String> {
    let (hints, _) = hints(&parse(text), 8000, true);
    hints.into_iter().map(|hint| hint.code).collect()
}

/// Each rule with a file it has something to say about, and one it has not.
const CASES: &[(&str, &str, &str)] = &[
    (
        "BASE_UNTAGGED",
        "FROM debian",
        "FROM debian:12 AS a\nFROM a\nFROM scratch\nFROM x/y@sha256:00\nFROM $BASE",
    ),
    (
        "BASE_LATEST",
        "FROM r.example:5000/debian:latest",
        "FROM debian:12",
    ),
    (
        "BASE_PLATFORM_FIXED",
        "FROM --platform=linux/amd64 a:1",
        "FROM --platform=$BUILDPLATFORM a:1",
    ),
    (
        "STAGE_NAME_TWICE",
        "FROM a:1 AS x\nFROM b:1 AS X",
        "FROM a:1 AS x\nFROM b:1 AS y",
    ),
    (
        "COPY_FROM_UNKNOWN",
        "FROM a:1\nCOPY --from=build /x /x",
        "FROM a:1 AS build\nFROM a:1\nCOPY --from=build /x /x\nCOPY --from=0 /x /x\nCOPY --from=a:1 /x /x",
    ),
    (
        "COPY_FROM_ITSELF",
        "FROM a:1 AS me\nCOPY --from=me /x /y",
        "FROM a:1 AS you\nFROM a:1 AS me\nCOPY --from=you /x /y",
    ),
    (
        "ONBUILD_REFUSED",
        "FROM a:1\nONBUILD FROM b",
        "FROM a:1\nONBUILD RUN x",
    ),
    (
        "APT_UNPINNED",
        "FROM a:1\nRUN apt-get install -y curl",
        "FROM a:1\nRUN apt-get install -y curl=7.88 ./x.deb",
    ),
    (
        "APT_LISTS_KEPT",
        "FROM a:1\nRUN apt-get update && apt-get install -y x",
        "FROM a:1 AS b\nRUN apt-get update\nFROM a:1\nRUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*",
    ),
    (
        "APT_ASKS",
        "FROM a:1\nRUN apt-get install curl",
        "FROM a:1\nRUN apt-get -qy install curl && apt-get install --yes x",
    ),
    (
        "APT_RECOMMENDS",
        "FROM a:1\nRUN apt-get install -y curl",
        "FROM a:1\nRUN apt-get install -y --no-install-recommends curl",
    ),
    (
        "APT_NOT_FOR_SCRIPTS",
        "FROM a:1\nRUN apt install x",
        "FROM a:1\nRUN apt-get install x",
    ),
    (
        "APT_UPGRADE",
        "FROM a:1\nRUN apt-get -y dist-upgrade",
        "FROM a:1\nRUN apt-get -y install upgrade",
    ),
    (
        "APT_UPDATE_ALONE",
        "FROM a:1\nRUN apt-get update",
        "FROM a:1\nRUN apt-get update && apt-get install x",
    ),
    (
        "APK_CACHE_KEPT",
        "FROM a:1\nRUN apk add curl",
        "FROM a:1\nRUN apk add --no-cache curl",
    ),
    (
        "PIP_CACHE_KEPT",
        "FROM a:1\nRUN pip install -r r.txt",
        "FROM a:1\nRUN pip install --no-cache-dir -r r.txt\nRUN --mount=type=cache,target=/root/.cache/pip pip install x",
    ),
    (
        "PIP_UNPINNED",
        "FROM a:1\nRUN python -m pip install flask",
        "FROM a:1\nRUN pip install flask==3.0 && pip install -r r.txt && pip install .",
    ),
    (
        "NPM_UNPINNED",
        "FROM a:1\nRUN npm install -g pnpm",
        "FROM a:1\nRUN npm install -g pnpm@9 @scope/x@1 ./local",
    ),
    (
        "NPM_IGNORES_LOCK",
        "FROM a:1\nRUN npm install",
        "FROM a:1\nRUN npm ci && npm install x@1",
    ),
    (
        "WORKDIR_RELATIVE",
        "FROM a:1\nWORKDIR app",
        "FROM a:1\nWORKDIR /app\nWORKDIR src\nFROM b:1\nWORKDIR $HOME",
    ),
    (
        "NO_USE_IN_IMAGE",
        "FROM a:1\nRUN service nginx start",
        "FROM a:1\nRUN echo service",
    ),
    (
        "CD_IN_RUN",
        "FROM a:1\nRUN cd /app && make",
        "FROM a:1\nRUN make && cd $X",
    ),
    (
        "SUDO_IN_RUN",
        "FROM a:1\nRUN sudo make",
        "FROM a:1\nRUN echo sudo",
    ),
    (
        "EXPOSE_INVALID",
        "FROM a:1\nEXPOSE 80000",
        "FROM a:1\nEXPOSE 80/tcp 8000-8010 $PORT",
    ),
    (
        "HEALTHCHECK_TWICE",
        "FROM a:1\nHEALTHCHECK CMD x\nHEALTHCHECK NONE",
        "FROM a:1\nHEALTHCHECK NONE\nFROM b:1\nHEALTHCHECK NONE",
    ),
    (
        "ADD_FOR_COPY",
        "FROM a:1\nADD src /src",
        "FROM a:1\nADD app.tar.gz /\nADD https://x.example/y /y",
    ),
    (
        "COPY_NEEDS_SLASH",
        "FROM a:1\nCOPY a b /c",
        "FROM a:1\nCOPY a b /c/\nCOPY a /c",
    ),
    (
        "SHELL_FORM",
        "FROM a:1\nCMD python app.py",
        "FROM a:1\nCMD [\"python\"]\nENTRYPOINT exec python app.py",
    ),
    (
        "ENV_USES_ITSELF",
        "FROM a:1\nENV A=1 B=$A/x",
        "FROM a:1\nENV A=1 B=$AB\nENV PATH=/x:$PATH",
    ),
    (
        "RUN_CONSECUTIVE",
        "FROM a:1\nRUN x\nRUN y",
        "FROM a:1\nRUN x\nCOPY a b\nRUN y\nRUN --mount=type=cache,target=/c z",
    ),
    (
        "MAINTAINER_USED",
        "FROM a:1\nMAINTAINER ada",
        "FROM a:1\nLABEL a=b",
    ),
    (
        "WGET_AND_CURL",
        "FROM a:1\nRUN wget x\nRUN curl y",
        "FROM a:1\nRUN curl x && curl y",
    ),
    (
        "CMD_TWICE",
        "FROM a:1\nCMD [\"a\"]\nCMD [\"b\"]",
        "FROM a:1\nCMD [\"a\"]\nFROM b:1\nCMD [\"b\"]",
    ),
    (
        "ENTRYPOINT_TWICE",
        "FROM a:1\nENTRYPOINT [\"a\"]\nENTRYPOINT [\"b\"]",
        "FROM a:1\nENTRYPOINT [\"a\"]",
    ),
    (
        "PIPE_HIDES_FAILURE",
        "FROM a:1\nRUN curl x | sh",
        "FROM a:1\nRUN set -o pipefail; curl x | sh\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN a | b\nRUN c || d",
    ),
    (
        "USER_ROOT",
        "FROM a:1\nUSER 5\nUSER root",
        "FROM a:1\nUSER root\nUSER 5",
    ),
    ("USER_MISSING", "FROM a:1", "FROM a:1 AS x\nUSER 5\nFROM x"),
    (
        "USER_NOT_NUMERIC",
        "FROM a:1\nUSER app",
        "FROM a:1\nUSER 1000:1000",
    ),
    ("PORT_NOT_EXPOSED", "FROM a:1", "FROM a:1\nEXPOSE 1"),
    (
        "PORT_OTHER",
        "FROM a:1\nEXPOSE 3000",
        "FROM a:1\nEXPOSE 3000 8000/tcp",
    ),
    (
        "DEV_SERVER",
        "FROM a:1\nCMD [\"npm\", \"run\", \"dev\"]",
        "FROM a:1\nCMD [\"npm\", \"run\", \"start\"]",
    ),
    ("NOT_UNDERSTOOD", "FROM a:1\nRUNN x", "FROM a:1\nRUN x"),
    (
        "SECRET_IN_ENV",
        "FROM a:1\nENV API_TOKEN hunter2hunter2",
        "FROM a:1\nENV API_TOKEN_FILE=/run/x PORT=1",
    ),
    (
        "SECRET_IN_ARG",
        "FROM a:1\nARG NPM_TOKEN",
        "FROM a:1\nARG VERSION=1",
    ),
    (
        "COPY_BEFORE_DEPENDENCIES",
        "FROM a:1\nCOPY . .\nRUN npm ci",
        "FROM a:1\nCOPY package.json .\nRUN npm ci\nCOPY . .",
    ),
    (
        "SINGLE_STAGE",
        "FROM golang:1\nRUN go build",
        "FROM golang:1 AS b\nRUN go build\nFROM scratch\nCOPY --from=b /x /x",
    ),
];

#[test]
fn each_rule_fires_where_it_should_and_only_there() {
    for (code, bad, good) in CASES {
        assert!(
            codes(bad).iter().any(|found| found == code),
            "{code} is silent about:\n{bad}"
        );
        assert!(
            !codes(good).iter().any(|found| found == code),
            "{code} complains about:\n{good}"
        );
    }
    let bare = "FROM a:1\nCOPY . /app";
    let without = |has_ignore_file| hints(&parse(bare), 8000, has_ignore_file).0;
    let is_it = |hint: &DockerfileHint| hint.code == "NO_DOCKERIGNORE";
    assert!(without(false).iter().any(is_it));
    assert!(!without(true).iter().any(is_it));
}

#[test]
fn every_rule_has_a_case_a_code_of_its_own_and_a_place_in_the_docs() {
    let docs = include_str!("../../../../../docs/dockerfile-hints.md");
    let mut seen = BTreeSet::new();
    for rule in rules() {
        assert!(seen.insert(rule.id), "{} twice", rule.id);
        let has_case = CASES.iter().any(|(code, _, _)| *code == rule.id);
        assert!(
            has_case || rule.id == "NO_DOCKERIGNORE",
            "{} has no case",
            rule.id
        );
        let row = docs
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", rule.id)));
        let row = row.unwrap_or_else(|| panic!("{} is not in docs/dockerfile-hints.md", rule.id));
        assert!(
            rule.hadolint.is_none_or(|number| row.contains(number)),
            "{row}"
        );
    }
    let documented = docs.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(
        documented,
        seen.len(),
        "the docs name rules that do not exist"
    );
}

#[test]
fn a_comment_mutes_by_either_name_and_the_muted_are_counted() {
    let text = "FROM a:1\nEXPOSE 8000\n# hadolint ignore=DL3015,DL3008\n# slipway: ignore APT_ASKS\nRUN apt-get install curl\nUSER 5";
    assert_eq!(hints(&parse(text), 8000, true), (vec![], 3));
    let all = "# slipway: ignore-file APT_ASKS, APT_RECOMMENDS\nFROM a:1\nEXPOSE 8000\nRUN apt-get install curl=1\nUSER 5";
    assert_eq!(hints(&parse(all), 8000, true), (vec![], 2));
}

#[test]
fn a_patch_changes_the_line_it_is_about() {
    let (hints, _) = hints(
        &parse(
            "FROM a:1\nRUN apt-get update \\\n  && apt-get install -y curl=1 \\\n  && rm -rf /var/lib/apt/lists/*\nUSER 5\nEXPOSE 8000\nCMD node app.js --port 8000",
        ),
        8000,
        true,
    );
    let patch = |code: &str| {
        let hint = hints.iter().find(|hint| hint.code == code);
        hint.map(|hint| (hint.line, hint.patch.clone()))
            .expect("a hint")
    };
    assert_eq!(
        patch("APT_RECOMMENDS"),
        (
            2,
            vec![
                PatchLine::Remove("  && apt-get install -y curl=1 \\".into()),
                PatchLine::Add("  && apt-get install --no-install-recommends -y curl=1 \\".into()),
            ]
        )
    );
    assert_eq!(
        patch("SHELL_FORM"),
        (
            7,
            vec![
                PatchLine::Remove("CMD node app.js --port 8000".into()),
                PatchLine::Add("CMD [\"node\", \"app.js\", \"--port\", \"8000\"]".into()),
            ]
        )
    );
}

#[test]
fn no_secret_is_in_a_hint() {
    let text = "FROM a\nARG API_TOKEN=hunter2hunter2\nENV API_TOKEN hunter2hunter2\nENV X=1 DB_PASSWORD=\"hunter2 hunter2\"\nRUN DB_PASSWORD=hunter2hunter2 apt install x\nMAINTAINER postgres://a:hunter2hunter2@b\nCMD API_TOKEN=hunter2hunter2 npm run dev";
    let (hints, _) = hints(&parse(text), 8000, true);
    assert!(hints.len() > 8);
    let said = serde_json::to_string(&hints).expect("encodes");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn the_reference_project_s_dockerfiles_are_almost_clean() {
    for (text, port) in [
        (
            include_str!("../../../../../examples/todo-chatbot/backend/Dockerfile"),
            8000,
        ),
        (
            include_str!("../../../../../examples/todo-chatbot/frontend/Dockerfile"),
            3000,
        ),
    ] {
        let (hints, _) = hints(&parse(text), port, true);
        assert_eq!(hints, []);
    }
}

proptest! {
    #[test]
    fn no_file_makes_a_rule_panic(
        parts in prop::collection::vec("(FROM|RUN|COPY|ENV|ARG|CMD|USER|EXPOSE|ADD|SHELL|WORKDIR|ONBUILD RUN|HEALTHCHECK|from) ?\\PC{0,30}", 0..8),
        has_ignore_file in any::<bool>(),
    ) {
        hints(&parse(&parts.join("\n")), 1, has_ignore_file);
    }
}
