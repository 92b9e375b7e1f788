//! The findings of terminals.

use app::model::{Finding, LogSource, NextAction, PodRow, StepId, Subject};

/// The code of a connection that broke.
pub const LOST: &str = "SHELL_LOST";

fn about(finding: Finding, source: &LogSource) -> Finding {
    finding.about(Subject::Object {
        kind: "Pod".to_owned(),
        name: source.pod.clone(),
    })
}

fn look_at_the_pods() -> NextAction {
    NextAction::Open {
        step: StepId::Live,
        label: "Look at the pods".to_owned(),
    }
}

pub(super) fn no_such_pod(source: &LogSource) -> Finding {
    let finding = Finding::new(
        "SHELL_NO_POD",
        format!("Pod {} is not there", source.pod),
        "It ended or was replaced by one of another name. Nothing was opened.",
    )
    .attention()
    .next(look_at_the_pods());
    about(finding, source)
}

pub(super) fn no_such_container(source: &LogSource, pod: &PodRow) -> Finding {
    let names: Vec<&str> = pod
        .containers
        .iter()
        .map(|container| container.name.as_str())
        .collect();
    let finding = Finding::new(
        "SHELL_NO_CONTAINER",
        format!("Pod {} has no container {}", source.pod, source.container),
        format!("It has {}. Nothing was opened.", names.join(", ")),
    )
    .attention()
    .next(NextAction::advice("Choose one of its containers"));
    about(finding, source)
}

pub(super) fn container_does_not_run(source: &LogSource) -> Finding {
    let finding = Finding::new(
        "SHELL_CONTAINER_NOT_RUNNING",
        format!("Container {} does not run now", source.container),
        "A shell can only be opened in a container that runs: this one waits, or has ended.",
    )
    .attention()
    .next(NextAction::advice(
        "See in its logs why, or try again once it runs",
    ));
    about(finding, source)
}

pub(super) fn no_shell(
    source: &LogSource,
    namespace: &str,
    context: &str,
    is_practice: bool,
) -> Finding {
    let LogSource { pod, container } = source;
    let finding = Finding::new(
        "SHELL_NOT_IN_IMAGE",
        format!("Container {container} has no shell"),
        "There is no /bin/sh in its image. Images without one (distroless, scratch) are small and hard \
         to break into, and that is why.",
    )
    .attention();
    let finding = match is_practice {
        true => finding
            .next(NextAction::advice(
                "Put a shell into the image while you look for the fault, then build and deploy; the \
                 practice cluster has no debug containers",
            ))
            .next(NextAction::Patch {
                file: "slipway.toml".to_owned(),
                patch: format!(
                    "[component.pack]\nfiles = {{ {:?} = \"/bin/sh\" }}",
                    // Of this machine, which is the node; a link would lead nowhere in the image.
                    std::fs::canonicalize("/bin/sh").unwrap_or_else(|_| "/bin/sh".into())
                ),
            }),
        false => finding.next(NextAction::Command {
            command: format!(
                "kubectl debug -it {pod} --image=busybox --target={container} -n {namespace} \
                 --context {context} -- sh"
            ),
            why: "Puts a container with a shell beside it, which sees its processes; it stays in the \
                  pod until the pod ends"
                .to_owned(),
        }),
    };
    about(finding, source)
}

pub(super) fn forbidden(source: &LogSource) -> Finding {
    let finding = Finding::new(
        "SHELL_FORBIDDEN",
        format!("You may not open a shell in pod {}", source.pod),
        "The cluster refused: that needs the right to create pods/exec in this namespace.",
    )
    .next(NextAction::advice(
        "Ask who runs the cluster for that right, or read the logs instead",
    ));
    about(finding, source)
}

pub(super) fn not_opened(source: &LogSource, why: &str) -> Finding {
    let finding = Finding::new(
        "SHELL_NOT_OPENED",
        format!("No shell could be opened in container {}", source.container),
        format!("It was refused: {}.", why.trim_end_matches('.')),
    )
    .next(NextAction::advice(
        "Try again; should it go on, look at the node and at the pod's events",
    ));
    about(finding, source)
}

pub(super) fn connection_lost(source: &LogSource) -> Finding {
    let finding = Finding::new(
        LOST,
        "The connection to the shell was lost",
        "The cluster went away, or something between here and there cut it. What ran in the shell was \
         ended with it.",
    )
    .next(NextAction::advice(
        "Start again once the cluster answers; what was written stays on the screen until then",
    ));
    about(finding, source)
}

pub(super) fn too_many_terminals(most: usize) -> Finding {
    Finding::new(
        "TERMINALS_TOO_MANY",
        "Too many terminals are open",
        format!("Slipway keeps at most {most} at once."),
    )
    .attention()
    .next(NextAction::advice("Close one that is not needed any more"))
}

pub(super) fn terminal_not_open() -> Finding {
    Finding::new(
        "TERMINAL_NOT_OPEN",
        "This terminal is not open any more",
        "Its program ended, or it was closed. What was typed since went nowhere.",
    )
    .attention()
    .next(NextAction::advice("Start again"))
}

pub(super) fn takes_no_keys() -> Finding {
    Finding::new(
        "TERMINAL_TAKES_NO_KEYS",
        "The program takes no keys",
        "It has not read what was typed before. What was typed last went nowhere.",
    )
    .attention()
    .next(NextAction::advice(
        "Wait until it goes on, or close the terminal",
    ))
}

pub(super) fn too_much_typed(most: usize) -> Finding {
    Finding::new(
        "TERMINAL_TOO_MUCH_TYPED",
        "That is too much at once",
        format!("At most {most} bytes can be pasted at a time. Nothing of it was sent."),
    )
    .attention()
    .next(NextAction::advice("Paste it in parts, or use a file"))
}

pub(super) fn not_without_a_text() -> Finding {
    Finding::new(
        "TERMINAL_NEEDS_A_QUESTION",
        "Gordon is asked something first",
        "It is started with a text that a person has seen; there is none. Nothing was started.",
    )
    .attention()
    .next(NextAction::Open {
        step: StepId::Assist,
        label: "Go to Assist".to_owned(),
    })
}
