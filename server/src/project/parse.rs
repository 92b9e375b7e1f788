//! From the text of a `slipway.toml` to the specification: which keys there are and what they mean.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use app::model::{
    ApiProvider, Builder, ComponentName, Finding, Namespace, NextAction, ProbePaths, SecretKey,
    SecretKind,
};
use toml::de::DeTable;

use super::FILE;
use super::document::{Placed, Problem, Report, Section, closest};
use super::size::parse_size;
use super::spec::{
    BuildSecretFrom, BuildSecretSpec, ComponentSpec, DeploySpec, Expose, PackRecipe, ProjectSpec,
    SecretSpec,
};

const PROJECT_KEYS: &[&str] = &["name", "namespace", "secret", "registry"];
const COMPONENT_KEYS: &[&str] = &[
    "name",
    "image",
    "context",
    "dockerfile",
    "port",
    "probes",
    "size_budget",
    "expose",
    "builder",
    "build_args",
    "build_secret",
    "pack",
];
const BUILD_SECRET_KEYS: &[&str] = &["id", "env", "file"];
const PACK_KEYS: &[&str] = &["build", "binary", "files", "env", "args"];
const SECRET_KEYS: &[&str] = &[
    "key",
    "label",
    "help",
    "kind",
    "min_length",
    "optional",
    "components",
    "rehearsal",
    "provider",
    "test_url",
];
const SECRET_KINDS: &[&str] = &[
    "postgres-url",
    "url",
    "api-key",
    "random",
    "text",
    "multi-line",
    "file",
];
const DEPLOY_KEYS: &[&str] = &["manifests", "chart", "values", "image_values"];
const DEFAULT_RANDOM_LENGTH: u32 = 32;

/// Reads the whole file; the error lists every mistake there is.
pub fn parse(root: &Path, text: &str) -> Result<ProjectSpec, Finding> {
    let report = Report::new(Path::new(FILE), text);
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            report.add(Problem {
                code: "PROJECT_SYNTAX",
                what: "slipway.toml is not valid TOML".to_owned(),
                why: format!(
                    "{}.",
                    first_upper(error.message().lines().next().unwrap_or_default())
                ),
                advice: "Mend the marked line".to_owned(),
                span: error.span().unwrap_or(0..0),
            });
            report.finish()?;
            // `finish` fails whenever something was reported.
            return Err(Finding::new(
                "PROJECT_SYNTAX",
                "slipway.toml is not valid TOML",
                "",
            ));
        }
    };
    let top = Section::new("slipway.toml", document.get_ref(), 0..0, &report);
    top.allow(&["project", "component", "secret", "deploy"]);
    let spec = project(&top, root);
    report.finish()?;
    spec.ok_or_else(|| {
        Finding::new(
            "PROJECT_MISSING_KEY",
            "slipway.toml describes no project",
            "It has neither a [project] nor a [[component]] that can be used.",
        )
    })
}

fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

