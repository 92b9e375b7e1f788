//! What is known of the project, as text for somebody who reads: assistants, through the context pack or
//! through tools. Everything that leaves here goes through [`shown`] first.

use app::model::{
    Finding, NextAction, PanelState, PlannedObject, PodRow, Severity, StepId, StepState,
};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject, ListParams, LogParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::deploy::preview::mask::{Mask, hide};
use crate::deploy::preview::noise::essence;
use crate::deploy::preview::object_diff::masked;
use crate::deploy::preview::path::Path;
use crate::engine::{MASK, Redactor};
use crate::project::ProjectSpec;

const LOG_LINES: i64 = 40;
const MOST_PODS: usize = 4;
const MOST_EVENTS: usize = 30;
const MOST_OBJECTS: usize = 12;
/// Longer lines say nothing more to an assistant.
const LONGEST_LINE: usize = 400;

/// Secrets are left out whole: not even their names' values.
pub const KINDS: [(&str, &str, &str); 3] = [
    ("apps", "v1", "Deployment"),
    ("", "v1", "Service"),
    ("", "v1", "ConfigMap"),
];

/// With everything hidden that is known to be a secret or looks like one.
pub fn shown(text: &str, redactor: &Redactor) -> String {
    let text = redactor.redact(text);
    let lines: Vec<String> = text.lines().map(hidden).collect();
    lines.join("\n")
}

