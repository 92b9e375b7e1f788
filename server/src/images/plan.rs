//! Which builder makes which image on which cluster, and the stages that follow from it.

use app::model::{
    Builder, ClusterKind, ComponentName, Failure, Finding, Stage, StageState, StepId, Subject,
};

use super::findings;
use crate::adapters::docker;
use crate::process;
use crate::project::{ComponentSpec, ProjectSpec};

/// What is to be done for one component.
#[derive(Clone, Debug)]
pub struct Job {
    pub component: ComponentSpec,
    pub builder: Builder,
}

/// The builder a component gets when everything it needs is here.
pub fn usual_builder(component: &ComponentSpec, kind: Option<&ClusterKind>) -> Builder {
    let practice = kind.is_none_or(|kind| *kind == ClusterKind::Practice);
    match (practice, &component.pack, &component.dockerfile) {
        (true, Some(_), _) | (false, Some(_), None) => Builder::Pack,
        _ => Builder::Docker,
    }
}

/// Chooses by what is here: the practice cluster takes packed images, others prefer docker.
pub fn choose(
    component: &ComponentSpec,
    kind: &ClusterKind,
    docker_usable: bool,
) -> Result<Builder, Finding> {
    let usual = usual_builder(component, Some(kind));
    if usual == Builder::Docker && (!docker_usable || component.dockerfile.is_none()) {
        if component.pack.is_some() {
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
) -> Result<Vec<Job>, Failure> {
    if let Some(unknown) = wanted.iter().find(|name| spec.component(name).is_none()) {
        return Err(Finding::new(
            "UNKNOWN_COMPONENT",
            format!("There is no component {unknown}"),
            "slipway.toml does not name it (any more).",
        )
        .about(Subject::Step {
            step: StepId::Images,
        })
        .into());
    }
    if matches!(
        kind,
        ClusterKind::Remote | ClusterKind::OtherLocal | ClusterKind::Desktop { .. }
    ) {
        return Err(findings::cannot_load().into());
    }
    let docker_usable = docker_answers(kind).await;
    let mut jobs = Vec::new();
    for component in &spec.components {
        if wanted.is_empty() || wanted.contains(&component.name) {
            let builder = choose(component, kind, docker_usable)?;
            jobs.push(Job {
                component: component.clone(),
                builder,
            });
        }
    }
    Ok(jobs)
}

/// minikube brings a daemon of its own, so there only the CLI has to be here.
async fn docker_answers(kind: &ClusterKind) -> bool {
    if process::find_on_path("docker").is_none() {
        return false;
    }
    if matches!(kind, ClusterKind::Minikube { .. }) {
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
            let chosen = choose(&component(pack, dockerfile), kind, usable);
            assert_eq!(
                chosen.as_ref().map_err(|finding| finding.code.as_str()),
                expected.as_ref().map_err(|code| *code),
                "pack {pack}, dockerfile {dockerfile}, {kind:?}, docker {usable}"
            );
        }
    }

    #[test]
    fn the_plan_has_three_stages_a_component() {
        let jobs = [Job {
            component: component(true, false),
            builder: Builder::Pack,
        }];
        let ids: Vec<_> = stages(&jobs).into_iter().map(|stage| stage.id).collect();
        assert_eq!(ids, ["backend/build", "backend/pack", "backend/prove"]);
    }
}