fn project(top: &Section<'_, '_, '_>, root: &Path) -> Option<ProjectSpec> {
    let about = top.section("project", "[project]");
    if !top.has("project") {
        top.missing("[project]", "a [project] section with a name");
    }
    let name = about.as_ref().and_then(|about| {
        about.allow(PROJECT_KEYS);
        if !about.has("name") {
            about.missing("name", "name = \"my-app\"");
        }
        // The project's name becomes part of labels and object names.
        about.name::<ComponentName>("name")
    });
    let namespace = about
        .as_ref()
        .and_then(|about| about.name::<Namespace>("namespace"))
        .map(|placed| placed.value)
        .or_else(|| name.as_ref()?.value.as_str().parse().ok());
    let secret_name = about
        .as_ref()
        .and_then(|about| about.name::<ComponentName>("secret"))
        .map(|placed| placed.value.to_string());

    let registry = about.as_ref().and_then(registry);

    let mut components: Vec<ComponentSpec> = Vec::new();
    let sections = top.sections("component", "[[component]]");
    if sections.is_empty() && !top.has("component") {
        top.missing("[[component]]", "at least one [[component]]");
    }
    for section in sections {
        if let Some(read) = component(&section, name.as_ref().map(|name| name.value.as_str())) {
            if components.iter().any(|other| other.name == read.value.name) {
                duplicate(&section, read.span, "component", read.value.name.as_str());
            } else {
                components.push(read.value);
            }
        }
    }
    let mut secrets: Vec<SecretSpec> = Vec::new();
    for section in top.sections("secret", "[[secret]]") {
        if let Some(read) = secret(&section, &components) {
            if secrets.iter().any(|other| other.key == read.value.key) {
                duplicate(&section, read.span, "secret", read.value.key.as_str());
            } else {
                secrets.push(read.value);
            }
        }
    }
    let deploy = deploy(top, root, &components);
    let name = name?.value;
    Some(ProjectSpec {
        secret_name: secret_name.unwrap_or_else(|| format!("{name}-secrets")),
        name: name.to_string(),
        namespace: namespace?,
        registry,
        components,
        secrets,
        deploy,
    })
}

fn duplicate(section: &Section<'_, '_, '_>, span: Range<usize>, what: &str, name: &str) {
    section.report().add(Problem {
        code: "PROJECT_DUPLICATE",
        what: format!("slipway.toml has two {what}s called `{name}`"),
        why: format!("Every {what} needs a name of its own."),
        advice: "Rename or remove one of them".to_owned(),
        span,
    });
}

fn component(
    section: &Section<'_, '_, '_>,
    project: Option<&str>,
) -> Option<Placed<ComponentSpec>> {
    section.allow(COMPONENT_KEYS);
    let report = section.report();
    let name = section
        .required_string("name", "name = \"backend\"")
        .and_then(|text| section.check_name::<ComponentName>("name", &text));
    let port = section.number("port", 1..65_536);
    if !section.has("port") {
        section.missing("port", "port = 8080, the port its container listens on");
    }
    let image = section.string("image").and_then(|image| {
        if is_repository(&image.value) {
            return Some(image.value);
        }
        report.wrong_value(
            image.span,
            format!("`image` of {} in slipway.toml is not a repository", section.title),
            "Slipway adds a tag made from the content, so it wants lower-case letters, digits, `.`, `_`, `-` and `/`, without a tag.".to_owned(),
            "Write it like image = \"todo-backend\"",
        );
        None
    });
    let size_budget_bytes = section.string("size_budget").and_then(|size| {
        let bytes = parse_size(&size.value);
        if bytes.is_none() {
            report.wrong_value(
                size.span,
                "`size_budget` in slipway.toml is not a size".to_owned(),
                format!("`{}` is not a number with a unit.", size.value),
                "Write it like size_budget = \"200MB\"",
            );
        }
        bytes
    });
    let name = name?;
    let folder = PathBuf::from(name.value.as_str());
    Some(Placed {
        span: name.span.clone(),
        value: ComponentSpec {
            image: image.unwrap_or_else(|| format!("{}-{}", project.unwrap_or("app"), name.value)),
            context: section
                .string("context")
                .map_or(folder, |context| PathBuf::from(context.value)),
            dockerfile: section
                .string("dockerfile")
                .map(|dockerfile| PathBuf::from(dockerfile.value)),
            port: port
                .and_then(|port| u16::try_from(port.value).ok())
                .unwrap_or(0),
            probes: probes(section),
            expose: expose(section),
            size_budget_bytes,
            builder: builder(section),
            build_args: variables(section, "build_args"),
            build_secrets: section
                .sections("build_secret", "[[component.build_secret]]")
                .iter()
                .filter_map(build_secret)
                .collect(),
            pack: section
                .section("pack", "[component.pack]")
                .and_then(|pack| recipe(&pack)),
            name: name.value,
        },
    })
}