/// With long lines cut: for text that is there to be looked through.
pub fn shortened(text: &str) -> String {
    let short = |line: &str| match line.char_indices().nth(LONGEST_LINE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(short).collect();
    lines.join("\n")
}

fn hidden(line: &str) -> String {
    // `Authorization: Bearer …`, whatever the token looks like.
    let lower = line.to_ascii_lowercase();
    for word in ["bearer ", "basic "] {
        if let Some(at) = lower.find(word)
            && lower.contains("authorization")
        {
            return format!("{}{MASK}", &line[..at + word.len()]);
        }
    }
    hide("", line, true).into_owned()
}

pub fn in_words(findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        let word = match finding.severity {
            Severity::Failed => "failed",
            Severity::Attention => "attention",
        };
        let mut text = format!(
            "{} ({word}): {}\n  why: {}\n",
            finding.code, finding.what, finding.why
        );
        for evidence in &finding.evidence {
            text.push_str(&format!("  {}:\n", evidence.source));
            for line in evidence.text.lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        for next in &finding.next {
            if let NextAction::Command { command, .. } = next {
                text.push_str(&format!("  try: {command}\n"));
            }
        }
        text
    };
    findings.iter().map(one).collect()
}

pub fn steps(state: &PanelState) -> String {
    let word = |step: &StepState| match step {
        StepState::Done { .. } => "done",
        StepState::Running { .. } => "running",
        StepState::Stale { .. } => "stale",
        StepState::Failed { .. } => "failed",
        StepState::Blocked { .. } => "blocked",
        _ => "to do",
    };
    let one = |(step, state): (&StepId, &StepState)| format!("{}: {}\n", step.title(), word(state));
    state.steps.iter().map(one).collect()
}

pub fn pods(state: &PanelState) -> String {
    let one = |pod: &PodRow| {
        let ready = if pod.ready { "ready" } else { "not ready" };
        let why = state.why_not_ready(pod).unwrap_or_default();
        let containers: Vec<String> = pod
            .containers
            .iter()
            .map(|own| format!("{} ({}, {} restarts)", own.name, own.image, own.restarts))
            .collect();
        format!(
            "{}: {}, {ready} {why}; {}\n",
            pod.name,
            pod.phase,
            containers.join(", ")
        )
    };
    state.pods.values().map(one).collect()
}

pub fn events(state: &PanelState) -> String {
    let mut rows: Vec<_> = state
        .events
        .values()
        .filter(|event| event.warning)
        .collect();
    rows.sort_by_key(|event| std::cmp::Reverse(event.at));
    let one = |event: &&app::model::EventRow| {
        format!(
            "{} {}: {} ({}x): {}\n",
            event.kind, event.name, event.reason, event.count, event.message
        )
    };
    rows.iter().take(MOST_EVENTS).map(one).collect()
}

/// The last lines of containers that are not well; one that cannot be read is left out.
pub async fn logs_of_the_unwell(
    connected: &Connected,
    namespace: &str,
    state: &PanelState,
) -> String {
    let unwell = state.pods.values().filter(|pod| pod.current && !pod.ready);
    let mut text = String::new();
    for pod in unwell.take(MOST_PODS) {
        for previous in [false, true] {
            text.push_str(&logs(connected, namespace, pod, LOG_LINES, previous).await);
        }
    }
    text
}

/// The last lines of each of a pod's containers; one that cannot be read is left out.
pub async fn logs(
    connected: &Connected,
    namespace: &str,
    pod: &PodRow,
    lines: i64,
    previous: bool,
) -> String {
    let api: Api<Pod> = Api::namespaced(connected.client.clone(), namespace);
    let mut text = String::new();
    for container in &pod.containers {
        let params = LogParams {
            container: Some(container.name.clone()),
            tail_lines: Some(lines),
            previous,
            ..LogParams::default()
        };
        if let Ok(said) = within(REQUEST_LIMIT, api.logs(&pod.name, &params)).await
            && !said.trim().is_empty()
        {
            let before = if previous {
                ", before its last restart"
            } else {
                ""
            };
            text.push_str(&format!(
                "{}, container {}{before}:\n",
                pod.name, container.name
            ));
            text.push_str(said.trim_end());
            text.push('\n');
        }
    }
    text
}

/// What the plan on the Deploy page would change, object by object.
pub fn plan(state: &PanelState) -> String {
    let Some(plan) = &state.plan else {
        return "No plan has been made; a person makes one on the Deploy page.\n".to_owned();
    };
    let one = |object: &PlannedObject| {
        format!(
            "{} {}: {:?}, {} fields, +{} -{} lines\n",
            object.kind, object.name, object.change, object.fields, object.added, object.removed
        )
    };
    let mut text: String = plan.objects.iter().map(one).collect();
    text.push_str(&in_words(&plan.findings));
    text
}

/// The project as `slipway.toml` has it; secrets by their names alone.
pub fn project(spec: &ProjectSpec, state: &PanelState) -> String {
    let cluster = state.cluster.as_ref();
    let mut text = format!(
        "project {} in namespace {} on {}\n",
        spec.name,
        spec.namespace,
        cluster.map_or("no cluster", |cluster| cluster.choice.label())
    );
    for component in &spec.components {
        text.push_str(&format!(
            "component {}: image {}, port {}\n",
            component.name, component.image, component.port
        ));
    }
    for secret in &spec.secrets {
        text.push_str(&format!(
            "secret {} (the value cannot be read)\n",
            secret.key
        ));
    }
    text
}

/// The live objects as YAML, without what the server keeps for itself; Secrets are never among them.
pub async fn objects(connected: &Connected, namespace: &str) -> String {
    let mut text = String::new();
    for (_, _, kind) in KINDS {
        text.push_str(&objects_of(connected, namespace, kind, None).await);
    }
    text
}

/// The live objects of one of [`KINDS`], or the one with this name; nothing for any other kind.
pub async fn objects_of(
    connected: &Connected,
    namespace: &str,
    kind: &str,
    name: Option<&str>,
) -> String {
    let Some((group, version, kind)) = KINDS.into_iter().find(|(_, _, known)| *known == kind)
    else {
        return String::new();
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> =
        Api::namespaced_with(connected.client.clone(), namespace, &resource);
    let Ok(list) = within(REQUEST_LIMIT, api.list(&ListParams::default())).await else {
        return String::new();
    };
    let ours = list.items.into_iter().filter(|object| {
        let own = object.metadata.name.as_deref().unwrap_or_default();
        own != "kube-root-ca.crt"
            && !own.starts_with("slipway-")
            && name.is_none_or(|name| name == own)
    });
    let mut text = String::new();
    for object in ours.take(MOST_OBJECTS) {
        let mut value = serde_json::to_value(&object).unwrap_or(Value::Null);
        value["kind"] = Value::from(kind);
        let bare = essence(&value);
        let shown = masked(Mask::of(&bare), &Path::default(), &bare);
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&shown).unwrap_or_default());
    }
    text
}
