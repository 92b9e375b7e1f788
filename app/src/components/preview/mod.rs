//! The preview of a deploy: what would happen, object by object, and what changes in each.
//! Arrows or j and k move through the objects, Enter goes to the difference, u and s lay it out.

mod conflicts;
mod diff_view;
mod drift;
mod lines;
mod object_list;
mod object_pane;
mod place;
mod plan_card;
mod summary;

use std::collections::{BTreeMap, BTreeSet};

use leptos::html;
use leptos::prelude::*;

pub use diff_view::DiffView;
pub use drift::{Drift, Drifted};
pub use lines::Layout;
use object_list::ObjectList;
use object_pane::ObjectPane;
use place::Place;
pub use plan_card::{Found, PlanCard};
use summary::Summary;

use crate::model::{Change, DeployPlan, ObjectDiff, PlanChoices, PlannedObject};

/// Differences to show without asking a server; for drawing pages alone. By object key.
#[derive(Clone, Debug, Default)]
pub struct SeedDiffs(pub BTreeMap<String, ObjectDiff>);

/// What the parts of one preview share; copy it freely.
#[derive(Clone, Copy, Debug)]
struct Shared {
    /// Unique on the page.
    id: &'static str,
    plan: Signal<Option<DeployPlan>>,
    chosen: RwSignal<Option<String>>,
    layout: RwSignal<Layout>,
    everything: RwSignal<bool>,
    text: RwSignal<String>,
    changes: RwSignal<BTreeSet<Change>>,
    /// Objects that are not as in the plan before and were not opened since.
    news: RwSignal<BTreeSet<String>>,
}

impl Shared {
    /// The objects that pass the filter, worst first.
    fn shown(self) -> Vec<PlannedObject> {
        let text = self.text.get().to_lowercase();
        self.plan.with(|plan| {
            let mut objects: Vec<PlannedObject> = plan
                .iter()
                .flat_map(|plan| &plan.objects)
                .filter(|object| {
                    self.changes
                        .with(|changes| changes.is_empty() || changes.contains(&object.change))
                })
                .filter(|object| {
                    let name = format!("{} {} {}", object.kind, object.name, object.namespace);
                    text.split_whitespace()
                        .all(|word| name.to_lowercase().contains(word))
                })
                .cloned()
                .collect();
            let place = |object: &PlannedObject| {
                Change::ALL
                    .iter()
                    .position(|change| *change == object.change)
            };
            objects.sort_by_key(place);
            objects
        })
    }

    fn object(self) -> Option<PlannedObject> {
        let key = self.chosen.get()?;
        self.plan.with(|plan| {
            let mut objects = plan.iter().flat_map(|plan| &plan.objects);
            objects.find(|object| object.key == key).cloned()
        })
    }
}

/// What was chosen in a plan, with the choice about one object changed.
fn choices_with(plan: &DeployPlan, key: &str, force: bool, replace: bool) -> PlanChoices {
    let mut choices = PlanChoices::default();
    for object in plan.objects.iter().filter(|object| object.chosen) {
        match object.change {
            Change::Replace => choices.replace.insert(object.key.clone()),
            _ => choices.force.insert(object.key.clone()),
        };
    }
    for (set, wanted) in [(&mut choices.force, force), (&mut choices.replace, replace)] {
        if wanted {
            set.insert(key.to_owned());
        } else {
            set.remove(key);
        }
    }
    choices
}

