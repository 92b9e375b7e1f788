//! Rules about package managers in `RUN`.

use app::model::HintSeverity::{Advice, Warning};

use super::{Command, Hit, Instruction, Rule, View, run_commands};

pub const RULES: &[Rule] = &[
    Rule {
        id: "APT_UNPINNED",
        hadolint: Some("DL3008"),
        severity: Advice,
        why: "Without versions a rebuild takes whatever the archive has that day.",
        find: apt_unpinned,
    },
    Rule {
        id: "APT_LISTS_KEPT",
        hadolint: Some("DL3009"),
        severity: Advice,
        why: "The package lists stay in the layer, some 20 to 40 MB that nothing reads.",
        find: apt_lists_kept,
    },
    Rule {
        id: "APT_ASKS",
        hadolint: Some("DL3014"),
        severity: Warning,
        why: "A build has nobody to answer the question, so it stops there.",
        find: apt_asks,
    },
    Rule {
        id: "APT_RECOMMENDS",
        hadolint: Some("DL3015"),
        severity: Advice,
        why: "Recommended packages come along and make the image larger.",
        find: apt_recommends,
    },
    Rule {
        id: "APT_NOT_FOR_SCRIPTS",
        hadolint: Some("DL3027"),
        severity: Advice,
        why: "apt is made for people: what it prints and takes may change. apt-get is for scripts.",
        find: apt_for_people,
    },
    Rule {
        id: "APT_UPGRADE",
        hadolint: Some("DL3005"),
        severity: Advice,
        why: "An upgrade in a layer doubles what it replaces; a newer base image has it already.",
        find: apt_upgrade,
    },
    Rule {
        id: "APT_UPDATE_ALONE",
        hadolint: None,
        severity: Warning,
        why: "The layer with the lists is cached: a later install asks for versions that are gone.",
        find: apt_update_alone,
    },
    Rule {
        id: "APK_CACHE_KEPT",
        hadolint: Some("DL3019"),
        severity: Advice,
        why: "The package index stays in the layer.",
        find: apk_cache,
    },
    Rule {
        id: "PIP_CACHE_KEPT",
        hadolint: Some("DL3042"),
        severity: Advice,
        why: "pip keeps every download in the layer, often as much as what it installs.",
        find: pip_cache,
    },
    Rule {
        id: "PIP_UNPINNED",
        hadolint: Some("DL3013"),
        severity: Advice,
        why: "Without versions a rebuild takes whatever was published last.",
        find: pip_unpinned,
    },
    Rule {
        id: "NPM_UNPINNED",
        hadolint: Some("DL3016"),
        severity: Advice,
        why: "Without versions a rebuild takes whatever was published last.",
        find: npm_unpinned,
    },
    Rule {
        id: "NPM_IGNORES_LOCK",
        hadolint: None,
        severity: Advice,
        why: "npm install may take other versions than the lock file names; npm ci takes exactly those.",
        find: npm_install,
    },
];

fn installs(command: &Command) -> bool {
    matches!(command.program(), "apt-get" | "apt") && command.operands().next() == Some("install")
}

fn apt_unpinned(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter(|(_, command)| installs(command))
        .filter_map(|(run, command)| {
            let loose: Vec<&str> = command
                .operands()
                .skip(1)
                .filter(|package| !package.contains(['=', '$', '/']))
                .collect();
            let first = loose.first()?;
            let what = match loose.len() {
                1 => format!("{first} is installed in any version"),
                more => format!("{first} and {} more are installed in any version", more - 1),
            };
            Some(Hit::at(
                run,
                what,
                format!("Name the version: {first}=VERSION"),
            ))
        })
        .collect()
}

fn mounts_a_cache(run: &Instruction, folder: &str) -> bool {
    run.flags.iter().any(|(name, value)| {
        name == "mount" && value.contains("type=cache") && value.contains(folder)
    })
}

/// The `RUN`s of the stages that end up in the image: what is left in others is dropped anyway.
fn final_runs<'a>(view: &'a View<'_>) -> Vec<&'a Instruction> {
    let chain = view.file.final_chain();
    chain
        .iter()
        .flat_map(|stage| stage.instructions.iter())
        .filter(|one| one.is("RUN"))
        .collect()
}

fn apt_lists_kept(view: &View<'_>) -> Vec<Hit> {
    final_runs(view)
        .into_iter()
        .filter(|run| {
            let commands = run.commands();
            let cleans = commands.iter().any(|command| {
                command.program() == "rm"
                    && command
                        .words
                        .iter()
                        .any(|word| word.contains("/var/lib/apt/lists"))
            });
            commands.iter().any(|command| {
                matches!(command.program(), "apt-get" | "apt")
                    && command.operands().next() == Some("update")
            }) && !cleans
                && !mounts_a_cache(run, "/var/lib/apt")
        })
        .map(|run| {
            Hit::at(
                run,
                "The package lists are left in the layer",
                "End the RUN with && rm -rf /var/lib/apt/lists/*",
            )
            .adding(&["    && rm -rf /var/lib/apt/lists/*"])
        })
        .collect()
}

fn apt_asks(view: &View<'_>) -> Vec<Hit> {
    let agrees = |word: &String| {
        let short = word.starts_with('-') && !word.starts_with("--") && word.contains('y');
        short || matches!(word.as_str(), "--yes" | "--assume-yes" | "-qq")
    };
    run_commands(view)
        .filter(|(_, command)| installs(command) && !command.words.iter().any(agrees))
        .map(|(run, command)| {
            let written = format!("{} install", command.program());
            Hit::at(run, "apt-get install will ask", "Add -y").replacing(
                view,
                &written,
                &format!("{written} -y"),
            )
        })
        .collect()
}

