//! The logs of all pods of a component as one, followed while they are on the screen.

mod lines;
mod ring;

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use self::lines::LogLines;
use self::ring::Ring;
use super::{FailureNote, save_file};
use crate::api::live::whole_log;
use crate::live::{Followed, Following, Live};
use crate::model::{Failure, LogLevel, LogSource, LogWish, PanelState, Slice};
use crate::ui::{Button, ButtonKind, CopyButton, SelectField, StatusBadge, TextField, Tone};

/// Of each container's past.
const TAIL: u32 = 300;
/// Typing is over when nothing was typed for this long.
const TYPED: Duration = Duration::from_millis(350);

/// `of` is whose logs are shown, as a value of the list.
#[component]
pub fn PodLogs(of: RwSignal<String>) -> impl IntoView {
    let previous = RwSignal::new(false);
    let level = RwSignal::new(String::new());
    let text = RwSignal::new(String::new());
    let searched = RwSignal::new(String::new());
    let typed = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let wanted = text.get().trim().to_owned();
        typed.update_value(|typed| *typed += 1);
        let this = typed.get_value();
        set_timeout(
            move || {
                if typed.try_get_value() == Some(this) && searched.get_untracked() != wanted {
                    searched.set(wanted);
                }
            },
            TYPED,
        );
    });
    let wish = Memo::new(move |_| {
        let level = level.get();
        LogWish {
            previous: previous.get(),
            text: searched.get(),
            level: LogLevel::ALL.into_iter().find(|one| one.word() == level),
            tail: TAIL,
            ..wish_of(&of.get())
        }
    });
    let rows = StoredValue::new(Ring::default());
    let held = StoredValue::new(None::<Ring>);
    let paused = RwSignal::new(false);
    let (version, arrived) = (RwSignal::new(0_u32), RwSignal::new(0_u64));
    let status = RwSignal::new(Following::Connecting);
    let stream = StoredValue::new_local(None::<Followed>);
    Effect::new(move |_| {
        let wish = wish.get();
        status.set(Following::Connecting);
        paused.set(false);
        held.set_value(None);
        let take = move |frame| {
            let into_live = |rows: &mut Ring| match frame {
                None => {
                    *rows = rows.emptied();
                    true
                }
                Some(frame) => rows.take(frame),
            };
            // While paused, what is shown stays; what comes is kept behind it.
            let is_new = if held.with_value(Option::is_some) {
                held.try_update_value(|held| held.as_mut().map(into_live))
                    .flatten()
            } else {
                rows.try_update_value(into_live)
            };
            if is_new == Some(true) {
                let next = match paused.get_untracked() {
                    true => held.with_value(|held| held.as_ref().map_or(0, Ring::next)),
                    false => {
                        version.update(|version| *version = version.wrapping_add(1));
                        rows.with_value(Ring::next)
                    }
                };
                arrived.set(next);
            }
        };
        let once = wish.previous;
        stream.set_value(Some(Followed::start(&wish, once, status, take)));
    });
    let pause = move |()| {
        if paused.get_untracked() {
            if let Some(all) = held.try_update_value(Option::take).flatten() {
                rows.set_value(all);
            }
            version.update(|version| *version = version.wrapping_add(1));
        } else {
            held.set_value(Some(rows.get_value()));
        }
        paused.update(|paused| *paused = !*paused);
    };
    let follow = RwSignal::new(true);
    let failure = Signal::derive(move || match status.get() {
        Following::Failed(why) => Some(why),
        _ => None,
    });
    let empty = Signal::derive(move || match (status.get(), previous.get()) {
        (Following::Connecting, _) => "Connecting…".to_owned(),
        (_, true) => "No container was restarted, or its log is gone".to_owned(),
        _ if wish.with(|wish| !wish.text.is_empty() || wish.level.is_some()) => {
            "No line fits yet".to_owned()
        }
        _ => "Nothing was logged yet".to_owned(),
    });
    let counts = move || {
        version.track();
        let arrived = arrived.get();
        let (shown, next, left_out) =
            rows.with_value(|rows| (rows.len(), rows.next(), rows.left_out));
        let mut words = match shown {
            1 => "1 line".to_owned(),
            more => format!("{more} lines"),
        };
        if left_out > 0 {
            words.push_str(&format!(", {left_out} not shown"));
        }
        if paused.get() {
            words.push_str(&format!(", {} new", arrived.saturating_sub(next)));
        }
        words
    };
    let badge = Signal::derive(move || stream_words(&status.get(), paused.get()));
    let live = Live::expect();
    let choices = live.memo(&[Slice::Pods, Slice::Project], choices);
    view! {
        <div class="pod-logs-tools">
            <div class="field">
                <label class="field-label" for="logs-of">
                    "Logs of"
                </label>
                <select
                    id="logs-of"
                    class="input"
                    on:change:target=move |event| of.set(event.target().value())
                >
                    {move || {
                        let chosen = of.get();
                        choices
                            .get()
                            .into_iter()
                            .map(|(value, words)| {
                                let selected = value == chosen;
                                view! {
                                    <option value=value selected=selected>
                                        {words}
                                    </option>
                                }
                            })
                            .collect_view()
                    }}
                </select>
            </div>
            <TextField id="logs-search" label="Only lines with" value=text />
            <SelectField id="logs-level" label="Level" options=levels() value=level />
            <Button
                pressed=Signal::derive(move || Some(previous.get()))
                on_press=move |()| previous.update(|previous| *previous = !*previous)
            >
                "Before the last restart"
            </Button>
        </div>
        <FailureNote failure />
        <div class="log">
            <div class="log-tools">
                <StatusBadge
                    tone=Signal::derive(move || badge.get().0)
                    word=Signal::derive(move || badge.get().1.to_owned())
                    quiet=true
                />
                <span class="log-count">{counts}</span>
                <Button
                    kind=ButtonKind::Quiet
                    pressed=Signal::derive(move || Some(follow.get()))
                    on_press=move |()| follow.update(|follow| *follow = !*follow)
                >
                    "Follow"
                </Button>
                <Button
                    kind=ButtonKind::Quiet
                    pressed=Signal::derive(move || Some(paused.get()))
                    on_press=pause
                >
                    "Pause"
                </Button>
                <CopyButton what="log" text=move |()| rows.with_value(Ring::text) />
                <Download wish />
            </div>
            <LogLines rows version follow searched empty />
        </div>
    }
    .into_any()
}