/// `on_choose` plans anew with what a person decided about single objects; none for who may only
/// look.
#[component]
pub fn Preview(
    /// Unique on the page.
    #[prop(default = "plan")]
    id: &'static str,
    #[prop(into)] plan: Signal<Option<DeployPlan>>,
    #[prop(into)] on_choose: Signal<Option<Callback<PlanChoices>>>,
) -> impl IntoView {
    let place = Place::read();
    let shared = Shared {
        id,
        plan,
        chosen: RwSignal::new(place.object),
        layout: RwSignal::new(place.layout),
        everything: RwSignal::new(false),
        text: RwSignal::new(String::new()),
        changes: RwSignal::new(BTreeSet::new()),
        news: RwSignal::new(BTreeSet::new()),
    };
    Effect::new(move |before: Option<Option<DeployPlan>>| {
        let now = plan.get();
        match (before.flatten(), &now) {
            (Some(before), Some(now)) if before.hash != now.hash => {
                shared.news.set(changed_since(&before, now));
            }
            (_, None) => shared.news.set(BTreeSet::new()),
            _ => {}
        }
        now
    });
    // What is open is seen.
    Effect::new(move |_| {
        let seen = shared.chosen.get();
        if seen.is_some_and(|key| shared.news.with(|news| news.contains(&key))) {
            shared.news.update(|news| {
                shared
                    .chosen
                    .with_untracked(|key| key.as_ref().is_some_and(|key| news.remove(key)));
            });
        }
    });
    let shown = Memo::new(move |_| shared.shown());
    // Something is always open: what the address says, else the worst.
    Effect::new(move |_| {
        let there = shared.object().is_some();
        let first = shown.with(|shown| shown.first().map(|object| object.key.clone()));
        if !there && first.is_some() {
            shared.chosen.set(first);
        }
    });
    let moved = StoredValue::new(false);
    Effect::new(move |_| {
        let place = Place {
            object: shared.chosen.get(),
            layout: shared.layout.get(),
        };
        // Arriving is no choice: the address stays as it was.
        if moved.get_value() {
            place.write();
        }
    });
    let list = NodeRef::<html::Ul>::new();
    let pane = NodeRef::<html::Section>::new();
    let go = move |by: isize| {
        moved.set_value(true);
        shown.with_untracked(|shown| {
            let at = shared.chosen.with_untracked(|key| {
                let key = key.as_ref()?;
                shown.iter().position(|object| &object.key == key)
            });
            let last = shown.len().saturating_sub(1);
            let to = at.map_or(0, |at| at.saturating_add_signed(by).min(last));
            if let Some(object) = shown.get(to) {
                shared.chosen.set(Some(object.key.clone()));
                object_list::scroll_to(shared.id, &object.key);
            }
        });
    };
    let press = move |event: leptos::ev::KeyboardEvent| {
        if event.ctrl_key() || event.alt_key() || event.meta_key() || is_writing(&event) {
            return;
        }
        let in_list = is_within(&event, list.get_untracked());
        match event.key().as_str() {
            "j" => go(1),
            "k" => go(-1),
            "ArrowDown" if in_list => go(1),
            "ArrowUp" if in_list => go(-1),
            "Home" if in_list => go(isize::MIN / 2),
            "End" if in_list => go(isize::MAX / 2),
            "Enter" | " " if in_list => focus(pane.get_untracked()),
            "Escape" => focus(list.get_untracked()),
            "u" => shared.layout.set(Layout::Unified),
            "s" => shared.layout.set(Layout::Split),
            _ => return,
        }
        moved.set_value(true);
        event.prevent_default();
    };
    view! {
        <div class="preview" on:keydown=press on:click=move |_| moved.set_value(true)>
            <Summary shared />
            <News shared />
            <div class="preview-columns">
                <ObjectList shared shown list />
                <ObjectPane shared pane on_choose />
            </div>
            <p class="preview-keys">
                <kbd>"j"</kbd>
                " "
                <kbd>"k"</kbd>
                " next and previous object, "
                <kbd>"Enter"</kbd>
                " opens it, "
                <kbd>"u"</kbd>
                " unified, "
                <kbd>"s"</kbd>
                " side by side"
            </p>
        </div>
    }
    .into_any()
}

