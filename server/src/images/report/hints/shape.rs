//! Rules about the shape of the whole: what goes in, in which order, and what stays.

use app::model::HintSeverity::{Advice, Error, Warning};

use super::{Command, Hit, Rule, View};
use crate::images::report::secret_like::{is_secret, is_secret_name};

pub const RULES: &[Rule] = &[
    Rule {
        id: "NOT_UNDERSTOOD",
        hadolint: None,
        severity: Error,
        why: "The builder will stop there.",
        find: not_understood,
    },
    Rule {
        id: "SECRET_IN_ENV",
        hadolint: None,
        severity: Error,
        why: "It is written into the image, where everyone who gets the image can read it.",
        find: secret_in_env,
    },
    Rule {
        id: "SECRET_IN_ARG",
        hadolint: None,
        severity: Warning,
        why: "The value of a build argument is kept in the image's history as soon as an instruction uses it.",
        find: secret_in_arg,
    },
    Rule {
        id: "NO_DOCKERIGNORE",
        hadolint: None,
        severity: Warning,
        why: "The whole folder is copied: history, local settings and build output come along, and each change of them builds anew.",
        find: no_dockerignore,
    },
    Rule {
        id: "COPY_BEFORE_DEPENDENCIES",
        hadolint: None,
        severity: Advice,
        why: "Any change of the sources makes the cached layer with the dependencies useless, so each build installs all of them.",
        find: copy_before_dependencies,
    },
    Rule {
        id: "SINGLE_STAGE",
        hadolint: None,
        severity: Advice,
        why: "Compiler, sources and build output stay in the image: it is hundreds of megabytes larger and gives an intruder tools.",
        find: single_stage,
    },
];

fn not_understood(view: &View<'_>) -> Vec<Hit> {
    view.file
        .problems
        .iter()
        .map(|problem| Hit {
            line: problem.line,
            what: {
                let mut chars = problem.what.chars();
                let first = chars.next().map(char::to_uppercase);
                first.into_iter().flatten().chain(chars).collect()
            },
            fix: "Correct the line".to_owned(),
            patch: Vec::new(),
        })
        .collect()
}

fn secret_in_env(view: &View<'_>) -> Vec<Hit> {
    view.file
        .instructions
        .iter()
        .filter(|one| one.is("ENV"))
        .filter_map(|one| {
            let (name, _) = one
                .pairs()
                .into_iter()
                .find(|(name, value)| is_secret(name, value.as_deref().unwrap_or_default()))?;
            Some(Hit::at(
                one,
                format!("{name} is set to what looks like a secret"),
                format!("Take the line out, change the value, and give {name} to the pod: [[secret]] in slipway.toml"),
            ))
        })
        .collect()
}

fn secret_in_arg(view: &View<'_>) -> Vec<Hit> {
    view.file
        .instructions
        .iter()
        .filter(|one| one.is("ARG"))
        .filter_map(|one| {
            let (name, _) = one.pairs().into_iter().find(|(name, value)| {
                is_secret_name(name) || is_secret(name, value.as_deref().unwrap_or_default())
            })?;
            let id = name.to_lowercase();
            Some(
                Hit::at(
                    one,
                    format!("{name} looks like a secret"),
                    "Mount it for the one RUN that needs it",
                )
                .adding(&[&format!("RUN --mount=type=secret,id={id} …")]),
            )
        })
        .collect()
}

/// Copies of the whole context.
fn copies_all<'a>(
    view: &'a View<'_>,
) -> impl Iterator<Item = (usize, usize, &'a super::Instruction)> {
    view.stages.iter().enumerate().flat_map(|(stage, of)| {
        of.instructions
            .iter()
            .enumerate()
            .filter(|(_, one)| (one.is("COPY") || one.is("ADD")) && one.flag("from").is_none())
            .filter(|(_, one)| {
                one.paths().is_some_and(|(sources, _)| {
                    sources
                        .iter()
                        .any(|source| matches!(source.as_str(), "." | "./" | "*" | "/"))
                })
            })
            .map(move |(at, one)| (stage, at, one))
    })
}

fn no_dockerignore(view: &View<'_>) -> Vec<Hit> {
    if view.has_ignore_file {
        return Vec::new();
    }
    copies_all(view)
        .take(1)
        .map(|(_, _, copy)| {
            Hit::at(
                copy,
                "Everything is copied, and there is no .dockerignore",
                "Write a .dockerignore that leaves out what the build does not need",
            )
            .adding(&[".git", ".env", "node_modules", "target"])
        })
        .collect()
}

fn installs_dependencies(command: &Command) -> bool {
    let runs = |program: &str, operand: &str| command.runs(program, operand);
    runs("npm", "ci")
        || runs("npm", "install")
        || runs("npm", "i")
        || runs("yarn", "install")
        || (command.program() == "yarn" && command.words.len() == 1)
        || runs("pnpm", "install")
        || runs("bun", "install")
        || (command.has("install") && (command.has("-r") || command.has("--requirement")))
        || runs("poetry", "install")
        || runs("uv", "sync")
        || runs("pipenv", "install")
        || runs("bundle", "install")
        || runs("go", "mod")
        || runs("composer", "install")
        || runs("cargo", "fetch")
        || runs("dotnet", "restore")
}

fn copy_before_dependencies(view: &View<'_>) -> Vec<Hit> {
    copies_all(view)
        .filter(|(stage, at, _)| {
            let instructions = view.stages[*stage].instructions;
            let installs = |one: &super::Instruction| {
                one.is("RUN") && one.commands().iter().any(installs_dependencies)
            };
            !instructions[..*at].iter().any(installs) && instructions[*at..].iter().any(installs)
        })
        .map(|(_, _, copy)| {
            Hit::at(
                copy,
                "All sources are copied before the dependencies are installed",
                "Copy the lock file first, install, then copy the rest",
            )
        })
        .collect()
}

fn single_stage(view: &View<'_>) -> Vec<Hit> {
    let [stage] = view.stages.as_slice() else {
        return Vec::new();
    };
    let name = stage.image.split(['@', ':']).next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or(name);
    let is_compiler = matches!(
        name,
        "rust" | "golang" | "maven" | "gradle" | "gcc" | "haskell" | "swift" | "sdk"
    );
    let compiles = stage
        .instructions
        .iter()
        .filter(|one| one.is("RUN"))
        .flat_map(super::Instruction::commands)
        .any(|command| {
            command.runs("cargo", "build")
                || command.runs("cargo", "install")
                || command.runs("go", "build")
                || command.runs("go", "install")
                || (matches!(command.program(), "mvn" | "mvnw") && command.has("package"))
                || (matches!(command.program(), "gradle" | "gradlew") && command.has("build"))
                || command.runs("dotnet", "publish")
        });
    if !is_compiler && !compiles {
        return Vec::new();
    }
    vec![Hit::at(
        stage.from,
        format!("The app ships with its compiler ({})", stage.image),
        "Build in one stage, and copy the program into a small one with COPY --from",
    )]
}
