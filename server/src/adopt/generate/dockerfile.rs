//! Dockerfiles: built in one stage, run from a small one, not as root, on the port of the form.
//! The project's own hints have nothing to say about them; a test holds them to that.

use crate::adopt::stack::{
    Go, Kind, Manager, Node, NodeStart, Python, PythonPackages, Rust, Stack, Web, workspace_members,
};
use crate::adopt::tree::{Tree, join, name_of, shown};

/// The text; `context` is the folder that the build sees.
pub fn text(tree: &Tree, stack: &Stack, context: &str, port: u16) -> Option<String> {
    // From the context to the sources; outside of it nothing can be copied.
    let inside = match stack.folder.strip_prefix(context)? {
        "" => String::new(),
        rest if context.is_empty() => rest.to_owned(),
        rest => rest.strip_prefix('/')?.to_owned(),
    };
    let head = format!(
        "# The build context is {}.\n",
        if inside.is_empty() {
            "this folder".to_owned()
        } else {
            format!("the folder {} of the project", shown(context))
        }
    );
    let body = match &stack.kind {
        Kind::Node(node) => of_node(tree, node, context, &inside, port),
        Kind::Python(python) => of_python(python, &inside, port)?,
        Kind::Rust(rust) => of_rust(rust, port),
        Kind::Go(go) => of_go(go, port),
    };
    Some(format!("{head}{body}"))
}

/// A list as the exec form wants it.
fn exec(words: &[String]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| serde_json::Value::String(word.clone()).to_string())
        .collect();
    format!("[{}]", quoted.join(", "))
}

/// One `RUN` of several commands.
fn run(steps: &[String]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    format!("RUN {}\n", steps.join(" \\\n    && "))
}