/// Says that more has changed than the object that is open.
#[component]
fn News(shared: Shared) -> impl IntoView {
    let others = Memo::new(move |_| {
        shared.news.with(|news| {
            shared.plan.with(|plan| {
                let objects = plan.iter().flat_map(|plan| &plan.objects);
                objects
                    .filter(|object| news.contains(&object.key))
                    .map(|object| format!("{} {}", object.kind, object.name))
                    .collect::<Vec<_>>()
            })
        })
    });
    let words = move || {
        others.with(|others| match others.as_slice() {
            [] => String::new(),
            [one] => format!("{one} is not as in the plan before"),
            more => {
                let named = more.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
                let rest = match more.len().saturating_sub(3) {
                    0 => String::new(),
                    rest => format!(" and {rest} more"),
                };
                format!("Not as in the plan before: {named}{rest}")
            }
        })
    };
    view! {
        <p class="preview-news" role="status">
            {words}
        </p>
    }
}

/// The objects of a plan that are new in it or would change in another way than in the one before.
fn changed_since(before: &DeployPlan, now: &DeployPlan) -> BTreeSet<String> {
    let changed = now.objects.iter().filter(|object| {
        let mut all = before.objects.iter();
        all.find(|other| other.key == object.key) != Some(*object)
    });
    changed.map(|object| object.key.clone()).collect()
}

/// A plan to look at, without choices about single objects.
#[component]
pub fn PlanDiff(plan: DeployPlan) -> impl IntoView {
    let plan = StoredValue::new(plan);
    view! { <Preview id="compared" plan=Signal::derive(move || Some(plan.get_value())) on_choose=Signal::stored(None) /> }
}

/// Letters typed into a field are no commands.
fn is_writing(event: &leptos::ev::KeyboardEvent) -> bool {
    use leptos::wasm_bindgen::JsCast;
    event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .is_some_and(|element| {
            matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
        })
}

fn is_within(event: &leptos::ev::KeyboardEvent, list: Option<web_sys::HtmlUListElement>) -> bool {
    use leptos::wasm_bindgen::JsCast;
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Node>().ok());
    list.is_some_and(|list| list.contains(target.as_ref()))
}

fn focus<E: AsRef<web_sys::HtmlElement>>(element: Option<E>) {
    if let Some(element) = element {
        // Fails only for an element that is not in the document.
        let _ = element.as_ref().focus();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnixMillis;

    fn object(key: &str, change: Change, chosen: bool) -> PlannedObject {
        PlannedObject {
            key: key.into(),
            api_version: "v1".into(),
            kind: "Service".into(),
            name: key.into(),
            namespace: String::new(),
            source: String::new(),
            change,
            fields: 0,
            added: 0,
            removed: 0,
            conflicts: vec![],
            chosen,
            problem: None,
        }
    }

    #[test]
    fn what_a_new_plan_does_otherwise_is_news() {
        let plan = |hash: &str, objects| DeployPlan {
            hash: hash.into(),
            at: UnixMillis(0),
            objects,
            findings: vec![],
        };
        let before = plan(
            "1",
            vec![
                object("same", Change::Update, false),
                object("other", Change::Unchanged, false),
                object("gone", Change::Create, false),
            ],
        );
        let now = plan(
            "2",
            vec![
                object("same", Change::Update, false),
                object("other", Change::Update, false),
                object("new", Change::Create, false),
            ],
        );
        assert_eq!(
            changed_since(&before, &now),
            ["new", "other"].map(String::from).into()
        );
        assert!(changed_since(&now, &now).is_empty());
    }

    #[test]
    fn a_choice_keeps_the_others_and_can_be_taken_back() {
        let plan = DeployPlan {
            hash: "h".into(),
            at: UnixMillis(0),
            objects: vec![
                object("forced", Change::Update, true),
                object("replaced", Change::Replace, true),
                object("plain", Change::Update, false),
            ],
            findings: vec![],
        };
        let choices = choices_with(&plan, "plain", true, false);
        assert_eq!(choices.force, ["forced", "plain"].map(String::from).into());
        assert_eq!(choices.replace, ["replaced"].map(String::from).into());
        let back = choices_with(&plan, "forced", false, false);
        assert!(back.force.is_empty() && back.replace.len() == 1);
    }
}
