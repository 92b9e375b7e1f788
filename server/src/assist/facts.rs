//! What the rules look at. Plain data, so that a rule is a function and its test a table.

use std::collections::BTreeMap;

use app::model::{
    ComponentName, ContainerRow, EventRow, OwnProbe, PanelState, PodRow, ProbeKind, ProjectView,
    RunKind, Severity, Subject, UnixMillis,
};

use super::cluster_facts::ClusterFacts;

/// Last log lines of crashed containers, by pod UID and container.
pub type LogTails = BTreeMap<(String, String), Vec<String>>;

/// Everything known at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub state: &'a PanelState,
    pub cluster: &'a ClusterFacts,
    /// None where nobody reads them.
    pub logs: Option<&'a LogTails>,
    pub now: UnixMillis,
}

impl<'a> Facts<'a> {
    pub fn project(&self) -> Option<&'a ProjectView> {
        self.state.project.as_ref()
    }

    /// Every pod of a component that stays, those that are over included.
    pub fn all_pods(&self) -> impl Iterator<Item = (&'a ComponentName, &'a PodRow)> {
        self.state
            .pods
            .values()
            .filter(|pod| !pod.terminating)
            .filter_map(|pod| Some((pod.component.as_ref()?, pod)))
    }

    /// Pods that matter: of the current template, and not over. A Deployment's pod that has failed
    /// was replaced, and is only a trace.
    pub fn pods(&self) -> impl Iterator<Item = (&'a ComponentName, &'a PodRow)> {
        self.all_pods()
            .filter(|(_, pod)| pod.current && pod.phase != "Failed")
    }

    /// The events about a pod with this reason.
    pub fn events_of(&self, pod: &'a PodRow, reason: &str) -> impl Iterator<Item = &'a EventRow> {
        self.state
            .events
            .values()
            .filter(move |event| event.object_uid == pod.uid && event.reason == reason)
    }

    /// The last lines of a container that ended, or fails; empty where none were fetched.
    pub fn log_of(&self, pod: &PodRow, container: &ContainerRow) -> &'a [String] {
        let key = (pod.uid.clone(), container.name.clone());
        let lines = self.logs.and_then(|logs| logs.get(&key));
        lines.map_or(&[], Vec::as_slice)
    }

    /// Whether its log is still being read: what it tells is not known yet.
    pub fn awaits_log(&self, pod: &PodRow, container: &ContainerRow) -> bool {
        let key = (pod.uid.clone(), container.name.clone());
        self.logs.is_some_and(|logs| !logs.contains_key(&key))
    }

    /// The newest answer to our own request of a probe.
    pub fn own_probe(
        &self,
        pod: &PodRow,
        container: &ContainerRow,
        kind: ProbeKind,
    ) -> Option<&'a OwnProbe> {
        let of_pod = self.state.own_probes.get(&pod.uid)?;
        of_pod.iter().find(|own| own.is_of(&container.name, kind))
    }

    /// Whether it is an init container; none is where the Deployment is not known.
    pub fn is_init(&self, component: &ComponentName, container: &ContainerRow) -> bool {
        let deployment = self.cluster.deployments.get(component.as_str());
        deployment.is_some_and(|own| own.init.contains(&container.name))
    }

    /// Objects and pods differ from what was deployed on purpose while one of these goes.
    pub fn is_deploying(&self) -> bool {
        self.state.runs.values().any(|run| {
            run.is_going()
                && matches!(
                    run.kind,
                    RunKind::Deploy
                        | RunKind::Down
                        | RunKind::Handover
                        | RunKind::Undo
                        | RunKind::Approved
                        | RunKind::TakeBack
                        | RunKind::Drill
                        | RunKind::Trial
                )
        })
    }

    pub fn namespace(&self) -> &'a str {
        self.project()
            .map_or("", |project| project.namespace.as_str())
    }

    /// ` --namespace todo`, for the end of a command.
    pub fn namespace_flag(&self) -> String {
        match self.namespace() {
            "" => String::new(),
            namespace => format!(" --namespace {namespace}"),
        }
    }

    /// The port a component listens on, by slipway.toml.
    pub fn port_of(&self, component: &ComponentName) -> Option<u16> {
        let components = &self.project()?.components;
        let view = components.iter().find(|view| &view.name == component)?;
        Some(view.port)
    }

    /// Their containers.
    pub fn containers(
        &self,
    ) -> impl Iterator<Item = (&'a ComponentName, &'a PodRow, &'a ContainerRow)> {
        self.pods().flat_map(|(component, pod)| {
            pod.containers
                .iter()
                .map(move |container| (component, pod, container))
        })
    }
}

/// A finding about a component.
pub fn about(component: &ComponentName) -> Subject {
    Subject::Component {
        component: component.clone(),
    }
}

/// `Backend`, for the beginning of a sentence.
pub fn capitalized(component: &ComponentName) -> String {
    let mut chars = component.as_str().chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Worst first.
pub fn weight(severity: Severity) -> u8 {
    match severity {
        Severity::Failed => 0,
        Severity::Attention => 1,
    }
}
