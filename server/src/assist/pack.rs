//! The context pack: what an assistant needs to know of the project as it is now, and nothing that
//! could be a secret. Slipway sends it nowhere; a person sees it, chooses the parts and takes it along.

use app::model::{
    ContextPack, Failure, Finding, NextAction, PackPart, PackSection, PanelState, PodRow,
    PromptIdea, Severity, StepId, StepState,
};
use app::ports::Assistants;
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject, ListParams, LogParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::AssistRoom;
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::deploy::preview::mask::{Mask, hide};
use crate::deploy::preview::noise::essence;
use crate::deploy::preview::object_diff::masked;
use crate::deploy::preview::path::Path;
use crate::engine::{MASK, Redactor};

const LOG_LINES: i64 = 40;
const MOST_PODS: usize = 4;
const MOST_EVENTS: usize = 30;
const MOST_OBJECTS: usize = 12;
/// Longer lines say nothing more to an assistant.
const LONGEST_LINE: usize = 400;

/// Secrets are left out whole: not even their names' values.
const KINDS: [(&str, &str, &str); 3] = [
    ("apps", "v1", "Deployment"),
    ("", "v1", "Service"),
    ("", "v1", "ConfigMap"),
];

#[async_trait]
impl Assistants for AssistRoom {
    async fn pack(&self) -> Result<ContextPack, Failure> {
        let connected = self.inner.cluster.connected()?;
        let namespace = self.inner.project.spec().namespace.to_string();
        let state = self.inner.core.hub.read(Clone::clone);
        let redactor = &self.inner.core.redactor;
        let findings = self.diagnose_now();
        let logs = logs(&connected, &namespace, &state).await;
        let objects = objects(&connected, &namespace).await;
        let parts = [
            (PackPart::Findings, in_words(&findings)),
            (PackPart::Steps, steps(&state)),
            (PackPart::Pods, pods(&state)),
            (PackPart::Events, events(&state)),
            (PackPart::Logs, logs),
            (PackPart::Objects, objects),
        ];
        Ok(ContextPack {
            sections: parts
                .into_iter()
                .filter(|(_, text)| !text.trim().is_empty())
                .map(|(part, text)| section(part, &text, redactor))
                .collect(),
            ideas: ideas(&findings),
        })
    }
}

/// With everything hidden that is known to be a secret or looks like one.
fn section(part: PackPart, text: &str, redactor: &Redactor) -> PackSection {
    let text = redactor.redact(text);
    let lines: Vec<String> = text.lines().map(clean).collect();
    let text = lines.join("\n");
    PackSection {
        part,
        hidden: u32::try_from(text.matches(MASK).count()).unwrap_or(u32::MAX),
        text,
    }
}

fn clean(line: &str) -> String {
    let line = match line.char_indices().nth(LONGEST_LINE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    };
    // `Authorization: Bearer …`, whatever the token looks like.
    let lower = line.to_ascii_lowercase();
    for word in ["bearer ", "basic "] {
        if let Some(at) = lower.find(word)
            && lower.contains("authorization")
        {
            return format!("{}{MASK}", &line[..at + word.len()]);
        }
    }
    hide("", &line, true).into_owned()
}

