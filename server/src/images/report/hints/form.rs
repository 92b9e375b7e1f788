//! Rules about how instructions are written.

use app::model::HintSeverity::{Advice, Error, Warning};

use super::{Hit, Instruction, Rule, View, run_commands};

pub const RULES: &[Rule] = &[
    Rule {
        id: "WORKDIR_RELATIVE",
        hadolint: Some("DL3000"),
        severity: Warning,
        why: "Where it leads depends on what the base image happens to say.",
        find: workdir_relative,
    },
    Rule {
        id: "NO_USE_IN_IMAGE",
        hadolint: Some("DL3001"),
        severity: Advice,
        why: "It talks to a running machine; during a build there is none.",
        find: no_use,
    },
    Rule {
        id: "CD_IN_RUN",
        hadolint: Some("DL3003"),
        severity: Advice,
        why: "The folder is forgotten at the end of the RUN; WORKDIR stays and is seen.",
        find: cd_in_run,
    },
    Rule {
        id: "SUDO_IN_RUN",
        hadolint: Some("DL3004"),
        severity: Warning,
        why: "sudo changes terminals and signals in ways a build does not expect; USER says the same plainly.",
        find: sudo,
    },
    Rule {
        id: "EXPOSE_INVALID",
        hadolint: Some("DL3011"),
        severity: Error,
        why: "Ports go from 0 to 65535.",
        find: expose_invalid,
    },
    Rule {
        id: "HEALTHCHECK_TWICE",
        hadolint: Some("DL3012"),
        severity: Warning,
        why: "Only the last one counts.",
        find: healthcheck_twice,
    },
    Rule {
        id: "ADD_FOR_COPY",
        hadolint: Some("DL3020"),
        severity: Warning,
        why: "ADD also unpacks archives and downloads addresses; COPY does only what it says.",
        find: add_for_copy,
    },
    Rule {
        id: "COPY_NEEDS_SLASH",
        hadolint: Some("DL3021"),
        severity: Error,
        why: "Several files need a folder, and only a slash at the end makes the destination one.",
        find: copy_needs_slash,
    },
    Rule {
        id: "SHELL_FORM",
        hadolint: Some("DL3025"),
        severity: Warning,
        why: "A shell becomes process 1 and keeps SIGTERM to itself: each stop waits for the grace period and then kills the app.",
        find: shell_form,
    },
    Rule {
        id: "ENV_USES_ITSELF",
        hadolint: Some("DL3044"),
        severity: Error,
        why: "Inside one ENV the variables still have their old values.",
        find: env_uses_itself,
    },
    Rule {
        id: "RUN_CONSECUTIVE",
        hadolint: Some("DL3059"),
        severity: Advice,
        why: "Each RUN is a layer of its own; what a later one deletes stays in the earlier one.",
        find: run_consecutive,
    },
    Rule {
        id: "MAINTAINER_USED",
        hadolint: Some("DL4000"),
        severity: Advice,
        why: "MAINTAINER was given up; a label says the same and can be read by tools.",
        find: maintainer,
    },
    Rule {
        id: "WGET_AND_CURL",
        hadolint: Some("DL4001"),
        severity: Advice,
        why: "Two programs for one job make the image larger.",
        find: wget_and_curl,
    },
    Rule {
        id: "CMD_TWICE",
        hadolint: Some("DL4003"),
        severity: Warning,
        why: "Only the last one counts.",
        find: cmd_twice,
    },
    Rule {
        id: "ENTRYPOINT_TWICE",
        hadolint: Some("DL4004"),
        severity: Error,
        why: "Only the last one counts.",
        find: entrypoint_twice,
    },
    Rule {
        id: "PIPE_HIDES_FAILURE",
        hadolint: Some("DL4006"),
        severity: Warning,
        why: "The shell looks only at the last command of a pipe: a download that failed counts as done.",
        find: pipe_hides_failure,
    },
];

fn of<'a>(view: &'a View<'_>, keyword: &'static str) -> impl Iterator<Item = &'a Instruction> {
    view.file
        .instructions
        .iter()
        .filter(move |one| one.is(keyword))
}

