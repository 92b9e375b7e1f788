//! What the rules look at. Plain data, so that a rule is a function and its test a table.

use std::collections::BTreeMap;

use app::model::{
    ComponentName, ContainerRow, PanelState, PodRow, ProjectView, Severity, Subject, UnixMillis,
};

use super::cluster_facts::ClusterFacts;

/// Last log lines of crashed containers, by pod UID and container.
pub type LogTails = BTreeMap<(String, String), Vec<String>>;

/// Everything known at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub state: &'a PanelState,
    pub cluster: &'a ClusterFacts,
    pub logs: &'a LogTails,
    pub now: UnixMillis,
}

impl<'a> Facts<'a> {
    pub fn project(&self) -> Option<&'a ProjectView> {
        self.state.project.as_ref()
    }

    /// Pods that matter: of the current template, of a component, and staying.
    pub fn pods(&self) -> impl Iterator<Item = (&'a ComponentName, &'a PodRow)> {
        self.state
            .pods
            .values()
            .filter(|pod| pod.current && !pod.terminating)
            .filter_map(|pod| Some((pod.component.as_ref()?, pod)))
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
