//! Which builder makes which image on which cluster, and the stages that follow from it.

use app::model::{
    Builder, ClusterKind, ComponentName, Failure, Finding, Rebuild, Stage, StageState, StepId,
    Subject,
};

use super::destination::Way;
use super::findings;
use crate::adapters::docker;
use crate::process;
use crate::project::{ComponentSpec, ProjectSpec};

/// What is to be done for one component.
#[derive(Clone, Debug)]
pub struct Job {
    pub component: ComponentSpec,
    pub builder: Builder,
    pub way: Way,
    pub rebuild: Rebuild,
}

/// The builders `slipway.toml` describes for a component.
pub fn builders(component: &ComponentSpec) -> Vec<Builder> {
    let docker = component.dockerfile.as_ref().map(|_| Builder::Docker);
    let pack = component.pack.as_ref().map(|_| Builder::Pack);
    docker.into_iter().chain(pack).collect()
}

/// The builder a component gets when everything it needs is here: the one a person chose on the page,
/// else the one `slipway.toml` names, else what suits the cluster.
pub fn usual_builder(
    component: &ComponentSpec,
    kind: Option<&ClusterKind>,
    chosen: Option<Builder>,
) -> Builder {
    let there = builders(component);
    if let Some(wanted) = chosen
        .or(component.builder)
        .filter(|wanted| there.contains(wanted))
    {
        return wanted;
    }
    let practice = kind.is_none_or(|kind| *kind == ClusterKind::Practice);
    match (practice, &component.pack, &component.dockerfile) {
        (true, Some(_), _) | (false, Some(_), None) => Builder::Pack,
        _ => Builder::Docker,
    }
}

/// Chooses by what is here: a wish is followed or refused; without one, pack steps in for docker.
pub fn choose(
    component: &ComponentSpec,
    kind: &ClusterKind,
    chosen: Option<Builder>,
    docker_usable: bool,
) -> Result<Builder, Finding> {
    let usual = usual_builder(component, Some(kind), chosen);
    if usual == Builder::Docker && (!docker_usable || component.dockerfile.is_none()) {
        let wished = chosen.or(component.builder) == Some(Builder::Docker);
        if component.pack.is_some() && !wished {
            return Ok(Builder::Pack);
        }
        return Err(findings::no_builder(component, docker_usable));
    }
    Ok(usual)
}

/// The jobs for these components, all of them when none is named.
pub async fn jobs(
    spec: &ProjectSpec,
    wanted: &[ComponentName],
    kind: &ClusterKind,
    rebuild: Rebuild,
    chosen: impl Fn(&ComponentName) -> Option<Builder>,
) -> Result<Vec<Job>, Failure> {
    if let Some(unknown) = wanted.iter().find(|name| spec.component(name).is_none()) {
        return Err(unknown_component(unknown).into());
    }
    let way = Way::of(kind, spec.registry.as_deref())?;
    let docker_usable = docker_answers(&way).await;
    let mut jobs = Vec::new();
    for component in &spec.components {
        if wanted.is_empty() || wanted.contains(&component.name) {
            let builder = choose(component, kind, chosen(&component.name), docker_usable)?;
            if matches!(way, Way::Registry { .. }) && !docker_usable {
                return Err(findings::no_pusher(&component.name).into());
            }
            jobs.push(Job {
                component: component.clone(),
                builder,
                way: way.clone(),
                rebuild,
            });
        }
    }
    Ok(jobs)
}

/// A component `slipway.toml` does not name.
pub fn unknown_component(name: &ComponentName) -> Finding {
    Finding::new(
        "UNKNOWN_COMPONENT",
        format!("There is no component {name}"),
        "slipway.toml does not name it (any more).",
    )
    .about(Subject::Step {
        step: StepId::Images,
    })
}

/// minikube brings a daemon of its own, so there only the CLI has to be here.
async fn docker_answers(way: &Way) -> bool {
    if process::find_on_path("docker").is_none() {
        return false;
    }
    if !way.needs_local_daemon() {
        return true;
    }
    let cancel = tokio_util::sync::CancellationToken::new();
    process::capture(&docker::version(), &cancel)
        .await
        .ok()
        .and_then(|captured| docker::parse_version(&captured.stdout))
        .is_some_and(|version| version.server.is_some())
}