fn workdir_relative(view: &View<'_>) -> Vec<Hit> {
    view.stages
        .iter()
        .flat_map(|stage| {
            // After an absolute one the way is known.
            stage
                .instructions
                .iter()
                .filter(|one| one.is("WORKDIR"))
                .take(1)
        })
        .filter(|one| {
            let path = one.rest.trim_matches(['"', '\'']);
            !path.starts_with(['/', '$']) && !path.contains(':')
        })
        .map(|one| {
            Hit::at(
                one,
                format!("{} is relative", one.rest),
                "Name the whole path, beginning with /",
            )
            .replacing(view, &one.rest, &format!("/{}", one.rest))
        })
        .collect()
}

fn no_use(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter(|(_, command)| {
            matches!(
                command.program(),
                "ssh"
                    | "vim"
                    | "shutdown"
                    | "service"
                    | "systemctl"
                    | "ps"
                    | "free"
                    | "top"
                    | "kill"
                    | "mount"
                    | "ifconfig"
            )
        })
        .map(|(run, command)| {
            Hit::at(
                run,
                format!("{} has no use while an image is built", command.program()),
                "Leave it out",
            )
        })
        .collect()
}

fn cd_in_run(view: &View<'_>) -> Vec<Hit> {
    of(view, "RUN")
        .filter_map(|run| {
            let first = run.commands().into_iter().next()?;
            let folder = first.operands().next()?.to_owned();
            let is_fixed = folder.starts_with('/') && !folder.contains('$');
            (first.program() == "cd" && is_fixed).then(|| {
                Hit::at(
                    run,
                    format!("The RUN begins by going to {folder}"),
                    "Say it with WORKDIR",
                )
                .adding(&[&format!("WORKDIR {folder}")])
            })
        })
        .collect()
}

fn sudo(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter(|(_, command)| command.with_sudo)
        .map(|(run, _)| {
            Hit::at(
                run,
                "sudo is used in a build",
                "Run it before USER, or switch with USER root and back",
            )
            .replacing(view, "sudo ", "")
        })
        .collect()
}

fn expose_invalid(view: &View<'_>) -> Vec<Hit> {
    of(view, "EXPOSE")
        .filter_map(|one| {
            let words = one.words();
            let bad = words.iter().find(|word| {
                let ports = word.split('/').next().unwrap_or(word);
                ports
                    .split('-')
                    .any(|port| !port.contains('$') && port.parse::<u16>().is_err())
            })?;
            Some(Hit::at(
                one,
                format!("{bad} is no port"),
                "Name a port from 0 to 65535",
            ))
        })
        .collect()
}

/// All but the last of a kind in each stage.
fn repeated(view: &View<'_>, keyword: &'static str) -> Vec<Hit> {
    view.stages
        .iter()
        .flat_map(|stage| {
            let all: Vec<&Instruction> = stage
                .instructions
                .iter()
                .filter(|one| one.is(keyword))
                .collect();
            all.into_iter().rev().skip(1)
        })
        .map(|one| {
            Hit::at(
                one,
                format!("A later {keyword} replaces this one"),
                "Leave this one out",
            )
        })
        .collect()
}

fn healthcheck_twice(view: &View<'_>) -> Vec<Hit> {
    repeated(view, "HEALTHCHECK")
}

fn cmd_twice(view: &View<'_>) -> Vec<Hit> {
    repeated(view, "CMD")
}

fn entrypoint_twice(view: &View<'_>) -> Vec<Hit> {
    repeated(view, "ENTRYPOINT")
}

