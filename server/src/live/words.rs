//! The findings of what is done and looked at on the Live page.

use std::io;
use std::time::Duration;

use app::model::{Finding, NextAction, ObjectKey, ObjectKind, Remedy, StepId, Subject};

use crate::adapters::kube::client::KubeError;

fn about(finding: Finding, kind: &str, name: &str) -> Finding {
    finding.about(Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
    })
}

fn check_again() -> NextAction {
    NextAction::Do {
        action: Remedy::Recheck,
        label: "Check again".to_owned(),
    }
}

pub(super) fn pod_gone() -> Finding {
    Finding::new(
        "POD_GONE",
        "This pod is not there any more",
        "It ended or was replaced since the page showed it. Nothing was deleted.",
    )
    .attention()
    .next(NextAction::advice("Look at the pods there are now"))
}

pub(super) fn not_deleted(name: &str, error: &KubeError) -> Finding {
    // A conflict is another pod under the same name: the UID did not fit.
    if error.is_not_found() || error.code() == Some(409) {
        return about(pod_gone(), "Pod", name);
    }
    let finding = Finding::new(
        "POD_NOT_DELETED",
        format!("Pod {name} could not be deleted"),
        format!("The cluster refused: {error}."),
    );
    let finding = if error.is_unreachable() {
        finding.next(check_again())
    } else {
        finding.next(NextAction::advice(
            "Ask for the right to delete pods in this namespace, or use another cluster",
        ))
    };
    about(finding, "Pod", name)
}

pub(super) fn pod_not_replaced(name: &str, what: &str, patience: Duration) -> Finding {
    about(
        Finding::new(
            "POD_NOT_REPLACED",
            format!("Pod {name} was deleted, but the wait went on too long"),
            format!(
                "Within {} s it was not seen that {what}. The cluster goes on by itself.",
                patience.as_secs()
            ),
        )
        .next(NextAction::Open {
            step: StepId::Assist,
            label: "See what is wrong".to_owned(),
        }),
        "Pod",
        name,
    )
}

pub(super) fn unreadable(key: &ObjectKey, error: &KubeError) -> Finding {
    let (kind, name) = (key.kind().word(), key.name());
    let finding = if error.is_not_found() {
        Finding::new(
            "OBJECT_NOT_THERE",
            format!("There is no {kind} {name}"),
            "The cluster does not have it, or not any more.",
        )
        .attention()
        .next(NextAction::advice(
            "Close this and look at what is there now",
        ))
    } else if error.is_unreachable() {
        Finding::new(
            "CLUSTER_UNREACHABLE",
            format!("{kind} {name} could not be read"),
            format!("The API server did not answer: {error}."),
        )
        .next(check_again())
    } else {
        Finding::new(
            "OBJECT_UNREADABLE",
            format!("{kind} {name} may not be read"),
            format!("The cluster refused: {error}."),
        )
        .next(NextAction::advice(format!(
            "Ask for the right to get this {kind} in this namespace"
        )))
    };
    about(finding, kind, name)
}

pub(super) fn map_unreadable(kind: ObjectKind, error: &KubeError) -> Finding {
    let kind = kind.word();
    let finding = if error.is_unreachable() {
        Finding::new(
            "CLUSTER_UNREACHABLE",
            format!("The {kind}s of the project could not be read"),
            format!("The API server did not answer: {error}."),
        )
    } else {
        Finding::new(
            "OBJECT_UNREADABLE",
            format!("The {kind}s of the project may not be read"),
            format!("The cluster refused: {error}."),
        )
    };
    finding.next(check_again())
}

fn about_service(finding: Finding, service: &str) -> Finding {
    about(finding, "Service", service)
}

pub(super) fn no_such_port(service: &str, port: u16) -> Finding {
    about_service(
        Finding::new(
            "FORWARD_NO_PORT",
            format!("Service {service} has no port {port}"),
            "Only a TCP port that the Service names can be forwarded.",
        )
        .next(NextAction::advice(
            "Look at the Service's ports, and choose one of them",
        )),
        service,
    )
}

pub(super) fn no_local_port(service: &str, error: &io::Error) -> Finding {
    about_service(
        Finding::new(
            "FORWARD_NOT_OPENED",
            "No port of this machine could be opened",
            format!("127.0.0.1 gave none: {error}."),
        )
        .next(NextAction::advice(
            "Close other forwards or programs, and try again",
        )),
        service,
    )
}

pub(super) fn too_many_forwards(most: usize) -> Finding {
    Finding::new(
        "FORWARDS_TOO_MANY",
        format!("{most} ports are forwarded already"),
        "Slipway opens no more at once.",
    )
    .attention()
    .next(NextAction::advice("Stop one that is not needed any more"))
}
