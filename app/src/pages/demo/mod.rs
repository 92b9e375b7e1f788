//! The demo screen: one look from five metres tells how things stand. No chrome, no scrolling,
//! nothing secret, and a lost connection shows as age, never as an empty screen.

mod events_scene;
mod foot;
mod happening;
mod health_scene;
mod keys;
mod light;
mod replay;
mod rollout_scene;
mod scene;
mod walk_scene;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::events_scene::EventsScene;
use self::foot::Foot;
use self::health_scene::HealthScene;
use self::replay::{Replay, Tape};
use self::rollout_scene::RolloutScene;
use self::scene::{Scene, Showing};
use self::walk_scene::{WalkScene, WalkStrip};
use super::live::component_names;
use crate::components::Mark;
use crate::live::Live;
use crate::model::{Freshness, PanelState, Rollout, Severity, Slice, UnixMillis, humanize_ms};
use crate::ui::{StatusIcon, Tone};

#[component]
pub fn DemoPage() -> impl IntoView {
    let query = use_query_map();
    let is_replay = Memo::new(move |_| query.with(|query| query.get("replay").is_some()));
    let tape = Tape::provide(is_replay);
    view! {
        <Title text="Demo screen" />
        {move || match is_replay.get() {
            true => view! { <Replay tape /> }.into_any(),
            false => view! { <Screen showing=Showing::Now /> }.into_any(),
        }}
    }
    .into_any()
}

/// The screen itself, of whatever store is in the context.
#[component]
fn Screen(showing: Showing) -> impl IntoView {
    let live = Live::expect();
    let name = live.memo(&[Slice::Project], |state| {
        state
            .project
            .as_ref()
            .map_or_else(|| "Slipway".to_owned(), |project| project.name.clone())
    });
    let watch = live.memo(&[Slice::Watch], |state| state.watch);
    let is_fresh = Memo::new(move |_| live.is_fresh(&watch.get()));
    // The server's own word, the steps above all, holds also before the cluster was heard: only what
    // is of the cluster cannot be shown as fresh then.
    let is_told = Memo::new(move |_| {
        is_fresh.get() || (watch.get() == Freshness::default() && live.stream_is_fresh())
    });
    let overall = live.memo(
        &[Slice::Components, Slice::Project, Slice::Findings],
        overall,
    );
    let shown = Signal::derive(move || match overall.get() {
        (Tone::Unknown, word) => (Tone::Unknown, word),
        said if is_fresh.get() => said,
        // Before the cluster was heard the findings are the server's own word.
        (Tone::Failed, word) if is_told.get() => (Tone::Failed, word),
        _ => (Tone::Stale, "Stale"),
    });
    let cluster = live.memo(&[Slice::Cluster], |state| {
        state
            .cluster
            .as_ref()
            .map(|cluster| cluster.choice.label().to_owned())
    });
    let query = use_query_map();
    let held = Memo::new(move |_| query.with(|query| Scene::from_word(&query.get("scene")?)));
    let action = live.memo(
        &[
            Slice::Components,
            Slice::Pods,
            Slice::Project,
            Slice::Runs,
            Slice::Findings,
        ],
        Scene::of_action,
    );
    let scene = Memo::new(move |_| {
        held.get()
            .or(action.get())
            .unwrap_or_else(|| Scene::rotating(live.now()))
    });
    keys::listen(showing, held, scene);
    view! {
        <div class="demo" class:demo-stale=move || !is_told.get()
            class:demo-replayed=move || showing != Showing::Now>
            <header class="demo-head">
                <Mark />
                <h1 class="demo-name">{name}</h1>
                <Show when=move || cluster.with(Option::is_some)>
                    <p class="demo-cluster">
                        <span class="sr-only">"Cluster "</span>
                        {move || cluster.get()}
                    </p>
                </Show>
                <p
                    class=move || format!("demo-state {}", shown.get().0.class())
                    role="status"
                >
                    <StatusIcon tone=Signal::derive(move || shown.get().0) />
                    <span>{move || shown.get().1}</span>
                </p>
            </header>
            {match showing {
                Showing::Now => None,
                Showing::Replay(recording) => Some(view! { <replay::Band recording /> }),
            }}
            <Show when=move || scene.get() != Scene::Walk>
                <WalkStrip is_fresh=is_told />
            </Show>
            <section class="demo-scene" aria-label=move || scene.get().title()>
                {move || match scene.get() {
                    Scene::Walk => view! { <WalkScene is_fresh=is_told /> }.into_any(),
                    Scene::Health => view! { <HealthScene is_fresh /> }.into_any(),
                    Scene::Rollout => view! { <RolloutScene is_fresh /> }.into_any(),
                    Scene::Events => view! { <EventsScene /> }.into_any(),
                }}
            </section>
            <Foot showing held scene is_fresh=is_told />
        </div>
    }
    .into_any()
}

/// A span in whole seconds: tenths would jump about with a clock that ticks once a second.
fn whole(now: UnixMillis, then: UnixMillis) -> String {
    humanize_ms(now.since(then) / 1000 * 1000)
}

