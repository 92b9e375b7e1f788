//! The strips, the marks above them, and the reading of one moment below.

use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;

use super::axis::{WIDE, Window};
use crate::model::{ComponentName, Lane, LaneState, MarkKind, Timeline, UnixMillis};
use crate::ui::{StatusBadge, Tone, time_of_day};

/// One press of an arrow key.
const STEP: f64 = 0.01;

#[component]
pub fn Strips(timeline: Memo<Timeline>) -> impl IntoView {
    // Which part of the width is read; the newest until somebody points elsewhere.
    let part = RwSignal::new(1.0_f64);
    let room = NodeRef::<html::Div>::new();
    let point = move |x: i32| {
        if let Some(room) = room.get_untracked() {
            let place = room.get_bounding_client_rect();
            if place.width() > 0.0 {
                part.set(((f64::from(x) - place.left()) / place.width()).clamp(0.0, 1.0));
            }
        }
    };
    let key = move |event: KeyboardEvent| {
        let now = part.get_untracked();
        let to = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => now - STEP,
            "ArrowRight" | "ArrowUp" => now + STEP,
            "PageDown" => now - 10.0 * STEP,
            "PageUp" => now + 10.0 * STEP,
            "Home" => 0.0,
            "End" => 1.0,
            _ => return,
        };
        event.prevent_default();
        part.set(to.clamp(0.0, 1.0));
    };
    let window = Memo::new(move |_| timeline.with(window_of));
    let at = Memo::new(move |_| {
        let window = window.get();
        // The very end is past the last span: read just before it.
        UnixMillis(
            window
                .moment(part.get())
                .0
                .min(window.to.0 - window.near_ms().min(5_000)),
        )
    });
    let lanes = Memo::new(move |_| timeline.with(Timeline::lanes));
    let reading = move || timeline.with(|timeline| words_of(timeline, &lanes.get(), at.get()));
    view! {
        <div
            class="timeline"
            role="slider"
            tabindex="0"
            aria-label="Moment of the timeline"
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=move || format!("{:.0}", part.get() * 100.0)
            aria-valuetext=reading
            on:keydown=key
            on:pointermove=move |event| point(event.client_x())
            on:pointerdown=move |event| point(event.client_x())
        >
            <div class="timeline-row timeline-marks-row">
                <span class="timeline-name">"What happened"</span>
                <div class="timeline-room" node_ref=room>
                    {move || {
                        let window = window.get();
                        timeline
                            .with(|timeline| {
                                timeline
                                    .marks
                                    .iter()
                                    .map(|mark| {
                                        let left = window.x(mark.at) / WIDE * 100.0;
                                        view! {
                                            <span
                                                class=format!("timeline-mark {}", mark_class(mark.kind))
                                                style:left=format!("{left:.2}%")
                                                title=mark.words.clone()
                                            >
                                                {letter(mark.kind)}
                                            </span>
                                        }
                                    })
                                    .collect_view()
                            })
                    }}
                    <span
                        class="timeline-cursor"
                        style:left=move || format!("{:.2}%", part.get() * 100.0)
                    ></span>
                </div>
            </div>
            <For
                each=move || lanes.get()
                key=Clone::clone
                children=move |(component, lane)| {
                    view! { <Strip timeline window component lane part /> }
                }
            />
            <div class="timeline-row">
                <span class="timeline-name"></span>
                <div class="timeline-ticks">
                    {move || {
                        window.get().ticks().map(|tick| view! { <span>{time_of_day(tick)}</span> }).collect_view()
                    }}
                </div>
            </div>
        </div>
        <Reading timeline lanes at window />
    }
    .into_any()
}