/// The stage between building and proving.
pub fn second_stage(builder: Builder) -> &'static str {
    match builder {
        Builder::Pack => "pack",
        Builder::Docker => "load",
    }
}

/// The whole plan of a run.
pub fn stages(jobs: &[Job]) -> Vec<Stage> {
    jobs.iter()
        .flat_map(|job| {
            let name = &job.component.name;
            let second = match job.builder {
                Builder::Pack => format!("Pack {name}"),
                Builder::Docker => format!("Put {name} into the cluster"),
            };
            [
                ("build", format!("Build {name}")),
                (second_stage(job.builder), second),
                ("prove", format!("Find {name} in the cluster")),
            ]
            .map(|(id, title)| Stage {
                id: format!("{name}/{id}"),
                title,
                component: Some(name.clone()),
                state: StageState::Pending,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;
    use crate::project::{Expose, PackRecipe};

    fn component(pack: bool, dockerfile: bool) -> ComponentSpec {
        ComponentSpec {
            name: "backend".parse().expect("a name"),
            image: "todo-backend".into(),
            context: "backend".into(),
            dockerfile: dockerfile.then(|| PathBuf::from("Dockerfile")),
            port: 80,
            probes: Default::default(),
            expose: Expose::ClusterIp,
            size_budget_bytes: None,
            builder: None,
            build_args: BTreeMap::new(),
            build_secrets: Vec::new(),
            pack: pack.then(|| PackRecipe {
                build: vec![],
                binary: "b".into(),
                files: BTreeMap::new(),
                env: BTreeMap::new(),
                args: vec![],
            }),
        }
    }

    #[test]
    fn the_builder_follows_from_cluster_and_machine() {
        let minikube = ClusterKind::Minikube {
            profile: "m".into(),
        };
        let practice = ClusterKind::Practice;
        let cases = [
            ((true, true), &practice, false, Ok(Builder::Pack)),
            ((true, true), &practice, true, Ok(Builder::Pack)),
            ((false, true), &practice, true, Ok(Builder::Docker)),
            ((false, true), &practice, false, Err("NO_BUILDER")),
            ((true, true), &minikube, true, Ok(Builder::Docker)),
            ((true, true), &minikube, false, Ok(Builder::Pack)),
            ((false, true), &minikube, false, Err("NO_BUILDER")),
            ((true, false), &minikube, true, Ok(Builder::Pack)),
            ((false, false), &minikube, true, Err("NO_BUILDER")),
        ];
        for ((pack, dockerfile), kind, usable, expected) in cases {
            let chosen = choose(&component(pack, dockerfile), kind, None, usable);
            assert_eq!(
                chosen.as_ref().map_err(|finding| finding.code.as_str()),
                expected.as_ref().map_err(|code| *code),
                "pack {pack}, dockerfile {dockerfile}, {kind:?}, docker {usable}"
            );
        }
    }

    #[test]
    fn a_wish_is_followed_or_refused() {
        let practice = ClusterKind::Practice;
        let both = component(true, true);
        let docker = Some(Builder::Docker);
        assert_eq!(choose(&both, &practice, docker, true), Ok(Builder::Docker));
        assert!(choose(&both, &practice, docker, false).is_err());
        let minikube = ClusterKind::Minikube {
            profile: "m".into(),
        };
        assert_eq!(
            choose(&both, &minikube, Some(Builder::Pack), true),
            Ok(Builder::Pack)
        );
        let in_file = ComponentSpec {
            builder: Some(Builder::Pack),
            ..both
        };
        assert_eq!(choose(&in_file, &minikube, None, true), Ok(Builder::Pack));
        assert_eq!(
            choose(&in_file, &minikube, docker, true),
            Ok(Builder::Docker)
        );
        // A wish for what the file does not describe any more is none.
        assert_eq!(
            choose(&component(true, false), &minikube, docker, true),
            Ok(Builder::Pack)
        );
    }

    #[test]
    fn the_plan_has_three_stages_a_component() {
        let jobs = [Job {
            component: component(true, false),
            builder: Builder::Pack,
            way: Way::Practice,
            rebuild: Rebuild::IfChanged,
        }];
        let ids: Vec<_> = stages(&jobs).into_iter().map(|stage| stage.id).collect();
        assert_eq!(ids, ["backend/build", "backend/pack", "backend/prove"]);
    }
}
