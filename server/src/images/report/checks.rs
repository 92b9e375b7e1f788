//! What was looked at in an image, and what to do about what was found.

use std::collections::BTreeSet;

use app::model::{
    Evidence, Finding, ImageCheck, ImageFacts, ImageVerdict, NextAction, Subject, UnixMillis,
    humanize_bytes,
};

use crate::adapters::docker::is_root;
use crate::images::findings;
use crate::project::ComponentSpec;

/// A base image older than this has missed a quarter's fixes.
const OLD_DAYS: i64 = 90;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How many layers are evidence for a size.
const NAMED_LAYERS: usize = 3;

/// All checks of an image, in the page's order. `nodes` are the architectures of the cluster's nodes.
pub fn checks(
    facts: &ImageFacts,
    component: &ComponentSpec,
    nodes: &BTreeSet<String>,
    now: UnixMillis,
) -> Vec<ImageCheck> {
    let look = Look {
        facts,
        component,
        nodes,
        now,
    };
    [
        ("size", "Size", look.size()),
        ("user", "User", look.user()),
        ("port", "Port", look.port()),
        ("command", "Command", look.command()),
        ("architecture", "Architecture", look.architecture()),
        ("secrets", "Secrets", look.secrets()),
        ("base", "Base image", look.base()),
        ("healthcheck", "Health check", look.healthcheck()),
        ("labels", "Labels", look.labels()),
    ]
    .into_iter()
    .map(|(id, title, verdict)| ImageCheck {
        id: id.to_owned(),
        title: title.to_owned(),
        verdict,
    })
    .collect()
}

struct Look<'a> {
    facts: &'a ImageFacts,
    component: &'a ComponentSpec,
    nodes: &'a BTreeSet<String>,
    now: UnixMillis,
}

fn good(note: impl Into<String>) -> ImageVerdict {
    ImageVerdict::Good { note: note.into() }
}

fn note(note: impl Into<String>) -> ImageVerdict {
    ImageVerdict::Note { note: note.into() }
}

