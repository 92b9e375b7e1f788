//! What the command palette offers: places for everybody, deeds for those who may act.

use std::borrow::Cow;

use crate::model::{ComponentName, ContainerState, PanelState, PodRow, RunId, RunView, StepId};
use crate::theme::Theme;

/// What choosing an item does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// To a page of the panel.
    Go(Cow<'static, str>),
    /// Something outside, in a tab of its own.
    Open(String),
    Theme(Theme),
    Shortcuts,
    Share,
    Drill,
    Recheck,
    BuildAll,
    Restart(ComponentName),
    Cancel(RunId),
}

impl Deed {
    /// Whether it is asked for once more before it is done.
    pub fn is_asked_twice(&self) -> bool {
        matches!(self, Self::Restart(_) | Self::Cancel(_))
    }
}

/// One line of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub title: String,
    /// What kind of thing it is: `Page`, `Component`, `Action`.
    pub kind: &'static str,
    pub deed: Deed,
}

fn item(kind: &'static str, title: impl Into<String>, deed: Deed) -> Item {
    Item {
        title: title.into(),
        kind,
        deed,
    }
}

/// Everything there is for this role, in the order in which it is offered.
pub fn items(state: &PanelState, is_operator: bool) -> Vec<Item> {
    let mut all: Vec<Item> = StepId::ALL
        .into_iter()
        .map(|step| item("Page", step.title(), Deed::Go(step.path().into())))
        .collect();
    for (title, path) in [
        ("Demo screen", "/demo"),
        ("Demo screen: Health", "/demo?scene=health"),
        ("Demo screen: Rollout", "/demo?scene=rollout"),
        ("Demo screen: Events", "/demo?scene=events"),
        ("Demo screen: Walk", "/demo?scene=walk"),
    ] {
        all.push(item("Page", title, Deed::Go(path.into())));
    }
    for component in state.components.values() {
        let name = &component.component;
        all.push(item(
            "Component",
            format!("{name} on Live"),
            Deed::Go("/live".into()),
        ));
        let url = component
            .service
            .as_ref()
            .and_then(|service| service.open_url.clone());
        if let Some(url) = url.filter(|_| is_operator) {
            all.push(item("Component", format!("Open {name}"), Deed::Open(url)));
        }
        if is_operator {
            let restart = Deed::Restart(name.clone());
            all.push(item("Component", format!("Restart {name}"), restart));
            let yaml = Deed::Go(format!("/live?yaml=Deployment/{name}").into());
            all.push(item("Component", format!("YAML of {name}"), yaml));
            let of_it = |pod: &&PodRow| pod.component.as_ref() == Some(name) && !pod.terminating;
            let newest = state
                .pods
                .values()
                .filter(of_it)
                .max_by_key(|pod| pod.created);
            for (pod, container) in newest.iter().flat_map(|pod| running(pod)) {
                let shell = Deed::Go(format!("/live?shell={pod}/{container}").into());
                let title = format!("Shell in {container} of {name}");
                all.push(item("Component", title, shell));
            }
        }
    }
    if is_operator {
        for tab in ["Logs", "Timeline", "Map"] {
            let path = format!("/live?tab={}", tab.to_lowercase());
            all.push(item("Page", format!("Live: {tab}"), Deed::Go(path.into())));
        }
        for run in state.runs.values().filter(|run| RunView::is_going(run)) {
            let title = format!("Cancel: {}", run.kind.title());
            all.push(item("Action", title, Deed::Cancel(run.id)));
        }
        all.push(item("Action", "Let others watch", Deed::Share));
        all.push(item("Action", "Break and heal", Deed::Drill));
        all.push(item("Action", "Run all checks again", Deed::Recheck));
        all.push(item("Action", "Build all images", Deed::BuildAll));
    }
    for theme in [Theme::Light, Theme::Dark, Theme::System] {
        let title = format!("Theme: {}", theme.word());
        all.push(item("Action", title, Deed::Theme(theme)));
    }
    all.push(item("Action", "Keyboard shortcuts", Deed::Shortcuts));
    all
}

/// The pod with each of its containers that run.
fn running(pod: &PodRow) -> impl Iterator<Item = (&str, &str)> {
    let running = pod
        .containers
        .iter()
        .filter(|container| matches!(container.state, ContainerState::Running { .. }));
    running.map(|container| (pod.name.as_str(), container.name.as_str()))
}

/// The items in which every typed word occurs; those that begin with the first word come first.
pub fn matching(items: &[Item], typed: &str) -> Vec<Item> {
    let typed = typed.to_lowercase();
    let words: Vec<&str> = typed.split_whitespace().collect();
    let text = |item: &Item| format!("{} {}", item.title, item.kind).to_lowercase();
    let mut found: Vec<Item> = items
        .iter()
        .filter(|item| {
            let text = text(item);
            words.iter().all(|word| text.contains(word))
        })
        .cloned()
        .collect();
    if let Some(first) = words.first() {
        found.sort_by_key(|item| !text(item).starts_with(first));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(items: &[Item]) -> Vec<&str> {
        items.iter().map(|item| item.title.as_str()).collect()
    }

    #[test]
    fn a_viewer_is_offered_places_and_nothing_that_acts() {
        let harmless = |deed: &Deed| matches!(deed, Deed::Go(_) | Deed::Theme(_) | Deed::Shortcuts);
        let viewer = items(&PanelState::default(), false);
        assert!(viewer.iter().all(|item| harmless(&item.deed)));
        let operator = items(&PanelState::default(), true);
        assert!(operator.len() > viewer.len());
    }

    #[test]
    fn every_typed_word_has_to_occur_and_beginnings_come_first() {
        let all = items(&PanelState::default(), true);
        assert_eq!(matching(&all, "").len(), all.len());
        assert_eq!(
            titles(&matching(&all, "rollout demo")),
            ["Demo screen: Rollout"]
        );
        assert_eq!(matching(&all, "se")[0].title, "Setup");
        assert!(matching(&all, "no such thing").is_empty());
    }
}
