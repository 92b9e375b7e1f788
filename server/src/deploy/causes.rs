//! Causes of a rollout that does not get on, in the same words wherever they are found: while a
//! deploy is followed, and by the standing diagnosis.

use app::model::{Finding, NextAction, StepId, Subject};

/// No node takes a pod. `message` is the scheduler's.
pub fn no_node(
    workload: &str,
    subject: Subject,
    pod: &str,
    namespace: &str,
    message: &str,
) -> Finding {
    let lower = message.to_ascii_lowercase();
    let (code, cause, advice) = if lower.contains("insufficient memory") {
        (
            "NODE_MEMORY_SHORT",
            "no node has the memory it asks for",
            "Lower resources.requests.memory, or give the cluster more memory",
        )
    } else if lower.contains("insufficient cpu") {
        (
            "NODE_CPU_SHORT",
            "no node has the CPU it asks for",
            "Lower resources.requests.cpu, or give the cluster more CPUs",
        )
    } else if lower.contains("taint") {
        (
            "NODE_TAINTED",
            "the nodes have taints it does not tolerate",
            "See `kubectl describe node` for the taint: not ready, disk or memory pressure?",
        )
    } else if lower.contains("were unschedulable") {
        (
            "NODE_CORDONED",
            "the nodes take no new pods: somebody cordoned them",
            "Run `kubectl uncordon` for the node",
        )
    } else if lower.contains("persistentvolumeclaim") {
        (
            "CLAIM_NOT_BOUND",
            "a volume it needs is not there",
            "Create the claim it names, or a storage class for it",
        )
    } else if lower.contains("free ports") {
        (
            "HOST_PORT_TAKEN",
            "the host port it asks for is taken on every node",
            "Use a Service instead of hostPort, or the rollout strategy Recreate",
        )
    } else if lower.contains("affinity") || lower.contains("selector") {
        (
            "NODE_NOT_MATCHED",
            "no node matches its node selector or affinity",
            "Correct nodeSelector or affinity in its manifest",
        )
    } else {
        (
            "UNSCHEDULABLE",
            "no node takes it",
            "The message below says why",
        )
    };
    Finding::new(
        code,
        format!("{workload} has no node to run on"),
        format!("Its pod waits because {cause}."),
    )
    .about(subject)
    .next(NextAction::advice(advice))
    .next(NextAction::Command {
        command: format!("kubectl describe pod {pod}{}", namespace_flag(namespace)),
        why: "Shows what the scheduler says in full".to_owned(),
    })
    .evidence(format!("Pod {pod}, FailedScheduling"), message)
}

/// The API server refuses the pods, so there are none to look at.
pub fn pods_refused(workload: &str, subject: Subject, source: &str, message: &str) -> Finding {
    let lower = message.to_ascii_lowercase();
    let (code, cause, advice) = if lower.contains("exceeded quota") {
        (
            "QUOTA_EXCEEDED",
            "the namespace's quota is used up",
            "Raise the ResourceQuota, or ask for less in the manifest",
        )
    } else if lower.contains("failed quota") {
        (
            "QUOTA_NEEDS_RESOURCES",
            "the namespace's quota counts what they do not say they need",
            "Add resources.requests and limits for what the message names",
        )
    } else if lower.contains("podsecurity") {
        (
            "POD_SECURITY_REFUSES",
            "the namespace's pod security level forbids them",
            "Correct securityContext in the manifest by the message below",
        )
    } else if lower.contains("serviceaccount") || lower.contains("service account") {
        (
            "SERVICE_ACCOUNT_MISSING",
            "the ServiceAccount they name does not exist",
            "Create the ServiceAccount, or set serviceAccountName to one that exists (leaving it out keeps the old name in serviceAccount)",
        )
    } else if lower.contains("admission webhook") || lower.contains("calling webhook") {
        (
            "WEBHOOK_DENIES",
            "an admission webhook does not let them in",
            "Correct the manifest by the webhook's message below",
        )
    } else if lower.contains("usage per container") || lower.contains("usage per pod") {
        (
            "LIMIT_RANGE_REFUSES",
            "they ask for more or less than the namespace's LimitRange allows",
            "Correct resources in the manifest by the message below",
        )
    } else {
        (
            "QUOTA_OR_ADMISSION",
            "the API server does not take them",
            "Correct the manifest by the message below",
        )
    };
    Finding::new(
        code,
        format!("The pods of {workload} are refused"),
        format!("None can be created: {cause}."),
    )
    .about(subject)
    .next(NextAction::advice(advice))
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