impl Look<'_> {
    fn found(&self, finding: Finding, advice: &str) -> ImageVerdict {
        let finding = finding.about(Subject::Component {
            component: self.component.name.clone(),
        });
        ImageVerdict::Found(Box::new(finding.next(NextAction::advice(advice))))
    }

    fn size(&self) -> ImageVerdict {
        let size = self.facts.size_bytes;
        let said = humanize_bytes(size);
        match self.component.size_budget_bytes {
            None => note(format!("{said}; slipway.toml sets no size_budget")),
            Some(budget) if size <= budget => {
                good(format!("{said} of {} allowed", humanize_bytes(budget)))
            }
            Some(budget) => {
                let mut finding = findings::over_budget(&self.component.name, size, budget);
                let mut layers: Vec<_> = self.facts.layers.iter().collect();
                layers.sort_by_key(|layer| std::cmp::Reverse(layer.size_bytes));
                let biggest: Vec<String> = layers
                    .iter()
                    .take(NAMED_LAYERS)
                    .map(|layer| {
                        let base = if layer.from_base { "base image: " } else { "" };
                        format!(
                            "{}  {base}{}",
                            humanize_bytes(layer.size_bytes),
                            layer.made_by
                        )
                    })
                    .collect();
                if !biggest.is_empty() {
                    finding.evidence.push(Evidence {
                        source: "The biggest layers".to_owned(),
                        text: biggest.join("\n"),
                    });
                }
                ImageVerdict::Found(Box::new(finding))
            }
        }
    }

    fn user(&self) -> ImageVerdict {
        let user = &self.facts.user;
        let name = &self.component.name;
        if is_root(user) {
            let finding = Finding::new(
                "IMAGE_RUNS_AS_ROOT",
                format!("{name} runs as root"),
                "The image names no other user. Who breaks into the app is root in the container, and a namespace with the restricted policy refuses the pod.",
            );
            return self.found(
                finding.attention(),
                "End the Dockerfile with a user of its own, by number: USER 10001:10001",
            );
        }
        if user
            .split(':')
            .next()
            .is_some_and(|id| id.parse::<u32>().is_err())
        {
            let finding = Finding::new(
                "IMAGE_USER_NOT_NUMERIC",
                format!("{name} runs as a user that Kubernetes cannot check"),
                format!(
                    "The user is the name {user}. With runAsNonRoot, Kubernetes refuses the pod, because it cannot tell whether a name is root."
                ),
            );
            return self.found(finding.attention(), "Use the user's number in USER");
        }
        good(format!("Runs as {user}, not as root"))
    }

    fn port(&self) -> ImageVerdict {
        let wanted = self.component.port;
        let ports = &self.facts.ports;
        if ports.is_empty() {
            return note(format!(
                "The image names no port; slipway.toml says {wanted}"
            ));
        }
        let is_it = |port: &String| port.split('/').next() == Some(wanted.to_string().as_str());
        if ports.iter().any(is_it) {
            return good(format!("{wanted}, as slipway.toml says"));
        }
        let finding = Finding::new(
            "IMAGE_PORT_MISMATCH",
            format!("The image of {} names another port", self.component.name),
            format!(
                "It exposes {}, and slipway.toml sends the Service and the probes to {wanted}. If the app listens there, nothing will answer.",
                ports.join(", ")
            ),
        );
        self.found(
            finding.attention(),
            "Correct `port` in slipway.toml or EXPOSE in the Dockerfile, whichever is wrong",
        )
    }

    fn command(&self) -> ImageVerdict {
        let facts = self.facts;
        let first = if facts.entrypoint.is_empty() {
            &facts.cmd
        } else {
            &facts.entrypoint
        };
        if first.is_empty() {
            let finding = Finding::new(
                "IMAGE_NO_COMMAND",
                format!("The image of {} starts nothing", self.component.name),
                "It has neither an entry point nor a command, so the container cannot start unless the manifests name one.",
            );
            return self.found(
                finding.attention(),
                "Add CMD or ENTRYPOINT to the Dockerfile, or `command` to the manifest",
            );
        }
        let all = [facts.entrypoint.as_slice(), facts.cmd.as_slice()].concat();
        let in_shell = matches!(first.as_slice(), [shell, flag, script, ..]
            if shell.ends_with("sh") && flag == "-c" && !script.trim_start().starts_with("exec "));
        if in_shell {
            let finding = Finding::new(
                "IMAGE_SHELL_FORM",
                format!("{} does not hear that it should stop", self.component.name),
                "Its command is started by a shell, which keeps SIGTERM to itself: each stop and each rollout waits for the grace period and then kills the app.",
            )
            .evidence("Command", all.join(" "));
            return self.found(
                finding.attention(),
                "Write CMD or ENTRYPOINT as a list: CMD [\"program\", \"argument\"]",
            );
        }
        good(all.join(" "))
    }

    fn architecture(&self) -> ImageVerdict {
        let own = &self.facts.architecture;
        if own.is_empty() {
            return ImageVerdict::Unknown {
                why: "The image does not say".to_owned(),
            };
        }
        if self.nodes.is_empty() {
            return ImageVerdict::Unknown {
                why: format!("{own}; the cluster's nodes have not said theirs"),
            };
        }
        let nodes: Vec<&str> = self.nodes.iter().map(String::as_str).collect();
        if self.nodes.contains(own) {
            return match self.nodes.len() {
                1 => good(format!("{own}, as the cluster's nodes")),
                _ => note(format!("{own}; the nodes are {}", nodes.join(" and "))),
            };
        }
        let finding = Finding::new(
            "IMAGE_WRONG_ARCHITECTURE",
            format!(
                "The cluster cannot run the image of {}",
                self.component.name
            ),
            format!(
                "It is made for {own}, and the cluster's nodes are {}: the container would end with `exec format error`.",
                nodes.join(" and ")
            ),
        );
        self.found(
            finding,
            "Build in the cluster's own daemon, or leave --platform out of the Dockerfile",
        )
    }

    fn secrets(&self) -> ImageVerdict {
        if self.facts.secret_like.is_empty() {
            return good("Nothing in it looks like a secret");
        }
        let finding = Finding::new(
            "IMAGE_SECRET_INSIDE",
            format!("The image of {} holds what looks like a secret", self.component.name),
            "Everyone who gets the image can read it, and taking it out of a later layer does not take it out of the image.",
        )
        .evidence("Where", self.facts.secret_like.join("\n"));
        self.found(
            finding,
            "Change the secret, take it out of the Dockerfile, and give it to the pod as a [[secret]] of slipway.toml, or to the build as a secret mount",
        )
    }

    fn base(&self) -> ImageVerdict {
        let Some(base) = &self.facts.base else {
            return note("None: only what the build put in");
        };
        let Some(created) = base.created else {
            return ImageVerdict::Unknown {
                why: format!("{}; its age cannot be told", base.reference),
            };
        };
        let days = (self.now.0 - created.0) / DAY_MS;
        if days <= OLD_DAYS {
            return good(match days {
                0 => format!("{}, made today", base.reference),
                1 => format!("{}, 1 day old", base.reference),
                days => format!("{}, {days} days old", base.reference),
            });
        }
        let finding = Finding::new(
            "IMAGE_BASE_OLD",
            format!("The base image of {} is old", self.component.name),
            format!(
                "{} was made {days} days ago; what was fixed in it since is missing here.",
                base.reference
            ),
        );
        self.found(
            finding.attention(),
            "Name a newer version in FROM, or pull the same tag anew and build again",
        )
    }

    fn healthcheck(&self) -> ImageVerdict {
        let Some(test) = &self.facts.healthcheck else {
            return note("None; Kubernetes uses the probes instead");
        };
        let probes = &self.component.probes;
        let has_probes =
            probes.startup.is_some() || probes.liveness.is_some() || probes.readiness.is_some();
        if has_probes {
            return note(format!("{test}; Kubernetes ignores it and uses the probes"));
        }
        let finding = Finding::new(
            "HEALTHCHECK_IGNORED",
            format!("Nothing checks whether {} is well", self.component.name),
            "The image has a HEALTHCHECK, which Kubernetes does not look at, and slipway.toml names no probes.",
        )
        .evidence("HEALTHCHECK", test.clone());
        let path = test
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map(|(_, path)| {
                path.split(|char: char| char.is_whitespace() || "'\"|".contains(char))
                    .next()
                    .unwrap_or("")
            })
            .unwrap_or("health");
        self.found(
            finding.attention(),
            &format!("Add to the component in slipway.toml: probes = {{ liveness = \"/{path}\", readiness = \"/{path}\" }}, and the same to the manifests"),
        )
    }

    fn labels(&self) -> ImageVerdict {
        let labels = &self.facts.labels;
        if labels.is_empty() {
            return note("None");
        }
        let said: Vec<String> = labels
            .iter()
            .take(4)
            .map(|(name, value)| {
                let name = name
                    .strip_prefix("org.opencontainers.image.")
                    .unwrap_or(name);
                format!("{name} = {value}")
            })
            .collect();
        let more = labels.len().saturating_sub(said.len());
        note(match more {
            0 => said.join(", "),
            more => format!("{} and {more} more", said.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use app::model::{BaseImage, LayerFact, ProbePaths};

    use super::*;
    use crate::project::Expose;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn component() -> ComponentSpec {
        ComponentSpec {
            name: "backend".parse().expect("a name"),
            image: "todo-backend".into(),
            context: "backend".into(),
            dockerfile: Some(PathBuf::from("Dockerfile")),
            port: 8000,
            probes: ProbePaths::default(),
            expose: Expose::ClusterIp,
            size_budget_bytes: Some(1000),
            builder: None,
            build_args: std::collections::BTreeMap::new(),
            build_secrets: Vec::new(),
            pack: None,
        }
    }

    fn facts() -> ImageFacts {
        ImageFacts {
            size_bytes: 900,
            user: "10001:10001".into(),
            ports: vec!["8000/tcp".into()],
            entrypoint: vec!["/app".into()],
            architecture: "amd64".into(),
            base: Some(BaseImage {
                reference: "debian:12".into(),
                created: Some(UnixMillis(NOW.0 - 10 * DAY_MS)),
            }),
            ..ImageFacts::default()
        }
    }

    fn codes(facts: &ImageFacts, nodes: &[&str]) -> Vec<String> {
        let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
        checks(facts, &component(), &nodes, NOW)
            .into_iter()
            .filter_map(|check| match check.verdict {
                ImageVerdict::Found(finding) => Some(finding.code),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_good_image_has_no_finding_and_each_fault_has_its_own() {
        assert_eq!(codes(&facts(), &["amd64"]), Vec::<String>::new());
        type Fault = (fn(&mut ImageFacts), &'static str);
        let faults: [Fault; 9] = [
            (|facts| facts.size_bytes = 1001, "IMAGE_OVER_BUDGET"),
            (|facts| facts.user = "0:0".into(), "IMAGE_RUNS_AS_ROOT"),
            (|facts| facts.user = "app".into(), "IMAGE_USER_NOT_NUMERIC"),
            (
                |facts| facts.ports = vec!["80/tcp".into()],
                "IMAGE_PORT_MISMATCH",
            ),
            (|facts| facts.entrypoint.clear(), "IMAGE_NO_COMMAND"),
            (
                |facts| facts.entrypoint = ["/bin/sh", "-c", "node x"].map(str::to_owned).to_vec(),
                "IMAGE_SHELL_FORM",
            ),
            (
                |facts| facts.architecture = "arm64".into(),
                "IMAGE_WRONG_ARCHITECTURE",
            ),
            (
                |facts| facts.secret_like.push("the variable X".into()),
                "IMAGE_SECRET_INSIDE",
            ),
            (
                |facts| facts.healthcheck = Some("curl http://localhost:80/up || exit 1".into()),
                "HEALTHCHECK_IGNORED",
            ),
        ];
        for (change, code) in faults {
            let mut facts = facts();
            change(&mut facts);
            assert_eq!(codes(&facts, &["amd64"]), [code]);
        }
        let mut old = facts();
        old.base = Some(BaseImage {
            reference: "debian:11".into(),
            created: Some(UnixMillis(NOW.0 - 200 * DAY_MS)),
        });
        assert_eq!(codes(&old, &["amd64"]), ["IMAGE_BASE_OLD"]);
    }

    #[test]
    fn what_nobody_said_is_not_a_fault() {
        assert_eq!(codes(&facts(), &[]), Vec::<String>::new());
        assert_eq!(codes(&facts(), &["amd64", "arm64"]), Vec::<String>::new());
        let mut unknown = facts();
        unknown.base = Some(BaseImage {
            reference: "x".into(),
            created: None,
        });
        assert_eq!(codes(&unknown, &["amd64"]), Vec::<String>::new());
    }

    #[test]
    fn a_budget_that_is_broken_names_the_biggest_layers() {
        let mut facts = facts();
        facts.size_bytes = 5000;
        facts.layers = vec![
            LayerFact {
                made_by: "ADD base".into(),
                size_bytes: 1000,
                from_base: true,
            },
            LayerFact {
                made_by: "RUN big".into(),
                size_bytes: 4000,
                from_base: false,
            },
        ];
        let checks = checks(&facts, &component(), &BTreeSet::new(), NOW);
        let ImageVerdict::Found(finding) = &checks[0].verdict else {
            panic!("over budget");
        };
        assert!(
            finding.evidence[0].text.starts_with("4.0 kB  RUN big\n"),
            "{:?}",
            finding.evidence
        );
    }
}
