//! An object of the cluster as YAML, in a window over the page; its address can be passed on.

use leptos::prelude::*;

use super::{Age, FailureNote, ask};
use crate::api::live::read_object;
use crate::live::Live;
use crate::model::{LiveObject, ObjectKey, ObjectKind};
use crate::ui::{Button, ButtonKind, CopyButton, Modal, WordButton, open_while};

/// Shows an object; put into the context by the page that has the window.
#[derive(Clone, Copy, Debug)]
pub struct ShowObject(pub Callback<ObjectKey>);

/// A small button that shows an object's YAML. Draws nothing where there is no window for it, or for
/// somebody who may only look.
#[component]
pub fn YamlButton(
    kind: ObjectKind,
    #[prop(into)] name: String,
    /// Says the kind, too, where several stand side by side.
    #[prop(optional)]
    with_kind: bool,
) -> impl IntoView {
    let live = Live::expect();
    let key = ObjectKey::new(kind, name);
    let both = use_context::<ShowObject>().zip(key);
    both.map(|(show, key)| {
        let label = format!("YAML of {} {}", kind.word(), key.name());
        let word = match with_kind {
            true => format!("YAML of {}", kind.word()),
            false => "YAML".to_owned(),
        };
        view! {
            <Show when=move || live.is_operator()>
                <WordButton
                    word=word.clone()
                    label=label.clone()
                    on_press={
                        let key = key.clone();
                        move |()| show.0.run(key.clone())
                    }
                />
            </Show>
        }
    })
    .into_any()
}

/// Open while there is an object to show.
#[component]
pub fn ObjectDialog(
    object: Memo<Option<ObjectKey>>,
    #[prop(into)] on_close: Callback<()>,
) -> impl IntoView {
    let open = open_while(object, move || on_close.run(()));
    let everything = RwSignal::new(false);
    let read = ask(|(key, everything): (ObjectKey, bool)| read_object(key, everything));
    let fetch = move || {
        if let Some(key) = object.get_untracked() {
            read.send((key, everything.get_untracked()));
        }
    };
    Effect::new(move |_| {
        everything.track();
        object.track();
        fetch();
    });
    let title = Signal::derive(move || {
        object.with(|key| {
            key.as_ref().map_or_else(String::new, |key| {
                format!("{} {}", key.kind().word(), key.name())
            })
        })
    });
    // An answer about the object before says nothing about this one.
    let answer = Memo::new(move |_| {
        let key = object.get();
        read.answer()
            .get()
            .filter(|answer| key.as_ref() == Some(&answer.key))
    });
    view! {
        <Modal open title wide=true>
            <div class="yaml-tools">
                <Button
                    kind=ButtonKind::Quiet
                    pressed=Signal::derive(move || Some(everything.get()))
                    on_press=move |()| everything.update(|all| *all = !*all)
                >
                    "Show everything"
                </Button>
                <Button
                    kind=ButtonKind::Quiet
                    busy=read.is_pending()
                    on_press=move |()| fetch()
                >
                    "Read again"
                </Button>
                <CopyButton
                    what="YAML"
                    idle="Copy YAML"
                    text=move |()| {
                        answer
                            .with(|answer| {
                                answer.as_ref().map_or_else(String::new, |found| found.yaml.clone())
                            })
                    }
                />
                <CopyButton
                    what="link"
                    idle="Copy link"
                    text=move |()| window().location().href().unwrap_or_default()
                />
            </div>
            <FailureNote failure=read.failure() />
            {move || answer.get().map(|found| view! { <Yaml found /> })}
            <Show when=move || answer.with(Option::is_none) && read.is_pending().get()>
                <p class="yaml-meta" role="status">
                    "Reading it from the cluster"
                </p>
            </Show>
        </Modal>
    }
    .into_any()
}

#[component]
fn Yaml(found: LiveObject) -> impl IntoView {
    let hidden = match found.hidden {
        0 => "no value is hidden".to_owned(),
        1 => "1 value is hidden".to_owned(),
        more => format!("{more} values are hidden"),
    };
    let label = format!("YAML of {} {}", found.key.kind().word(), found.key.name());
    let lines: Vec<_> = found.yaml.lines().map(line).collect();
    view! {
        <p class="yaml-meta">"Read " <Age at=found.read /> {format!(", {hidden}")}</p>
        <pre class="yaml" role="region" tabindex="0" aria-label=label>
            {lines}
        </pre>
        {(found.more_lines > 0)
            .then(|| {
                view! { <p class="yaml-meta">{format!("and {} more lines", found.more_lines)}</p> }
            })}
    }
    .into_any()
}

fn line(text: &str) -> AnyView {
    let (before, key, after) = parts(text);
    view! {
        {before.to_owned()}
        <span class="yaml-key">{key.to_owned()}</span>
        {format!("{after}\n")}
    }
    .into_any()
}

/// What stands before a line's key, the key, and the rest with its colon.
fn parts(line: &str) -> (&str, &str, &str) {
    let start = line.len() - line.trim_start_matches([' ', '-']).len();
    let (before, rest) = line.split_at(start);
    let end = match rest.find(": ") {
        Some(at) => at,
        None if rest.ends_with(':') => rest.len() - 1,
        None => 0,
    };
    let (key, after) = rest.split_at(end);
    (before, key, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_line_are_the_line_again() {
        for (line, key) in [
            ("kind: Pod", "kind"),
            ("  labels:", "labels"),
            ("  - name: app", "name"),
            ("    - run", ""),
            ("", ""),
            ("  image: a:b", "image"),
        ] {
            let (before, found, after) = parts(line);
            assert_eq!(found, key, "{line}");
            assert_eq!(format!("{before}{found}{after}"), line);
        }
    }
}