fn add_for_copy(view: &View<'_>) -> Vec<Hit> {
    let needs_add = |source: &String| {
        source.contains("://")
            || source.starts_with("git@")
            || source.contains('$')
            || [".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".tbz", ".txz"]
                .iter()
                .any(|ending| source.ends_with(ending))
    };
    of(view, "ADD")
        .filter(|one| {
            one.paths()
                .is_some_and(|(sources, _)| !sources.iter().any(needs_add))
        })
        .map(|one| {
            Hit::at(one, "ADD is used where COPY is enough", "Use COPY")
                .replacing(view, "ADD", "COPY")
        })
        .collect()
}

fn copy_needs_slash(view: &View<'_>) -> Vec<Hit> {
    of(view, "COPY")
        .filter_map(|one| {
            let (sources, to) = one.paths()?;
            let is_folder = to.ends_with('/') || to == "." || to == ".." || to.contains('$');
            (sources.len() > 1 && !is_folder).then(|| {
                Hit::at(
                    one,
                    format!("{} files are copied to {to}", sources.len()),
                    format!("End the destination with a slash: {to}/"),
                )
            })
        })
        .collect()
}

fn shell_form(view: &View<'_>) -> Vec<Hit> {
    ["CMD", "ENTRYPOINT"]
        .into_iter()
        .filter_map(|keyword| view.file.last(keyword))
        .filter(|one| !one.rest.is_empty() && one.exec_form().is_none())
        // With exec the shell gives its place away.
        .filter(|one| !one.rest.starts_with("exec "))
        .map(|one| {
            let hit = Hit::at(
                one,
                format!("{} is in the shell form", one.keyword),
                "Write it as a list of words",
            );
            let is_plain = !one
                .rest
                .contains(['$', '&', '|', ';', '"', '\'', '>', '<', '*', '\\']);
            if !is_plain {
                return hit;
            }
            let list: Vec<String> = one.words();
            let json = serde_json::to_string(&list)
                .unwrap_or_default()
                .replace("\",\"", "\", \"");
            hit.replacing(view, &one.rest, &json)
        })
        .collect()
}

fn env_uses_itself(view: &View<'_>) -> Vec<Hit> {
    of(view, "ENV")
        .filter_map(|one| {
            let pairs = one.pairs();
            let name = pairs.iter().enumerate().find_map(|(at, (name, _))| {
                let is_used = pairs.iter().enumerate().any(|(other, (_, value))| {
                    let value = value.as_deref().unwrap_or_default();
                    let uses = value.contains(&format!("${{{name}}}"))
                        || value.split(&format!("${name}")).skip(1).any(|rest| {
                            !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                        });
                    other != at && uses
                });
                is_used.then_some(name)
            })?;
            Some(Hit::at(
                one,
                format!("{name} is used in the ENV that sets it"),
                "Set it in an ENV of its own before",
            ))
        })
        .collect()
}

fn run_consecutive(view: &View<'_>) -> Vec<Hit> {
    let is_plain =
        |one: &Instruction| one.is("RUN") && one.flags.is_empty() && one.heredocs.is_empty();
    view.stages
        .iter()
        .flat_map(|stage| stage.instructions.windows(2))
        .filter(|pair| is_plain(&pair[0]) && is_plain(&pair[1]))
        .map(|pair| {
            Hit::at(
                &pair[1],
                "Two RUN follow each other",
                "Join them with && where one cleans up after the other",
            )
        })
        .collect()
}

fn maintainer(view: &View<'_>) -> Vec<Hit> {
    of(view, "MAINTAINER")
        .map(|one| {
            let name = one.rest.trim_matches('"');
            Hit::at(one, "MAINTAINER was given up", "Use a label").replacing(
                view,
                view.file
                    .lines
                    .get(one.line as usize - 1)
                    .map_or("", String::as_str),
                &format!("LABEL org.opencontainers.image.authors=\"{name}\""),
            )
        })
        .collect()
}

fn wget_and_curl(view: &View<'_>) -> Vec<Hit> {
    let uses = |program: &str| run_commands(view).find(|(_, command)| command.program() == program);
    match (uses("wget"), uses("curl")) {
        (Some((wget, _)), Some((curl, _))) => {
            let later = if wget.line > curl.line { wget } else { curl };
            vec![Hit::at(
                later,
                "Both wget and curl are used",
                "Use one of them for everything",
            )]
        }
        _ => Vec::new(),
    }
}

fn pipe_hides_failure(view: &View<'_>) -> Vec<Hit> {
    let mut out = Vec::new();
    for stage in &view.stages {
        let mut is_safe = false;
        for one in stage.instructions {
            if one.is("SHELL") {
                is_safe =
                    one.rest.contains("pipefail") || one.rest.to_lowercase().contains("powershell");
            }
            let pipes = one.is("RUN")
                && one.exec_form().is_none()
                && one.commands().iter().any(|command| command.is_piped_into);
            if pipes && !is_safe && !one.rest.contains("pipefail") {
                out.push(
                    Hit::at(
                        one,
                        "A failure before the pipe is not noticed",
                        "Set pipefail before it, where the image has bash",
                    )
                    .adding(&["SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]"]),
                );
            }
        }
    }
    out
}