fn in_words(findings: &[Finding]) -> String {
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

fn steps(state: &PanelState) -> String {
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

fn pods(state: &PanelState) -> String {
    let one = |pod: &PodRow| {
        let ready = if pod.ready { "ready" } else { "not ready" };
        let why = pod.why_not_ready.as_deref().unwrap_or_default();
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

fn events(state: &PanelState) -> String {
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
async fn logs(connected: &Connected, namespace: &str, state: &PanelState) -> String {
    let api: Api<Pod> = Api::namespaced(connected.client.clone(), namespace);
    let unwell = state.pods.values().filter(|pod| pod.current && !pod.ready);
    let mut text = String::new();
    for pod in unwell.take(MOST_PODS) {
        for container in &pod.containers {
            for previous in [false, true] {
                let params = LogParams {
                    container: Some(container.name.clone()),
                    tail_lines: Some(LOG_LINES),
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
        }
    }
    text
}

/// The live objects as YAML, without what the server keeps for itself; Secrets are never among them.
async fn objects(connected: &Connected, namespace: &str) -> String {
    let mut text = String::new();
    for (group, version, kind) in KINDS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> =
            Api::namespaced_with(connected.client.clone(), namespace, &resource);
        let Ok(list) = within(REQUEST_LIMIT, api.list(&ListParams::default())).await else {
            continue;
        };
        let ours = list.items.into_iter().filter(|object| {
            let name = object.metadata.name.as_deref().unwrap_or_default();
            name != "kube-root-ca.crt" && !name.starts_with("slipway-")
        });
        for object in ours.take(MOST_OBJECTS) {
            let mut value = serde_json::to_value(&object).unwrap_or(Value::Null);
            value["kind"] = Value::from(kind);
            let bare = essence(&value);
            let shown = masked(Mask::of(&bare), &Path::default(), &bare);
            text.push_str("---\n");
            text.push_str(&serde_yaml::to_string(&shown).unwrap_or_default());
        }
    }
    text
}

/// Questions about what is wrong now, the worst first, and some that are always good.
fn ideas(findings: &[Finding]) -> Vec<PromptIdea> {
    let idea = |title: &str, prompt: String| PromptIdea {
        title: title.to_owned(),
        prompt,
    };
    let mut ideas: Vec<PromptIdea> = findings
        .iter()
        .take(4)
        .map(|finding| {
            idea(
                &finding.what,
                format!(
                    "{}. Slipway calls it {}: {} What is the cause, how can I be sure, and what is the smallest change that heals it?",
                    finding.what, finding.code, finding.why
                ),
            )
        })
        .collect();
    ideas.extend([
        idea(
            "Explain the project",
            "Explain how this project runs on Kubernetes: its parts, how they find each other, and what is fragile about it.".to_owned(),
        ),
        idea(
            "Better probes",
            "Look at the probes and resources of every Deployment. Which would you change, to what, and why?".to_owned(),
        ),
        idea(
            "Smaller and safer",
            "What in these objects is larger or has more rights than it needs? Give the changed YAML for each.".to_owned(),
        ),
    ]);
    ideas
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hidden(text: &str, redactor: &Redactor) -> String {
        section(PackPart::Logs, text, redactor).text
    }

    #[test]
    fn tokens_are_told_by_their_shape() {
        let nobody = Redactor::default();
        for (text, secret) in [
            ("using key sk-proj-0123456789abcdefghij", "0123456789"),
            (
                "token ghp_0123456789abcdefghijABCDEFGHIJ012345",
                "0123456789",
            ),
            ("aws AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
            (
                "postgres://neon:hunter2hunter2@ep-x.neon.tech/db",
                "hunter2",
            ),
            ("Authorization: Bearer short", "short"),
            ("authorization: Basic dTpw", "dTpw"),
            (
                "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123",
                "eyJhbGci",
            ),
            ("DATABASE_PASSWORD=correct horse", "correct"),
            ("  \"apiKey\": \"0a1b2c3d4e\",", "0a1b2c"),
            ("random 9fK2mQ7xZ1pL4vB8nR3tY6wC0sD5gH", "9fK2mQ7x"),
        ] {
            let shown = hidden(text, &nobody);
            assert!(!shown.contains(secret), "{text}: {shown}");
            assert!(shown.contains(MASK), "{shown}");
        }
        assert_eq!(
            hidden("GET /ready answered 503", &nobody),
            "GET /ready answered 503"
        );
    }

    proptest! {
        #[test]
        fn a_known_value_is_in_no_form_in_it(value in "[a-zA-Z0-9!$%]{12,30}", before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
            use base64::Engine as _;
            let value = format!("Zq7{value}");
            let redactor = Redactor::default();
            redactor.learn(&value);
            let encoded = base64::engine::general_purpose::STANDARD.encode(&value);
            let url: String = value.bytes().map(|byte| match byte {
                b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            }).collect();
            for form in [&value, &encoded, &url] {
                let shown = hidden(&format!("{before} {form} {after}"), &redactor);
                prop_assert!(!shown.contains(form.as_str()), "{}", shown);
            }
        }
    }
}
