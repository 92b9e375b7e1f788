//! Files for what the folder has not: Dockerfiles, ignore files, manifests and a chart. Each is an
//! offer of its own, made from the form as it stands.

mod chart;
mod dockerfile;
mod ignore;
mod workload;

use app::model::{Draft, DraftComponent, Guess, NewFile, Offer};

use super::dockerfiles::{self, User};
use super::stack::{self, Kind, Stack};
use super::tree::{Tree, join, normal, shown};
use workload::Unit;

/// Where generated manifests and the chart go.
const MANIFESTS: &str = "k8s";
const CHART: &str = "chart";

/// Everything that could be written, and the draft with the chosen ones in it.
pub fn offers(tree: &Tree, draft: &Draft, chosen: &[String]) -> (Vec<Offer>, Draft) {
    let mut draft = draft.clone();
    let stacks = stack::all(tree);
    let mut offers = Vec::new();
    let mut units = Vec::new();
    let mut ignored: Vec<String> = Vec::new();
    for at in 0..draft.components.len() {
        let component = draft.components[at].clone();
        let Some(context) = normal(&component.context.value).filter(|_| component.taken) else {
            continue;
        };
        let sources = component.sources.clone().unwrap_or_else(|| context.clone());
        let stack = stacks.iter().find(|stack| stack.folder == sources);
        let mut user = User::Number;
        let mut is_built = !component.dockerfile.is_empty();
        if is_built {
            let facts = dockerfiles::facts(tree, &component.dockerfile.value);
            user = facts.map(|facts| facts.user).unwrap_or_default();
        } else if let Some(offer) =
            offer_dockerfile(tree, at, &component, &context, &sources, stack)
        {
            is_built = true;
            if chosen.contains(&offer.id) {
                let why = "Written by Slipway";
                draft.components[at].dockerfile = Guess::new(&offer.files[0].path, why);
            }
            offers.push(offer);
        }
        if is_built && !ignored.contains(&context) {
            ignored.push(context.clone());
            offers.extend(offer_ignore(tree, &context));
        }
        units.extend(Unit::new(&draft, at, stack.map(|stack| &stack.kind), user));
    }
    let is_complete =
        !units.is_empty() && units.len() == draft.components.iter().filter(|one| one.taken).count();
    if is_complete && draft.manifests.is_empty() && !tree.has_folder(MANIFESTS) {
        let offer = offer_manifests(&draft, &units);
        if chosen.contains(&offer.id) {
            draft.manifests = Guess::new(MANIFESTS, "Written by Slipway");
        }
        offers.push(offer);
    }
    if is_complete && draft.chart.is_empty() && !tree.has_folder(CHART) {
        let offer = Offer {
            id: "chart".to_owned(),
            title: "A Helm chart".to_owned(),
            why:
                "The same objects as a chart, for installing, upgrading and rolling back with helm"
                    .to_owned(),
            recommended: false,
            files: chart::files(CHART, &draft, &units),
        };
        if chosen.contains(&offer.id) {
            draft.chart = Guess::new(CHART, "Written by Slipway");
        }
        offers.push(offer);
    }
    (offers, draft)
}

fn offer_dockerfile(
    tree: &Tree,
    at: usize,
    component: &DraftComponent,
    context: &str,
    sources: &str,
    stack: Option<&Stack>,
) -> Option<Offer> {
    let stack = stack?;
    let path = join(sources, "Dockerfile");
    let port: u16 = component
        .port
        .value
        .trim()
        .parse()
        .ok()
        .filter(|port| *port > 0)?;
    if tree.has(&path) {
        return None;
    }
    Some(Offer {
        id: format!("dockerfile:{at}"),
        title: format!("A Dockerfile for {}", component.name.value),
        why: format!(
            "{} has none. It is {}: built in a stage of its own, run by a user that is not root",
            shown(sources),
            stack.kind.title()
        ),
        recommended: true,
        files: vec![NewFile {
            path,
            text: dockerfile::text(tree, stack, context, port)?,
        }],
    })
}

fn offer_ignore(tree: &Tree, context: &str) -> Option<Offer> {
    let path = join(context, ".dockerignore");
    if tree.has(&path) {
        return None;
    }
    Some(Offer {
        id: format!("dockerignore:{}", shown(context)),
        title: format!("An ignore file for the build context {}", shown(context)),
        why: "Without one, history, local settings and build output are sent to the builder and may end up in the image".to_owned(),
        recommended: true,
        files: vec![NewFile {
            path,
            text: ignore::text(),
        }],
    })
}

fn offer_manifests(draft: &Draft, units: &[Unit]) -> Offer {
    let mut files = vec![NewFile {
        path: join(MANIFESTS, "00-namespace.yaml"),
        text: format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {}\n  labels:\n    app.kubernetes.io/part-of: {}\n",
            draft.namespace.value.trim(),
            draft.name.value.trim()
        ),
    }];
    files.extend(units.iter().map(|unit| NewFile {
        path: join(MANIFESTS, &format!("{}.yaml", unit.name)),
        text: unit.manifest(),
    }));
    Offer {
        id: "manifests".to_owned(),
        title: "Manifests".to_owned(),
        why: "A Deployment with probes, resources and a restricted security context, and a Service, for each component".to_owned(),
        recommended: draft.chart.is_empty(),
        files,
    }
}

/// What a pod of it asks a node for: CPU, memory, and the most memory.
fn resources(kind: Option<&Kind>) -> (&'static str, &'static str, &'static str) {
    match kind {
        Some(Kind::Rust(_) | Kind::Go(_)) => ("25m", "32Mi", "128Mi"),
        Some(Kind::Node(node)) if matches!(node.start, stack::NodeStart::Static { .. }) => {
            ("10m", "16Mi", "64Mi")
        }
        Some(Kind::Node(_)) => ("50m", "128Mi", "512Mi"),
        Some(Kind::Python(_)) => ("50m", "96Mi", "384Mi"),
        None => ("50m", "64Mi", "256Mi"),
    }
}