/// A repository without a tag or digest, by the reference grammar.
fn is_repository(text: &str) -> bool {
    let (host, path) = match text.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) => (Some(host), path),
        _ => (None, text),
    };
    let host_ok = host.is_none_or(|host| {
        let (name, port) = host.split_once(':').unwrap_or((host, "80"));
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
            && port.parse::<u16>().is_ok()
    });
    host_ok
        && text.len() <= 255
        && path.split('/').all(|part| {
            let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            part.starts_with(edge)
                && part.ends_with(edge)
                && part.chars().all(|c| edge(c) || "._-".contains(c))
        })
}

fn probes(section: &Section<'_, '_, '_>) -> ProbePaths {
    let Some(probes) = section.section("probes", "probes") else {
        return ProbePaths::default();
    };
    probes.allow(&["startup", "liveness", "readiness"]);
    let path = |key: &str| {
        let path = probes.string(key)?;
        if path.value.starts_with('/') {
            return Some(path.value);
        }
        probes.report().wrong_value(
            path.span,
            format!("The {key} probe in slipway.toml is not a path"),
            "A probe asks the component over HTTP, so its path starts with a slash.".to_owned(),
            &format!("Write it like {key} = \"/health\""),
        );
        None
    };
    ProbePaths {
        startup: path("startup"),
        liveness: path("liveness"),
        readiness: path("readiness"),
    }
}

fn expose(section: &Section<'_, '_, '_>) -> Expose {
    let known = ["ClusterIP", "NodePort", "LoadBalancer"];
    let Some(text) = section.string("expose") else {
        return Expose::ClusterIp;
    };
    match text.value.as_str() {
        "ClusterIP" => Expose::ClusterIp,
        "NodePort" => Expose::NodePort,
        "LoadBalancer" => Expose::LoadBalancer,
        other => {
            unknown_word(section, &text.span, "expose", other, &known);
            Expose::ClusterIp
        }
    }
}

/// A registry's host, with or without a path.
fn registry(section: &Section<'_, '_, '_>) -> Option<String> {
    let registry = section.string("registry")?;
    let text = registry.value.trim_end_matches('/');
    let has_host = text
        .split('/')
        .next()
        .is_some_and(|host| host.contains(['.', ':']) || host == "localhost");
    if has_host && is_repository(&format!("{text}/x")) {
        return Some(text.to_owned());
    }
    section.report().wrong_value(
        registry.span,
        "`registry` in slipway.toml is not a registry".to_owned(),
        format!(
            "`{}` must be a host, perhaps with a path, without `https://`.",
            registry.value
        ),
        "Write it like registry = \"ghcr.io/my-team\"",
    );
    None
}

fn builder(section: &Section<'_, '_, '_>) -> Option<Builder> {
    let text = section.string("builder")?;
    let (builder, key) = match text.value.as_str() {
        "docker" => (Builder::Docker, "dockerfile"),
        "pack" => (Builder::Pack, "pack"),
        other => {
            unknown_word(section, &text.span, "builder", other, &["docker", "pack"]);
            return None;
        }
    };
    if !section.has(key) {
        section.report().wrong_value(
            text.span,
            format!(
                "`builder` in slipway.toml asks for {}, which has nothing to go by",
                text.value
            ),
            format!(
                "The builder `{}` follows `{key}`, and this component has none.",
                text.value
            ),
            &format!("Add {key}, or remove builder"),
        );
        return None;
    }
    Some(builder)
}

