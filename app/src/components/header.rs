//! The bar at the top: what this is, for which project, on which cluster, and how alive it is.

use leptos::prelude::*;

use super::{ShareButton, Windows, words};
use crate::live::Live;
use crate::model::{PanelState, Slice};
use crate::theme::{self, Theme};
use crate::ui::{Icon, IconShape, StatusBadge, StatusIcon, Tone};

/// The mark: a hull on its slip.
const MARK: &str = r#"<path class="mark-sail" d="M15.200 3.600v12.300H7.400z"/><path class="mark-sail-two" d="M17.400 7.200l6.300 8.700h-6.300z"/><path class="mark-hull" d="M4.200 18.300h22.400c-.8 3.200-3.500 5.500-6.800 5.500H11c-3.300 0-6-2.300-6.800-5.500z"/><path class="mark-slip" d="M2.500 28.200l26-3.400" fill="none" stroke-width="2" stroke-linecap="round"/>"#;

#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 31 31" aria-hidden="true" focusable="false" inner_html=MARK></svg>
    }
    .into_any()
}

#[component]
pub fn Header() -> impl IntoView {
    let live = Live::expect();
    let project = live.memo(&[Slice::Project], |state| {
        state.project.as_ref().map(|project| project.name.clone())
    });
    let viewers = live.memo(&[Slice::Viewers, Slice::Sharing], PanelState::watching);
    view! {
        <header class="top">
            <a class="brand" href="/" aria-label="Slipway, to the current step">
                <Mark />
                <span>"Slipway"</span>
            </a>
            {move || {
                project
                    .get()
                    .map(|name| {
                        view! {
                            <p class="top-project" title="Project">
                                <span class="sr-only">"Project "</span>
                                {name}
                            </p>
                        }
                    })
            }}
            <div class="top-tools">
                <Show when=move || live.has_snapshot() && !live.is_operator()>
                    <span class="top-role">"View only"</span>
                </Show>
                <ClusterChip />
                <p class="top-viewers" title="Connected pages">
                    <Icon shape=IconShape::Eye />
                    <span>{viewers}</span>
                    <span class="sr-only">" connected pages"</span>
                </p>
                <span class="wide-only">
                    <PaletteButton />
                </span>
                <span class="wide-only">
                    <ShareButton class="btn btn-quiet" />
                </span>
                <a class="btn btn-quiet" href="/demo">
                    <Icon shape=IconShape::Screen />
                    <span class="wide-only">"Demo screen"</span>
                    <span class="sr-only narrow-only">"Demo screen"</span>
                </a>
                <ThemeToggle />
            </div>
        </header>
    }
    .into_any()
}

/// The cluster in use and how fresh what is known of it is.
#[component]
fn ClusterChip() -> impl IntoView {
    let live = Live::expect();
    let cluster = live.memo(&[Slice::Cluster], |state| {
        state.cluster.as_ref().map(|cluster| {
            (
                cluster.choice.label().to_owned(),
                words::cluster_kind(&cluster.kind),
                cluster.version.clone(),
                cluster.access.is_guarded(),
            )
        })
    });
    let tone = Signal::derive(move || {
        let source = live.read(&[Slice::Cluster], |state| {
            state
                .cluster
                .as_ref()
                .map(|cluster| (cluster.freshness, cluster.problem.is_some()))
        });
        match source {
            None => Tone::Unknown,
            Some((_, true)) => Tone::Failed,
            Some((freshness, false)) if live.is_fresh(&freshness) => Tone::Ok,
            Some((freshness, false)) if freshness.heard.is_none() => Tone::Working,
            Some(_) => Tone::Stale,
        }
    });
    let word = move || match tone.get() {
        Tone::Ok => "answers",
        Tone::Failed => "has a problem",
        Tone::Stale => "is silent",
        Tone::Working => "is being asked",
        _ => "",
    };
    view! {
        <Show
            when=move || cluster.with(Option::is_some)
            fallback=move || {
                view! {
                    <Show when=move || live.has_snapshot()>
                        <StatusBadge tone=Tone::Unknown word="No cluster".to_owned() />
                    </Show>
                }
            }
        >
            <a
                class=move || {
                    let guarded = cluster.with(|cluster| cluster.as_ref().is_some_and(|cluster| cluster.3));
                    let guard = if guarded { " cluster-chip-guarded" } else { "" };
                    format!("cluster-chip {}{guard}", tone.get().class())
                }
                href="/setup"
                title=move || {
                    cluster
                        .get()
                        .map(|(_, kind, version, _)| {
                            format!("{kind} {}", version.unwrap_or_default())
                        })
                }
            >
                <StatusIcon tone />
                <span class="sr-only">"Cluster "</span>
                <span class="cluster-chip-name">
                    {move || cluster.get().map(|(label, ..)| label)}
                </span>
                <span class="sr-only">{move || format!(" {}", word())}</span>
            </a>
        </Show>
    }
    .into_any()
}

#[component]
fn ThemeToggle() -> impl IntoView {
    let (theme, set_theme) = signal(Theme::System);
    // The server cannot know what this browser stored.
    Effect::new(move |_| set_theme.set(theme::stored()));
    let shape = Signal::derive(move || match theme.get() {
        Theme::System => IconShape::Halves,
        Theme::Light => IconShape::Sun,
        Theme::Dark => IconShape::Moon,
    });
    view! {
        <button
            type="button"
            class="btn btn-quiet btn-icon"
            aria-label=move || format!("Theme: {}", theme.get().word())
            title=move || format!("Theme: {}", theme.get().word())
            on:click=move |_| {
                let next = theme.get_untracked().next();
                theme::choose(next);
                set_theme.set(next);
            }
        >
            <Icon shape />
        </button>
    }
    .into_any()
}

/// For those who do not know the key yet.
#[component]
fn PaletteButton() -> impl IntoView {
    let open = Windows::expect().palette;
    view! {
        <button
            type="button"
            class="btn btn-quiet"
            aria-label="Command palette, Ctrl K"
            title="Command palette"
            on:click=move |_| open.set(true)
        >
            <kbd aria-hidden="true">"Ctrl K"</kbd>
        </button>
    }
    .into_any()
}