fn of_node(tree: &Tree, node: &Node, context: &str, inside: &str, port: u16) -> String {
    let is_member = !inside.is_empty();
    let mut out = String::from("FROM node:22-bookworm-slim AS build\nWORKDIR /app\n");
    let lock = node.lock.as_deref().map(name_of);
    let mut first = vec!["package.json".to_owned()];
    first.extend(lock.map(str::to_owned));
    for more in ["pnpm-workspace.yaml", ".npmrc", ".yarnrc.yml"] {
        // A file that may hold a token of a registry stays out.
        if more != ".npmrc" && tree.has(&join(context, more)) {
            first.push(more.to_owned());
        }
    }
    if node.manager == Manager::Pnpm || node.manager == Manager::YarnBerry {
        out.push_str("RUN corepack enable\n");
    }
    out.push_str("# Dependencies first: this layer stays until the lock file changes.\n");
    out.push_str(&format!("COPY {} ./\n", first.join(" ")));
    if is_member {
        for member in workspace_members(tree, context) {
            let member = member
                .get(context.len()..)
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned();
            out.push_str(&format!("COPY {member}/package.json {member}/\n"));
        }
    }
    let install = match (node.manager, lock) {
        (Manager::Npm, Some(_)) => "npm ci",
        (Manager::Npm, None) => {
            out.push_str("# There is no lock file: `npm install --package-lock-only` writes one, then this can be `npm ci`.\n# slipway: ignore NPM_IGNORES_LOCK\n");
            "npm install --no-audit --no-fund"
        }
        (Manager::Pnpm, _) => "pnpm install --frozen-lockfile",
        (Manager::YarnClassic, _) => "yarn install --frozen-lockfile",
        (Manager::YarnBerry, _) => "yarn install --immutable",
    };
    out.push_str(&format!("RUN {install}\nCOPY . .\n"));
    // In one RUN: what a later one deletes would stay in the layer of an earlier one.
    let mut steps = Vec::new();
    if node.has_build {
        let build = match (node.manager, is_member) {
            (Manager::Npm, false) => "npm run build".to_owned(),
            (Manager::Npm, true) => format!("npm run build --workspace={inside}"),
            (Manager::Pnpm, false) => "pnpm run build".to_owned(),
            (Manager::Pnpm, true) => format!("pnpm --filter ./{inside} run build"),
            (Manager::YarnClassic | Manager::YarnBerry, false) => "yarn run build".to_owned(),
            (Manager::YarnClassic | Manager::YarnBerry, true) => {
                format!("yarn --cwd {inside} run build")
            }
        };
        steps.push(build);
    }
    let app = join("/app", inside).trim_end_matches('/').to_owned();
    if let NodeStart::Static { folder } = node.start {
        steps.push(format!(
            "printf 'server {{\\n  listen {port};\\n  root /usr/share/nginx/html;\\n  location / {{ try_files $uri $uri/ /index.html; }}\\n}}\\n' > /app/nginx.conf"
        ));
        out.push_str(&format!(
            "# Every path that is no file is a page of the app itself.\n{}\n\
             FROM nginxinc/nginx-unprivileged:1.29-alpine\n\
             COPY --from=build /app/nginx.conf /etc/nginx/conf.d/default.conf\n\
             COPY --from=build {app}/{folder} /usr/share/nginx/html\n\
             USER 101:101\nEXPOSE {port}\n",
            run(&steps)
        ));
        return out;
    }
    if node.manager == Manager::Npm
        && !is_member
        && !matches!(node.start, NodeStart::Next { standalone: true })
    {
        steps.push("npm prune --omit=dev".to_owned());
    }
    out.push_str(&run(&steps));
    out.push_str(&format!(
        "\nFROM node:22-bookworm-slim\nENV NODE_ENV=production HOSTNAME=0.0.0.0 PORT={port}\nWORKDIR {app}\n"
    ));
    let command: Vec<String> = match &node.start {
        NodeStart::Next { standalone: true } => {
            let has_public = tree.has_folder(&join(&join(context, inside), "public"));
            // What traces its own files lays them out as in the workspace.
            out.push_str(&format!(
                "COPY --from=build --chown=1000:1000 {app}/.next/standalone /app/\n"
            ));
            out.push_str(&format!(
                "COPY --from=build --chown=1000:1000 {app}/.next/static {app}/.next/static\n"
            ));
            if has_public {
                out.push_str(&format!(
                    "COPY --from=build --chown=1000:1000 {app}/public {app}/public\n"
                ));
            }
            vec!["node".to_owned(), "server.js".to_owned()]
        }
        NodeStart::Next { standalone: false } => {
            out.push_str("COPY --from=build --chown=1000:1000 /app /app/\n");
            let port = port.to_string();
            let up = if is_member {
                "../".repeat(inside.split('/').count())
            } else {
                String::new()
            };
            let program = format!("{up}node_modules/next/dist/bin/next");
            [
                "node",
                &program,
                "start",
                "--hostname",
                "0.0.0.0",
                "--port",
                &port,
            ]
            .map(str::to_owned)
            .to_vec()
        }
        NodeStart::Command(words) => {
            out.push_str("COPY --from=build --chown=1000:1000 /app /app/\n");
            words.clone()
        }
        NodeStart::Static { .. } => Vec::new(),
    };
    out.push_str(&format!(
        "USER 1000:1000\nEXPOSE {port}\nCMD {}\n",
        exec(&command)
    ));
    out
}

