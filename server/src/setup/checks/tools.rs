//! Programs that only have to be there in a fitting version.

use app::model::{CheckState, Finding, NextAction};

use super::Context;
use crate::adapters::{helm, kagent, kubectl, kubectl_ai, minikube};
use crate::process::{Captured, CommandSpec};
use crate::setup::fixes;
use crate::setup::machine::OsFamily;
use crate::setup::tool::{Reading, Tool, about, look_at};

async fn look(
    context: &Context,
    name: &'static str,
    adds: &'static str,
    ask: CommandSpec,
    read: impl FnOnce(&Captured) -> Reading,
) -> CheckState {
    let tool = Tool { name, adds, ask };
    look_at(&tool, context.os, &context.around, read).await
}

fn version_of(parse: impl Fn(&str) -> Option<String>) -> impl FnOnce(&Captured) -> Reading {
    move |captured| match parse(&captured.stdout) {
        Some(version) => Reading::Ok(version.trim_start_matches('v').to_owned()),
        None => Reading::Nonsense,
    }
}

/// The version, and the folder its profiles are in.
pub(super) async fn minikube(context: &Context) -> CheckState {
    let adds = "runs a real one-node cluster on this machine";
    let read = version_of(minikube::parse_version);
    let state = look(context, "minikube", adds, minikube::version(), read).await;
    match (state, crate::minikube::home(&context.around)) {
        (CheckState::Ok { evidence }, Some(home)) => CheckState::Ok {
            evidence: format!("{evidence}, profiles in {}", home.display()),
        },
        (state, _) => state,
    }
}

pub(super) async fn kubectl(context: &Context) -> CheckState {
    let adds = "is for you; Slipway talks to the cluster itself";
    let server = context.server_version.clone();
    let os = context.os;
    look(
        context,
        "kubectl",
        adds,
        kubectl::version(),
        |captured| match kubectl::parse_version(&captured.stdout) {
            Some(client) => read_kubectl(&client, server.as_deref(), os),
            None => Reading::Nonsense,
        },
    )
    .await
}

/// Kubernetes supports a kubectl one minor version older or newer than the API server.
fn read_kubectl(client: &str, server: Option<&str>, os: OsFamily) -> Reading {
    let shown = client.trim_start_matches('v');
    let Some(server) = server else {
        return Reading::Ok(shown.to_owned());
    };
    let apart = minor(client)
        .zip(minor(server))
        .filter(|((major, _), (other, _))| major == other)
        .map(|((_, client), (_, server))| client.abs_diff(server));
    match apart {
        Some(apart @ 2..) => {
            let mut finding = Finding::new(
                "KUBECTL_SKEW",
                format!("kubectl {shown} and Kubernetes {server} are {apart} versions apart"),
                "One minor version apart is supported; beyond that, commands may miss fields or fail. Slipway itself is not concerned.",
            )
            .attention()
            .about(about("kubectl"));
            finding.next = fixes::install("kubectl", os);
            finding.next.push(NextAction::advice(
                "With minikube, `minikube kubectl --` always fits the cluster",
            ));
            Reading::Wrong(finding)
        }
        _ => Reading::Ok(format!("{shown}; fits Kubernetes {server}")),
    }
}

/// Major and minor number of `v1.35.1` and its like.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim_start_matches('v').split(['.', '+', '-']);
    let major = numbers.next()?.parse().ok()?;
    Some((major, numbers.next()?.parse().ok()?))
}

pub(super) async fn helm(context: &Context) -> CheckState {
    let adds = "deploys the project's chart instead of its raw manifests";
    let os = context.os;
    let read = |captured: &Captured| read_helm(captured, os);
    look(context, "helm", adds, helm::version(helm::program()), read).await
}

pub(super) async fn kubectl_ai(context: &Context) -> CheckState {
    let adds = "can answer questions about the cluster";
    let read = version_of(kubectl_ai::parse_version);
    look(context, "kubectl-ai", adds, kubectl_ai::version(), read).await
}

pub(super) async fn kagent(context: &Context) -> CheckState {
    let adds = "manages agents that live in the cluster";
    let read = version_of(kagent::parse_version);
    look(context, "kagent", adds, kagent::version(), read).await
}

fn read_helm(captured: &Captured, os: OsFamily) -> Reading {
    let Some(version) = helm::parse_version(&captured.stdout) else {
        return Reading::Nonsense;
    };
    if version.is_usable() && !version.is_below_floor() {
        return Reading::Ok(version.to_string());
    }
    let floor = helm::HelmVersion::floor(version.major);
    let why = if version.is_usable() {
        format!(
            "It works, but versions before {floor} have known security holes in how they handle charts."
        )
    } else {
        format!("Slipway works with helm 3 and 4, {floor} or newer.")
    };
    let mut finding = Finding::new("TOOL_OUTDATED", format!("helm {version} is old"), why)
        .attention()
        .about(about("helm"));
    finding.next = fixes::install("helm", os);
    Reading::Wrong(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Ending;

    fn captured(stdout: &str, stderr: &str, code: i32) -> Captured {
        Captured {
            ending: Ending::Exited(code),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            truncated: false,
        }
    }

    #[test]
    fn old_helm_is_an_attention_and_not_a_failure() {
        let read = |text: &str| read_helm(&captured(text, "", 0), OsFamily::Debian);
        assert!(matches!(read("v3.21.4"), Reading::Ok(version) if version == "3.21.4"));
        let Reading::Wrong(finding) = read("v3.20.1") else {
            panic!("an old helm is named");
        };
        assert_eq!(finding.code, "TOOL_OUTDATED");
        assert_eq!(finding.severity, app::model::Severity::Attention);
        assert!(matches!(read("v2.17.0"), Reading::Wrong(_)));
        assert!(matches!(read("helm?"), Reading::Nonsense));
    }

    #[test]
    fn one_minor_version_apart_is_fine_and_two_are_not() {
        let read = |client, server| read_kubectl(client, server, OsFamily::Debian);
        assert!(matches!(read("v1.34.2", Some("v1.35.1")), Reading::Ok(_)));
        assert!(matches!(read("v1.32.4-dispatcher", None), Reading::Ok(_)));
        for (client, server) in [("v1.32.4", "v1.35.1"), ("v1.35.0", "v1.32.9+k3s1")] {
            let Reading::Wrong(finding) = read(client, Some(server)) else {
                panic!("{client} and {server} are too far apart");
            };
            assert_eq!(finding.code, "KUBECTL_SKEW");
        }
        assert!(matches!(read("odd", Some("v1.35.1")), Reading::Ok(_)));
    }
}