#[component]
fn Strip(
    timeline: Memo<Timeline>,
    window: Memo<Window>,
    component: ComponentName,
    lane: Lane,
    part: RwSignal<f64>,
) -> impl IntoView {
    let name = format!("{component}, {}", lane.title().to_lowercase());
    let shapes = move || {
        let window = window.get();
        timeline.with(|timeline| {
            timeline
                .spans
                .iter()
                .filter(|span| span.lane == lane && span.component == component)
                .map(|span| {
                    let (from, to) = (window.x(span.from), window.x(span.to));
                    let (class, y, height) = match span.state {
                        LaneState::Pass => ("timeline-pass", 7, 10),
                        LaneState::Fail => ("timeline-fail", 1, 22),
                        LaneState::Unknown => ("timeline-unknown", 11, 2),
                    };
                    view! {
                        <rect
                            class=class
                            x=format!("{from:.2}")
                            y=y
                            width=format!("{:.2}", (to - from).max(1.0))
                            height=height
                        ></rect>
                    }
                })
                .collect_view()
        })
    };
    view! {
        <div class="timeline-row">
            <span class="timeline-name" title=name.clone()>
                {name.clone()}
            </span>
            <div class="timeline-room">
                <svg
                    viewBox="0 0 1000 24"
                    preserveAspectRatio="none"
                    aria-hidden="true"
                    focusable="false"
                >
                    {shapes}
                </svg>
                <span
                    class="timeline-cursor"
                    style:left=move || format!("{:.2}%", part.get() * 100.0)
                ></span>
            </div>
        </div>
    }
    .into_any()
}

/// What the chosen moment says, as a list.
#[component]
fn Reading(
    timeline: Memo<Timeline>,
    lanes: Memo<Vec<(ComponentName, Lane)>>,
    at: Memo<UnixMillis>,
    window: Memo<Window>,
) -> impl IntoView {
    view! {
        <section class="timeline-reading" aria-label="At that moment">
            <p class="timeline-moment">{move || time_of_day(at.get())}</p>
            <ul class="timeline-said">
                {move || {
                    lanes
                        .get()
                        .into_iter()
                        .map(|(component, lane)| {
                            let state = timeline
                                .with(|timeline| timeline.at(&component, lane, at.get()));
                            let (tone, word) = said(state);
                            view! {
                                <li>
                                    <span class="timeline-about">
                                        {format!("{component}, {}", lane.title().to_lowercase())}
                                    </span>
                                    <StatusBadge tone word=word.to_owned() quiet=true />
                                </li>
                            }
                        })
                        .collect_view()
                }}
            </ul>
            <ul class="timeline-happened">
                {move || {
                    timeline
                        .with(|timeline| {
                            timeline
                                .marks_near(at.get(), window.get().near_ms())
                                .into_iter()
                                .map(|mark| {
                                    view! {
                                        <li>
                                            <span class=format!(
                                                "timeline-mark timeline-mark-in-text {}",
                                                mark_class(mark.kind),
                                            )>{letter(mark.kind)}</span>
                                            <span class="timeline-when">{time_of_day(mark.at)}</span>
                                            <span dir="auto">{mark.words.clone()}</span>
                                        </li>
                                    }
                                })
                                .collect_view()
                        })
                }}
            </ul>
        </section>
    }
    .into_any()
}

fn window_of(timeline: &Timeline) -> Window {
    Window {
        from: timeline.from,
        to: timeline.to,
    }
}

fn words_of(timeline: &Timeline, lanes: &[(ComponentName, Lane)], at: UnixMillis) -> String {
    let lanes = lanes.iter().map(|(component, lane)| {
        let (_, word) = said(timeline.at(component, *lane, at));
        format!("{component} {} {word}", lane.title())
    });
    let near = window_of(timeline).near_ms();
    let marks = timeline
        .marks_near(at, near)
        .into_iter()
        .map(|mark| mark.words.clone());
    let said: Vec<String> = std::iter::once(time_of_day(at))
        .chain(lanes)
        .chain(marks)
        .collect();
    said.join("; ")
}

fn said(state: Option<LaneState>) -> (Tone, &'static str) {
    match state {
        Some(LaneState::Pass) => (Tone::Ok, "Passing"),
        Some(LaneState::Fail) => (Tone::Failed, "Failing"),
        Some(LaneState::Unknown) => (Tone::Unknown, "Unknown"),
        None => (Tone::Off, "Not recorded"),
    }
}

fn letter(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Run => "D",
        MarkKind::Approval => "A",
        MarkKind::Rollout => "V",
        MarkKind::Restart => "R",
        MarkKind::Secret => "S",
    }
}

fn mark_class(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Run | MarkKind::Rollout => "tone-working",
        MarkKind::Restart => "tone-failed",
        MarkKind::Approval | MarkKind::Secret => "tone-attention",
    }
}