fn build_secret(section: &Section<'_, '_, '_>) -> Option<BuildSecretSpec> {
    section.allow(BUILD_SECRET_KEYS);
    let id = section.required_string("id", "id = \"npm-token\"")?;
    // The docker CLI reads it as part of `id=…,src=…`.
    let plain = |text: &str| !text.is_empty() && !text.contains([',', '=', '"', '\n']);
    let from = match (section.string("env"), section.string("file")) {
        (Some(env), None) if env.value.parse::<SecretKey>().is_ok() => {
            BuildSecretFrom::Env(env.value)
        }
        (None, Some(file)) if plain(&file.value) => BuildSecretFrom::File(file.value.into()),
        (Some(wrong), None) | (None, Some(wrong)) => {
            section.report().wrong_value(
                wrong.span,
                "A build secret in slipway.toml comes from nowhere".to_owned(),
                format!(
                    "`{}` is no name of a variable or file that can be handed to a build.",
                    wrong.value
                ),
                "Write env = \"NPM_TOKEN\" or file = \"secrets/npm-token\"",
            );
            return None;
        }
        _ => {
            section.missing(
                "env",
                "either env = \"NPM_TOKEN\" or file = \"secrets/npm-token\"",
            );
            return None;
        }
    };
    if !plain(&id.value) {
        section.report().wrong_value(
            id.span,
            "`id` of a build secret in slipway.toml cannot be used".to_owned(),
            "It becomes part of an option of the docker CLI, so it has no comma, quote or equals sign.".to_owned(),
            "Write it like id = \"npm-token\"",
        );
        return None;
    }
    Some(BuildSecretSpec { id: id.value, from })
}

fn unknown_word(
    section: &Section<'_, '_, '_>,
    span: &Range<usize>,
    key: &str,
    found: &str,
    known: &[&str],
) {
    let advice = match closest(found, known) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => format!("Choose one of {}", known.join(", ")),
    };
    section.report().wrong_value(
        span.clone(),
        format!("`{key}` in slipway.toml has an unknown value `{found}`"),
        format!("It can be {}.", known.join(", ")),
        &advice,
    );
}

fn recipe(section: &Section<'_, '_, '_>) -> Option<PackRecipe> {
    section.allow(PACK_KEYS);
    let binary = section.required_string("binary", "binary = \"target/release/my-app\"");
    let texts = |key: &str| -> Vec<String> {
        section
            .strings(key)
            .into_iter()
            .map(|text| text.value)
            .collect()
    };
    let mut files = BTreeMap::new();
    for (source, dest) in section.string_map("files") {
        if dest.value.starts_with('/') && !dest.value.split('/').any(|part| part == "..") {
            files.insert(PathBuf::from(source), dest.value);
        } else {
            section.report().wrong_value(
                dest.span,
                "A destination in `files` of slipway.toml is not an absolute path".to_owned(),
                format!(
                    "`{}` must start with a slash and have no `..` in it.",
                    dest.value
                ),
                "Write it like files = { \"assets\" = \"/app/assets\" }",
            );
        }
    }
    Some(PackRecipe {
        build: texts("build"),
        binary: PathBuf::from(binary?.value),
        files,
        env: variables(section, "env"),
        args: texts("args"),
    })
}

/// A table of variables: every key is a variable's name.
fn variables(section: &Section<'_, '_, '_>, key: &str) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in section.string_map(key) {
        match name.parse::<SecretKey>() {
            Ok(_) => {
                variables.insert(name, value.value);
            }
            Err(error) => section.report().wrong_value(
                value.span,
                format!("A name in `{key}` of slipway.toml is no variable name"),
                format!("{error}."),
                "Choose a name that follows the rule",
            ),
        }
    }
    variables
}

