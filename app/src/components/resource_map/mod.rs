//! The project's objects as a picture: who owns, reads and leads to what. On a small screen a list.

mod layout;

use std::time::Duration;

use leptos::prelude::*;

use self::layout::{layout, path};
use super::{Age, FailureNote, ShowObject, ask, words};
use crate::api::live::read_map;
use crate::live::Live;
use crate::model::{MapLink, MapNode, PanelState, ResourceMap, Slice, UnixMillis};
use crate::ui::{EmptyMessage, StatusIcon};

/// Read again at most this often, however much changes.
const EVERY: Duration = Duration::from_millis(1_500);
/// Read again after this long even when no pod changed, and when it could not be read: of most of its
/// objects no news comes.
const AGAIN_MS: u64 = 10_000;
/// A picture read longer ago than this is not called true any more.
const OLD_MS: u64 = 20_000;

/// For operators: the server reads it from the cluster.
#[component]
pub fn ResourceMapPanel() -> impl IntoView {
    let live = Live::expect();
    let read = ask(|()| read_map());
    let seen = live.memo(&[Slice::Pods, Slice::Components], fingerprint);
    let rests = RwSignal::new(false);
    let asked = StoredValue::new(None::<(u64, UnixMillis)>);
    Effect::new(move |_| {
        let (seen, now) = (seen.get(), live.now());
        if rests.get() || read.is_pending().get() || !live.stream_is_fresh() {
            return;
        }
        if asked
            .get_value()
            .is_some_and(|(before, at)| before == seen && now.since(at) < AGAIN_MS)
        {
            return;
        }
        asked.set_value(Some((seen, now)));
        read.send(());
        rests.set(true);
        set_timeout(
            move || {
                rests.try_set(false);
            },
            EVERY,
        );
    });
    let answer = read.answer();
    let newest = Memo::new(move |last: Option<&Option<ResourceMap>>| {
        // What was read before stays, and grows old, until it can be read again.
        answer.get().or_else(|| last.cloned().flatten())
    });
    let read_at =
        Memo::new(move |_| newest.with(|map| map.as_ref().map(|map| map.read).unwrap_or_default()));
    // Without its time: what was read again and found the same is not drawn anew, and keeps the focus.
    let map = Memo::new(move |_| {
        newest.get().map(|map| ResourceMap {
            read: UnixMillis::default(),
            ..map
        })
    });
    let watch = live.memo(&[Slice::Watch], |state| state.watch);
    let is_fresh =
        Memo::new(move |_| live.is_fresh(&watch.get()) && live.now().since(read_at.get()) < OLD_MS);
    let is_empty =
        Memo::new(move |_| map.with(|map| map.as_ref().is_some_and(|map| map.nodes.is_empty())));
    view! {
        <FailureNote failure=read.failure() />
        <Show when=move || is_empty.get()>
            <EmptyMessage
                title="Nothing to draw yet"
                text="Deploy the project; its objects and what connects them appear here."
            />
        </Show>
        {move || {
            map.get()
                .filter(|map| !map.nodes.is_empty())
                .map(|map| view! { <Picture map read_at is_fresh /> })
        }}
    }
    .into_any()
}

/// Changes when the picture does; not with every probe.
fn fingerprint(state: &PanelState) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    for pod in state.pods.values() {
        let restarts: u32 = pod.containers.iter().map(|own| own.restarts).sum();
        (&pod.uid, pod.ready, pod.terminating, &pod.phase, restarts).hash(&mut hasher);
    }
    for (name, row) in &state.components {
        let service = row.service.as_ref().map(|service| &service.name);
        (
            name,
            row.revision,
            row.replicas,
            row.ready,
            row.paused,
            service,
        )
            .hash(&mut hasher);
    }
    hasher.finish()
}

#[component]
fn Picture(map: ResourceMap, read_at: Memo<UnixMillis>, is_fresh: Memo<bool>) -> impl IntoView {
    let layout = layout(&map);
    let (width, height) = (layout.width, layout.height);
    let lines: Vec<_> = map
        .edges
        .iter()
        .map(|edge| {
            let look = match edge.link {
                MapLink::Owns => "map-line",
                MapLink::Selects | MapLink::Reads => "map-line map-line-loose",
            };
            view! { <path class=look d=path(&layout, *edge) marker-end="url(#map-arrow)" /> }
        })
        .collect();
    let nodes: Vec<_> = map
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| {
            let said = relations(&map, at);
            let (x, y) = layout.places[at];
            view! { <Node node=node.clone() said x y is_fresh /> }
        })
        .collect();
    view! {
        <div class="map" role="group" tabindex="0" aria-label="Map of the objects">
            <div
                class="map-room"
                style:width=format!("{width}px")
                style:height=format!("{height}px")
            >
                <svg
                    class="map-lines"
                    viewBox=format!("0 0 {width} {height}")
                    width=width
                    height=height
                    aria-hidden="true"
                >
                    <defs>
                        <marker
                            id="map-arrow"
                            viewBox="0 0 8 8"
                            refX="7"
                            refY="4"
                            markerWidth="7"
                            markerHeight="7"
                            orient="auto"
                        >
                            <path class="map-arrow" d="M0 0.5 8 4 0 7.5z" />
                        </marker>
                    </defs>
                    {lines}
                </svg>
                <ul class="map-nodes">{nodes}</ul>
            </div>
        </div>
        <p class="map-legend">
            <span class="map-key">"Solid: owns"</span>
            <span class="map-key">"Dashed: reads or leads to"</span>
            <span>"Read " <Age at=read_at /></span>
        </p>
    }
    .into_any()
}

#[component]
fn Node(node: MapNode, said: String, x: i32, y: i32, is_fresh: Memo<bool>) -> impl IntoView {
    let show = use_context::<ShowObject>();
    let of_state = words::map_state(&node.state);
    let shown = Memo::new(move |_| words::last_known(of_state.clone(), is_fresh.get()));
    let (kind, name) = (node.key.kind().word(), node.key.name().to_owned());
    let title = name.clone();
    let key = node.key.clone();
    let note = node.note;
    let state = move || match (shown.get().1, note.as_str()) {
        (word, "") => word,
        (word, note) => format!("{word} · {note}"),
    };
    view! {
        <li class="map-place" style:left=format!("{x}px") style:top=format!("{y}px")>
            <button
                type="button"
                class="map-node"
                title=title
                on:click=move |_| {
                    if let Some(show) = show {
                        show.0.run(key.clone());
                    }
                }
            >
                <span class="map-kind">
                    <StatusIcon tone=Signal::derive(move || shown.get().0) />
                    {kind}
                </span>
                <span class="map-name">{name}</span>
                <span class="map-state">{state}</span>
                <span class="map-said">{said}</span>
            </button>
        </li>
    }
    .into_any()
}

/// What a node has to do with others, in words: for those who see no lines.
fn relations(map: &ResourceMap, at: usize) -> String {
    let name = |at: usize| {
        let key = &map.nodes[at].key;
        format!("{} {}", key.kind().word(), key.name())
    };
    let parts: Vec<String> = map
        .edges
        .iter()
        .filter(|edge| edge.to == at || edge.from == at && edge.link != MapLink::Owns)
        .map(|edge| match (edge.link, edge.from == at) {
            (MapLink::Owns, _) => format!("of {}", name(edge.from)),
            (link, true) => format!("{} {}", link.words(), name(edge.to)),
            (MapLink::Selects, false) => format!("behind {}", name(edge.from)),
            (MapLink::Reads, false) => format!("read by {}", name(edge.from)),
        })
        .collect();
    parts.join(", ")
}