fn apt_recommends(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter(|(_, command)| installs(command))
        .filter(|(_, command)| {
            !command.has("--no-install-recommends")
                && !command
                    .words
                    .iter()
                    .any(|word| word.contains("Install-Recommends"))
        })
        .map(|(run, _)| {
            Hit::at(
                run,
                "Recommended packages are installed too",
                "Add --no-install-recommends",
            )
            .replacing(view, "install ", "install --no-install-recommends ")
        })
        .collect()
}

fn apt_for_people(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter(|(_, command)| command.program() == "apt")
        .map(|(run, _)| {
            Hit::at(run, "apt is used in a script", "Use apt-get")
                .replacing(view, "apt ", "apt-get ")
        })
        .collect()
}

fn apt_upgrade(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter(|(_, command)| {
            matches!(command.program(), "apt-get" | "apt")
                && matches!(
                    command.operands().next(),
                    Some("upgrade" | "dist-upgrade" | "full-upgrade")
                )
        })
        .map(|(run, _)| {
            Hit::at(
                run,
                "All packages of the base image are upgraded",
                "Take a newer base image instead",
            )
        })
        .collect()
}

fn apt_update_alone(view: &View<'_>) -> Vec<Hit> {
    view.file
        .instructions
        .iter()
        .filter(|one| one.is("RUN"))
        .filter(|run| {
            let commands = run.commands();
            commands
                .iter()
                .any(|command| command.runs("apt-get", "update"))
                && !commands.iter().any(installs)
        })
        .map(|run| {
            Hit::at(
                run,
                "apt-get update stands alone",
                "Put update and install into one RUN",
            )
        })
        .collect()
}

fn apk_cache(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter(|(run, command)| {
            command.runs("apk", "add")
                && !command.has("--no-cache")
                && !mounts_a_cache(run, "/var/cache/apk")
                && !mounts_a_cache(run, "/etc/apk/cache")
        })
        .map(|(run, _)| {
            Hit::at(run, "apk keeps its index", "Add --no-cache").replacing(
                view,
                "apk add ",
                "apk add --no-cache ",
            )
        })
        .collect()
}

fn is_pip(command: &Command) -> bool {
    let is_module =
        command.program().starts_with("python") && command.words.iter().any(|word| word == "pip");
    (matches!(command.program(), "pip" | "pip3") || is_module) && command.has("install")
}

fn pip_cache(view: &View<'_>) -> Vec<Hit> {
    let is_off = view.file.instructions.iter().any(|one| {
        one.is("ENV")
            && one
                .pairs()
                .iter()
                .any(|(name, _)| name == "PIP_NO_CACHE_DIR")
    });
    run_commands(view)
        .filter(|(run, command)| {
            is_pip(command)
                && !is_off
                && !command.has("--no-cache-dir")
                && !mounts_a_cache(run, "pip")
        })
        .map(|(run, _)| {
            Hit::at(
                run,
                "pip keeps its downloads",
                "Add --no-cache-dir, or mount a cache for the RUN",
            )
            .replacing(view, "install ", "install --no-cache-dir ")
        })
        .collect()
}

fn pip_unpinned(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter(|(_, command)| is_pip(command))
        .filter(|(_, command)| {
            ![
                "-r",
                "--requirement",
                "-c",
                "--constraint",
                "-e",
                "--editable",
            ]
            .iter()
            .any(|flag| command.words.iter().any(|word| word.starts_with(flag)))
        })
        .filter_map(|(run, command)| {
            let package = command
                .operands()
                .skip_while(|word| *word != "install")
                .skip(1)
                .find(|word| !word.contains(['=', '@', '/', '$', '<', '>', '~']) && *word != ".")?
                .to_owned();
            Some(Hit::at(
                run,
                format!("{package} is installed in any version"),
                format!("Name the version: {package}==VERSION"),
            ))
        })
        .collect()
}

fn npm_packages(command: &Command) -> Option<Vec<&str>> {
    if !(command.runs("npm", "install") || command.runs("npm", "i") || command.runs("npm", "add")) {
        return None;
    }
    Some(command.operands().skip(1).collect())
}

fn npm_unpinned(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter_map(|(run, command)| {
            let package = npm_packages(&command)?
                .into_iter()
                .find(|name| {
                    let has_version = name.rfind('@').is_some_and(|at| at > 0);
                    let is_path = name.starts_with(['.', '/']) || name.contains(['$', ':']);
                    !has_version && !is_path
                })?
                .to_owned();
            Some(Hit::at(
                run,
                format!("{package} is installed in any version"),
                format!("Name the version: {package}@VERSION"),
            ))
        })
        .collect()
}

fn npm_install(view: &View<'_>) -> Vec<Hit> {
    run_commands(view)
        .filter(|(_, command)| {
            npm_packages(command).is_some_and(|packages| packages.is_empty())
                && !command.has("-g")
                && !command.has("--global")
        })
        .map(|(run, _)| {
            Hit::at(run, "The lock file is not binding", "Use npm ci").replacing(
                view,
                "npm install",
                "npm ci",
            )
        })
        .collect()
}