/// Everything that fits, as a file.
#[component]
fn Download(wish: Memo<LogWish>) -> impl IntoView {
    let busy = RwSignal::new(false);
    let failure = RwSignal::new(None::<Failure>);
    let download = move |()| {
        busy.set(true);
        let wish = wish.get_untracked();
        spawn_local(async move {
            match whole_log(wish).await {
                Ok(file) => {
                    failure.try_set(None);
                    save_file("slipway-logs.txt", &file.text);
                }
                Err(why) => {
                    failure.try_set(Some(why));
                }
            }
            busy.try_set(false);
        });
    };
    view! {
        <Button kind=ButtonKind::Quiet busy on_press=download>
            "Download log"
        </Button>
        <FailureNote failure />
    }
    .into_any()
}

fn stream_words(status: &Following, paused: bool) -> (Tone, &'static str) {
    match status {
        _ if paused => (Tone::Off, "Paused"),
        Following::Connecting => (Tone::Working, "Connecting"),
        Following::Following => (Tone::Ok, "Following"),
        Following::Broken => (Tone::Stale, "Reconnecting"),
        Following::Done => (Tone::Off, "To the end"),
        Following::Failed(_) => (Tone::Failed, "Failed"),
    }
}

fn levels() -> Vec<(String, String)> {
    let all = (String::new(), "All".to_owned());
    let some = LogLevel::ALL.map(|level| {
        let words = match level {
            LogLevel::Error => "Error".to_owned(),
            other => format!("{} and worse", other.word()),
        };
        (level.word().to_owned(), words)
    });
    std::iter::once(all).chain(some).collect()
}

/// The list's values and words: everything, then components, then containers.
fn choices(state: &PanelState) -> Vec<(String, String)> {
    let mut found = vec![(String::new(), "All components".to_owned())];
    let components: std::collections::BTreeSet<_> = state
        .pods
        .values()
        .filter_map(|pod| pod.component.clone())
        .collect();
    found.extend(
        components
            .into_iter()
            .map(|name| (name.to_string(), format!("All pods of {name}"))),
    );
    found.extend(
        state
            .log_sources(&LogWish::default())
            .into_iter()
            .map(|(_, source)| {
                let words = format!("{}, {}", source.pod, source.container);
                (value_of(&source), words)
            }),
    );
    found
}

/// A container as a value of the list.
pub fn value_of(source: &LogSource) -> String {
    source.to_string()
}

fn wish_of(value: &str) -> LogWish {
    match value.split_once('/') {
        Some((pod, container)) => LogWish {
            pod: Some(pod.to_owned()),
            container: Some(container.to_owned()),
            ..LogWish::default()
        },
        None => LogWish {
            component: value.parse().ok(),
            ..LogWish::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_the_list_says_whose_logs_are_meant() {
        assert_eq!(wish_of(""), LogWish::default());
        let component = wish_of("backend");
        assert_eq!(component.component, "backend".parse().ok());
        let source = LogSource {
            pod: "backend-1".into(),
            container: "app".into(),
        };
        let one = wish_of(&value_of(&source));
        assert_eq!(one.pod.as_deref(), Some("backend-1"));
        assert_eq!(one.container.as_deref(), Some("app"));
    }
}
