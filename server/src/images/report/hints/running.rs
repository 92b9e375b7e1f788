//! Rules about what the image does once it runs: its user, its port, its command.

use app::model::HintSeverity::{Advice, Warning};

use super::{Hit, Instruction, Rule, View};
use crate::adapters::docker::is_root;

pub const RULES: &[Rule] = &[
    Rule {
        id: "USER_ROOT",
        hadolint: Some("DL3002"),
        severity: Warning,
        why: "Who breaks into the app is root in the container; a namespace with the restricted policy refuses the pod.",
        find: user_root,
    },
    Rule {
        id: "USER_MISSING",
        hadolint: None,
        severity: Warning,
        why: "Without USER most base images run as root; a namespace with the restricted policy refuses the pod.",
        find: user_missing,
    },
    Rule {
        id: "USER_NOT_NUMERIC",
        hadolint: None,
        severity: Advice,
        why: "Kubernetes cannot tell whether a name is root, so runAsNonRoot refuses the pod.",
        find: user_not_numeric,
    },
    Rule {
        id: "PORT_NOT_EXPOSED",
        hadolint: None,
        severity: Advice,
        why: "EXPOSE tells people and tools where the app listens; slipway.toml says it too, and they should agree.",
        find: port_not_exposed,
    },
    Rule {
        id: "PORT_OTHER",
        hadolint: None,
        severity: Warning,
        why: "The Service and the probes go to the port of slipway.toml. If the app listens on the other one, nothing answers.",
        find: port_other,
    },
    Rule {
        id: "DEV_SERVER",
        hadolint: None,
        severity: Warning,
        why: "A development server watches files, is slow, and shows its insides to everybody.",
        find: dev_server,
    },
];

fn user_root(view: &View<'_>) -> Vec<Hit> {
    let last = view.file.last("USER").filter(|user| is_root(&user.rest));
    last.map(|user| {
        Hit::at(
            user,
            "The app runs as root",
            "End with a user of its own, by number",
        )
        .replacing(view, &user.rest, "10001:10001")
    })
    .into_iter()
    .collect()
}

/// The last stage, unless its base is known to be rootless.
fn user_missing(view: &View<'_>) -> Vec<Hit> {
    let chain = view.file.final_chain();
    let (Some(last), Some(bottom)) = (chain.first(), chain.last()) else {
        return Vec::new();
    };
    let is_rootless = bottom.image.contains("nonroot") || bottom.image.contains("rootless");
    if view.file.last("USER").is_some() || is_rootless {
        return Vec::new();
    }
    vec![
        Hit::at(
            last.from,
            "No USER is set",
            "Add a user of its own before CMD or ENTRYPOINT, by number",
        )
        .adding(&["USER 10001:10001"]),
    ]
}

fn user_not_numeric(view: &View<'_>) -> Vec<Hit> {
    let last = view.file.last("USER").filter(|user| {
        let name = user.rest.split(':').next().unwrap_or_default();
        !is_root(&user.rest) && !name.contains('$') && name.parse::<u32>().is_err()
    });
    last.map(|user| {
        Hit::at(
            user,
            format!("The user {} is a name", user.rest),
            "Use the number of this user",
        )
    })
    .into_iter()
    .collect()
}

/// Ports of the final image; `None` for one that a variable gives.
fn exposed<'a>(view: &'a View<'_>) -> Vec<(&'a Instruction, Option<u16>)> {
    let chain = view.file.final_chain();
    chain
        .iter()
        .flat_map(|stage| stage.instructions.iter())
        .filter(|one| one.is("EXPOSE"))
        .flat_map(|one| {
            one.words().into_iter().map(move |word| {
                let port = word.split('/').next().unwrap_or_default();
                (one, port.parse().ok())
            })
        })
        .collect()
}

fn port_not_exposed(view: &View<'_>) -> Vec<Hit> {
    let Some(last) = view.stages.last() else {
        return Vec::new();
    };
    if !exposed(view).is_empty() {
        return Vec::new();
    }
    vec![
        Hit::at(
            last.from,
            "No port is named",
            format!("Add EXPOSE {}", view.port),
        )
        .adding(&[&format!("EXPOSE {}", view.port)]),
    ]
}

fn port_other(view: &View<'_>) -> Vec<Hit> {
    let exposed = exposed(view);
    if exposed
        .iter()
        .any(|(_, port)| port.is_none_or(|port| port == view.port))
    {
        return Vec::new();
    }
    exposed
        .first()
        .map(|(one, port)| {
            let port = port.unwrap_or_default();
            Hit::at(
                one,
                format!("EXPOSE names {port}, slipway.toml names {}", view.port),
                "Correct the one that is wrong",
            )
            .replacing(view, &port.to_string(), &view.port.to_string())
        })
        .into_iter()
        .collect()
}

fn dev_server(view: &View<'_>) -> Vec<Hit> {
    ["ENTRYPOINT", "CMD"]
        .into_iter()
        .filter_map(|keyword| view.file.last(keyword))
        .filter_map(|one| {
            let command = one.commands().into_iter().find_map(|command| {
                let words: Vec<&str> = command
                    .words
                    .iter()
                    .map(String::as_str)
                    .skip_while(|word| matches!(*word, "npx" | "bunx" | "poetry" | "pipenv" | "uv"))
                    .skip_while(|word| *word == "run" || *word == "exec")
                    .collect();
                is_dev_server(&words).then(|| command.words.join(" "))
            })?;
            Some(Hit::at(
                one,
                format!("{} is for development", super::mask(&command)),
                "Build the app in a stage and start what the build made",
            ))
        })
        .collect()
}

fn is_dev_server(words: &[&str]) -> bool {
    let has = |word: &str| words.contains(&word);
    match words {
        ["npm" | "yarn" | "pnpm" | "bun", "run", script, ..] | ["yarn" | "pnpm", script, ..] => {
            matches!(*script, "dev" | "develop" | "serve" | "watch")
        }
        ["next" | "nuxt" | "astro" | "gatsby", "dev" | "develop", ..] => true,
        ["vite"] | ["vite", "dev" | "serve" | "--host", ..] => true,
        ["ng" | "vue-cli-service", "serve", ..] | ["react-scripts", "start", ..] => true,
        ["nodemon" | "webpack-dev-server", ..] => true,
        ["flask", ..] => has("run"),
        ["uvicorn" | "gunicorn", ..] => has("--reload"),
        ["fastapi", "dev", ..] => true,
        ["python" | "python3", rest @ ..] => {
            rest.iter().any(|word| word.ends_with("manage.py")) && has("runserver")
                || (has("uvicorn") && has("--reload"))
                || (has("flask") && has("run"))
        }
        ["cargo", "run" | "watch", ..] | ["go", "run", ..] | ["dotnet", "watch", ..] => true,
        ["php", "artisan", "serve", ..] => true,
        _ => false,
    }
}