/// A tone as it may be shown: what is not fresh has none but stale.
fn aged(tone: Tone, is_fresh: bool) -> Tone {
    match tone {
        Tone::Off | Tone::Unknown => tone,
        tone if is_fresh => tone,
        _ => Tone::Stale,
    }
}

/// The part of an image's name that tells its version.
fn version(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((_, tag)) => tag.chars().take(12).collect(),
        None => "latest".to_owned(),
    }
}

/// The word for everything together: the worst of all components.
fn overall(state: &PanelState) -> (Tone, &'static str) {
    let names = component_names(state);
    if names.is_empty() {
        return (Tone::Unknown, "Unknown");
    }
    let rows: Vec<_> = names
        .iter()
        .map(|name| state.components.get(name))
        .collect();
    let rollouts = || rows.iter().flatten().map(|row| &row.rollout);
    let is_broken = state
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Failed);
    if is_broken || rollouts().any(|rollout| matches!(rollout, Rollout::Stuck { .. })) {
        (Tone::Failed, "Failed")
    } else if rollouts().any(|rollout| matches!(rollout, Rollout::Progressing { .. })) {
        (Tone::Working, "Starting")
    } else if rows.contains(&None) {
        (Tone::Unknown, "Not seen yet")
    } else if rollouts().all(|rollout| *rollout == Rollout::Absent) {
        (Tone::Off, "Not deployed")
    } else if rows
        .iter()
        .flatten()
        .any(|row| row.rollout == Rollout::Absent || row.ready < row.replicas)
    {
        (Tone::Attention, "Degraded")
    } else if rows.iter().flatten().all(|row| row.is_scaled_to_0()) {
        (Tone::Off, "Scaled to 0")
    } else {
        (Tone::Ok, "Ready")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ComponentLive, ComponentView, ProbePaths, ProjectView};

    #[test]
    fn a_stale_light_is_never_green() {
        assert_eq!(aged(Tone::Ok, false), Tone::Stale);
        assert_eq!(aged(Tone::Failed, false), Tone::Stale);
        assert_eq!(aged(Tone::Ok, true), Tone::Ok);
        assert_eq!(aged(Tone::Off, false), Tone::Off);
    }

    #[test]
    fn the_version_is_the_tag_whatever_registry_the_image_is_from() {
        assert_eq!(version("todo-backend:3f9a0c12be77aa"), "3f9a0c12be77");
        assert_eq!(version("localhost:5000/todo/backend"), "latest");
        assert_eq!(version("localhost:5000/todo/backend:v2"), "v2");
    }

    fn row(name: &str, rollout: Rollout, replicas: u32) -> ComponentLive {
        ComponentLive {
            component: name.parse().expect("a name"),
            rollout,
            replicas,
            updated: replicas,
            ready: replicas,
            available: replicas,
            restarts: 0,
            image: String::new(),
            image_proved: None,
            revision: 1,
            previous: None,
            paused: false,
            drill: false,
            service: None,
        }
    }

    fn state_of(rows: Vec<ComponentLive>) -> PanelState {
        PanelState {
            components: rows
                .into_iter()
                .map(|row| (row.component.clone(), row))
                .collect(),
            ..PanelState::default()
        }
    }

    fn project_of(component: &str) -> ProjectView {
        ProjectView {
            name: "todo".into(),
            root: String::new(),
            namespace: "todo".parse().expect("a name"),
            components: vec![ComponentView {
                name: component.parse().expect("a name"),
                image: String::new(),
                port: 80,
                probes: ProbePaths::default(),
                exposed: false,
                size_budget_bytes: None,
            }],
            secret_name: String::new(),
            has_manifests: true,
            has_chart: false,
        }
    }

    #[test]
    fn one_component_that_is_not_there_is_not_ready_together() {
        let both = |other| overall(&state_of(vec![row("a", Rollout::Complete, 1), other]));
        assert_eq!(both(row("b", Rollout::Complete, 1)), (Tone::Ok, "Ready"));
        assert_eq!(
            both(row("b", Rollout::Absent, 0)),
            (Tone::Attention, "Degraded")
        );
    }

    #[test]
    fn nothing_that_runs_is_not_green() {
        let both = |count| {
            let rows = [("a", 0), ("b", count)];
            let rows = rows.map(|(name, count)| row(name, Rollout::Complete, count));
            overall(&state_of(rows.into()))
        };
        assert_eq!(both(0), (Tone::Off, "Scaled to 0"));
        assert_eq!(both(1), (Tone::Ok, "Ready"));
    }

    #[test]
    fn what_the_cluster_was_not_asked_about_is_unknown() {
        let mut state = state_of(vec![]);
        state.project = Some(project_of("a"));
        assert_eq!(overall(&state), (Tone::Unknown, "Not seen yet"));
        state.components = state_of(vec![row("a", Rollout::Absent, 0)]).components;
        assert_eq!(overall(&state), (Tone::Off, "Not deployed"));
    }
}