fn secret(
    section: &Section<'_, '_, '_>,
    components: &[ComponentSpec],
) -> Option<Placed<SecretSpec>> {
    section.allow(SECRET_KEYS);
    let key = section
        .required_string("key", "key = \"DATABASE_URL\"")
        .and_then(|text| section.check_name::<SecretKey>("key", &text));
    let min_length = section.number("min_length", 1..4097);
    let provider = section.string("provider");
    let provider_span = provider.as_ref().map(|word| word.span.clone());
    let provider = provider.and_then(|word| api_provider(section, &word));
    let kind = section.string("kind");
    let kind_word = kind.as_ref().map_or("text", |kind| kind.value.as_str());
    let secret_kind = match kind_word {
        "postgres-url" => SecretKind::PostgresUrl,
        "url" => SecretKind::Url,
        "api-key" => SecretKind::ApiKey { provider },
        "random" => SecretKind::Random {
            min_length: min_length
                .as_ref()
                .map_or(DEFAULT_RANDOM_LENGTH, |length| length.value),
        },
        "text" => SecretKind::Text,
        "multi-line" => SecretKind::MultiLine,
        "file" => SecretKind::File,
        other => {
            if let Some(kind) = &kind {
                unknown_word(section, &kind.span, "kind", other, SECRET_KINDS);
            }
            SecretKind::Text
        }
    };
    if let Some(length) = min_length
        && !matches!(secret_kind, SecretKind::Random { .. })
    {
        section.report().wrong_value(
            length.span,
            "`min_length` in slipway.toml has no effect here".to_owned(),
            format!("It belongs to secrets of kind `random`, and this one is `{kind_word}`."),
            "Remove it, or write kind = \"random\"",
        );
    }
    let test_url = section.string("test_url");
    let for_keys = [
        ("provider", provider_span),
        ("test_url", test_url.as_ref().map(|url| url.span.clone())),
    ];
    for (word, span) in for_keys {
        if let Some(span) = span
            && !matches!(secret_kind, SecretKind::ApiKey { .. })
        {
            section.report().wrong_value(
                span,
                format!("`{word}` in slipway.toml has no effect here"),
                format!("It belongs to secrets of kind `api-key`, and this one is `{kind_word}`."),
                "Remove it, or write kind = \"api-key\"",
            );
        }
    }
    if let Some(url) = &test_url
        && !(url.value.starts_with("https://") || url.value.starts_with("http://"))
    {
        section.report().wrong_value(
            url.span.clone(),
            "`test_url` in slipway.toml cannot be asked".to_owned(),
            "It is the base URL of an OpenAI-compatible API.".to_owned(),
            "Write it like https://api.openai.com/v1",
        );
    }
    let mut names = Vec::new();
    for text in section.strings("components") {
        match components
            .iter()
            .find(|one| one.name.as_str() == text.value)
        {
            Some(component) => names.push(component.name.clone()),
            None => {
                let known: Vec<&str> = components.iter().map(|one| one.name.as_str()).collect();
                unknown_word(section, &text.span, "components", &text.value, &known);
            }
        }
    }
    if names.is_empty() {
        names = components.iter().map(|one| one.name.clone()).collect();
    }
    let text = |key: &str| section.string(key).map(|text| text.value);
    let (label, help, rehearsal) = (text("label"), text("help"), text("rehearsal"));
    let optional = section.boolean("optional").unwrap_or(false);
    let key = key?;
    Some(Placed {
        span: key.span.clone(),
        value: SecretSpec {
            label: label.unwrap_or_else(|| key.value.to_string()),
            key: key.value,
            help: help.unwrap_or_default(),
            kind: secret_kind,
            optional,
            components: names,
            rehearsal,
            test_url: test_url.map(|url| url.value),
        },
    })
}

fn api_provider(section: &Section<'_, '_, '_>, word: &Placed<String>) -> Option<ApiProvider> {
    let found = ApiProvider::ALL
        .into_iter()
        .find(|provider| provider.word() == word.value);
    if found.is_none() {
        let known = ApiProvider::ALL.map(ApiProvider::word);
        unknown_word(section, &word.span, "provider", &word.value, &known);
    }
    found
}

