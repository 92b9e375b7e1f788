//! Causes of a rollout that does not get on, in the same words wherever they are found: while a
//! deploy is followed, and by the standing diagnosis.

use app::model::{Finding, NextAction, StepId, Subject};

/// UNSCHEDULABLE: no node takes a pod. `message` is the scheduler's.
pub fn no_node(
    workload: &str,
    subject: Subject,
    pod: &str,
    namespace: &str,
    message: &str,
) -> Finding {
    let lower = message.to_ascii_lowercase();
    let (cause, advice) = if lower.contains("insufficient memory") {
        (
            "no node has the memory it asks for",
            "Lower resources.requests.memory, or give the cluster more memory",
        )
    } else if lower.contains("insufficient cpu") {
        (
            "no node has the CPU it asks for",
            "Lower resources.requests.cpu, or give the cluster more CPUs",
        )
    } else if lower.contains("taint") {
        (
            "the nodes have taints it does not tolerate",
            "See `kubectl describe node` for the taint: not ready, disk or memory pressure?",
        )
    } else if lower.contains("persistentvolumeclaim") {
        (
            "a volume it needs is not there",
            "Create the claim it names, or a storage class for it",
        )
    } else if lower.contains("affinity") || lower.contains("selector") {
        (
            "no node matches its node selector or affinity",
            "Correct nodeSelector or affinity in its manifest",
        )
    } else {
        ("no node takes it", "The message below says why")
    };
    Finding::new(
        "UNSCHEDULABLE",
        format!("{workload} has no node to run on"),
        format!("Its pod waits because {cause}."),
    )
    .about(subject)
    .next(NextAction::Advice {
        text: advice.to_owned(),
    })
    .next(NextAction::Command {
        command: format!("kubectl describe pod {pod}{}", namespace_flag(namespace)),
        why: "Shows what the scheduler says in full".to_owned(),
    })
    .evidence(format!("Pod {pod}, FailedScheduling"), message)
}

/// QUOTA_OR_ADMISSION: the API server refuses the pods, so there are none to look at.
pub fn pods_refused(workload: &str, subject: Subject, source: &str, message: &str) -> Finding {
    let lower = message.to_ascii_lowercase();
    let (cause, advice) = if lower.contains("exceeded quota") {
        (
            "the namespace's quota is used up",
            "Raise the ResourceQuota, or ask for less in the manifest",
        )
    } else if lower.contains("podsecurity") {
        (
            "the namespace's pod security level forbids them",
            "Correct securityContext in the manifest by the message below",
        )
    } else if lower.contains("serviceaccount") {
        (
            "the ServiceAccount they name does not exist",
            "Create the ServiceAccount, or remove serviceAccountName",
        )
    } else if lower.contains("admission webhook") {
        (
            "an admission webhook denies them",
            "Correct the manifest by the webhook's message below",
        )
    } else {
        (
            "the API server does not take them",
            "Correct the manifest by the message below",
        )
    };
    Finding::new(
        "QUOTA_OR_ADMISSION",
        format!("The pods of {workload} are refused"),
        format!("None can be created: {cause}."),
    )
    .about(subject)
    .next(NextAction::Advice {
        text: advice.to_owned(),
    })
    .next(NextAction::Open {
        step: StepId::Deploy,
        label: "Deploy after mending the manifest".to_owned(),
    })
    .evidence(source, message)
}

fn namespace_flag(namespace: &str) -> String {
    match namespace {
        "" => String::new(),
        namespace => format!(" --namespace {namespace}"),
    }
}