fn of_python(python: &Python, inside: &str, port: u16) -> Option<String> {
    // Its context is its own folder, unless a person chose another one.
    if !inside.is_empty() {
        return None;
    }
    let image = format!("python:{}-slim-bookworm", python.version);
    let mut out = format!("FROM {image} AS build\nWORKDIR /app\n");
    let server = match python.web {
        Web::Asgi => "uvicorn==0.34.0",
        Web::Wsgi | Web::Django => "gunicorn==23.0.0",
    };
    out.push_str("# Dependencies first: this layer stays until they change.\n");
    match python.packages {
        PythonPackages::Requirements => out.push_str(
            "RUN python -m venv /app/.venv\nENV PATH=/app/.venv/bin:$PATH\nCOPY requirements.txt ./\nRUN pip install --no-cache-dir -r requirements.txt\n",
        ),
        PythonPackages::Uv => out.push_str(
            "RUN pip install --no-cache-dir uv==0.8.0\nCOPY pyproject.toml uv.lock ./\nRUN uv sync --frozen --no-dev --no-install-project\nENV PATH=/app/.venv/bin:$PATH\n",
        ),
        PythonPackages::Poetry => out.push_str(
            "RUN pip install --no-cache-dir poetry==2.1.3\nENV POETRY_VIRTUALENVS_IN_PROJECT=1\nCOPY pyproject.toml poetry.lock ./\nRUN poetry install --only main --no-root --no-interaction\nENV PATH=/app/.venv/bin:$PATH\n",
        ),
        PythonPackages::Project => out.push_str(
            "RUN python -m venv /app/.venv\nENV PATH=/app/.venv/bin:$PATH\nCOPY . .\nRUN pip install --no-cache-dir .\n",
        ),
    }
    if !python.has_server {
        let note = "# The project names no server of its own: pin it there, and this can go.";
        // After an ENV it is a RUN of its own, after a RUN it joins that one.
        let added = match python.packages {
            PythonPackages::Uv => format!("{note}\nRUN uv pip install --no-cache {server}\n"),
            PythonPackages::Poetry => {
                format!("{note}\nRUN poetry run pip install --no-cache-dir {server}\n")
            }
            PythonPackages::Requirements | PythonPackages::Project => {
                out.truncate(out.trim_end().len());
                format!(" \\\n    {note}\n    && pip install --no-cache-dir {server}\n")
            }
        };
        out.push_str(&added);
    }
    let port_text = port.to_string();
    let bind = format!("0.0.0.0:{port}");
    let command: Vec<String> = match python.web {
        Web::Asgi => [
            "uvicorn",
            &python.entry,
            "--host",
            "0.0.0.0",
            "--port",
            &port_text,
        ]
        .map(str::to_owned)
        .to_vec(),
        Web::Wsgi | Web::Django => ["gunicorn", "--bind", &bind, &python.entry]
            .map(str::to_owned)
            .to_vec(),
    };
    out.push_str(&format!(
        "\nFROM {image}\nENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1\nWORKDIR /app\n\
         COPY --from=build /app/.venv /app/.venv\nCOPY . .\nUSER 10001:10001\nEXPOSE {port}\nCMD {}\n",
        exec(&command)
    ));
    Some(out)
}

fn of_rust(rust: &Rust, port: u16) -> String {
    // The full image has the headers of OpenSSL.
    let image = if rust.needs_openssl {
        "rust:1-bookworm"
    } else {
        "rust:1-slim-bookworm"
    };
    let locked = if rust.has_lock { " --locked" } else { "" };
    format!(
        "FROM {image} AS build\nWORKDIR /src\nCOPY . .\nRUN cargo build --release{locked} --package {} --bin {}\n\n\
         # The libraries of the same Debian release, TLS roots, no shell.\n\
         FROM gcr.io/distroless/cc-debian12:nonroot\n\
         COPY --from=build /src/target/release/{} /app\n\
         USER 65532:65532\nENV HOST=0.0.0.0 PORT={port}\nEXPOSE {port}\nENTRYPOINT [\"/app\"]\n",
        rust.package, rust.binary, rust.binary
    )
}

fn of_go(go: &Go, port: u16) -> String {
    let sum = if go.has_sum { " go.sum" } else { "" };
    format!(
        "FROM golang:{}-bookworm AS build\nWORKDIR /src\n\
         # Dependencies first: this layer stays until they change.\n\
         COPY go.mod{sum} ./\nRUN go mod download\nCOPY . .\n\
         RUN CGO_ENABLED=0 go build -trimpath -ldflags=\"-s -w\" -o /app {}\n\n\
         # TLS roots and time zones, no shell.\n\
         FROM gcr.io/distroless/static-debian12:nonroot\n\
         COPY --from=build /app /app\n\
         USER 65532:65532\nENV PORT={port}\nEXPOSE {port}\nENTRYPOINT [\"/app\"]\n",
        go.version, go.package
    )
}