/// Without a `[deploy]` section the usual folders are taken where they exist.
fn deploy(top: &Section<'_, '_, '_>, root: &Path, components: &[ComponentSpec]) -> DeploySpec {
    let Some(section) = top.section("deploy", "[deploy]") else {
        let usual = |name: &str, file: &str| {
            root.join(name)
                .join(file)
                .exists()
                .then(|| PathBuf::from(name))
        };
        return DeploySpec {
            manifests: usual("k8s", ".").into_iter().collect(),
            chart: usual("chart", "Chart.yaml"),
            values: Vec::new(),
            image_values: BTreeMap::new(),
        };
    };
    section.allow(DEPLOY_KEYS);
    let path = |key: &str| section.string(key).map(|text| PathBuf::from(text.value));
    let spec = DeploySpec {
        manifests: section
            .string_or_strings("manifests")
            .into_iter()
            .map(|text| PathBuf::from(text.value))
            .collect(),
        chart: path("chart"),
        values: section
            .strings("values")
            .into_iter()
            .map(|text| PathBuf::from(text.value))
            .collect(),
        image_values: image_values(&section, components),
    };
    if let (Some(first), None) = (section.strings("values").first(), &spec.chart) {
        section.report().wrong_value(
            first.span.clone(),
            "`values` in slipway.toml has no effect here".to_owned(),
            "Values files belong to a chart, and [deploy] names none.".to_owned(),
            "Add chart = \"chart\", or remove values",
        );
    }
    spec
}

/// `backend = "api.image"`: component → dotted path into the chart's values.
fn image_values(
    section: &Section<'_, '_, '_>,
    components: &[ComponentSpec],
) -> BTreeMap<ComponentName, String> {
    let mut found = BTreeMap::new();
    for (name, path) in section.string_map("image_values") {
        let Some(component) = components.iter().find(|one| one.name.as_str() == name) else {
            let known: Vec<&str> = components.iter().map(|one| one.name.as_str()).collect();
            unknown_word(section, &path.span, "image_values", &name, &known);
            continue;
        };
        if path.value.is_empty() || path.value.split('.').any(str::is_empty) {
            section.report().wrong_value(
                path.span,
                format!("`image_values` of {name} in slipway.toml is no path"),
                format!(
                    "It is `{}` and names nothing in the chart's values.",
                    path.value
                ),
                "Write it like \"backend.image\"",
            );
            continue;
        }
        found.insert(component.name.clone(), path.value);
    }
    found
}

/// Every path the file names must exist, or be among those that are coming. What a build leaves
/// behind need not, yet.
pub fn check_paths(root: &Path, spec: &ProjectSpec, coming: &[PathBuf]) -> Result<(), Finding> {
    let comes = |path: &Path| coming.iter().any(|file| file.starts_with(path));
    let mut missing: Vec<(String, &Path)> = Vec::new();
    for component in &spec.components {
        let about = |key: &str| format!("`{key}` of component `{}`", component.name);
        if !root.join(&component.context).is_dir() {
            missing.push((about("context"), &component.context));
        }
        if let Some(dockerfile) = &component.dockerfile
            && !root.join(dockerfile).is_file()
            && !comes(dockerfile)
        {
            missing.push((about("dockerfile"), dockerfile));
        }
    }
    let manifests = spec.deploy.manifests.iter().map(|path| ("manifests", path));
    let chart = spec.deploy.chart.iter().map(|path| ("chart", path));
    for (key, path) in manifests.chain(chart) {
        if !root.join(path).exists() && !comes(path) {
            missing.push((format!("`{key}` of [deploy]"), path));
        }
    }
    for values in &spec.deploy.values {
        // As with helm, relative to the chart's folder or to the project's.
        let in_chart = spec
            .deploy
            .chart
            .as_ref()
            .map(|chart| root.join(chart).join(values));
        if !root.join(values).is_file() && !in_chart.is_some_and(|path| path.is_file()) {
            missing.push(("`values` of [deploy]".to_owned(), values));
        }
    }
    let Some((key, path)) = missing.first() else {
        return Ok(());
    };
    let mut finding = Finding::new(
        "PROJECT_MISSING_PATH",
        format!("The project has no {}", path.display()),
        format!(
            "{FILE} names it as {key}, and in {} there is nothing of that name.",
            root.display()
        ),
    )
    .next(NextAction::advice(format!(
        "Create it, or correct the path in {FILE}"
    )));
    for (key, path) in missing.iter().skip(1) {
        finding = finding.evidence(FILE, format!("{key}: {} does not exist", path.display()));
    }
    Err(finding)
}
