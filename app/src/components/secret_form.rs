//! Where a value is entered: masked, checked while typing, and out of the page as soon as it is sent.

use leptos::html;
use leptos::prelude::*;

use super::{FailureNote, wish};
use crate::api::secrets::{generate_secret, set_secret};
use crate::live::Live;
use crate::model::{ClusterChoice, SecretInput, SecretKind, SecretView, Slice, check_secret_shape};
use crate::ui::{Button, ButtonKind, Icon, IconShape};

/// `done` is called once the server has taken a value.
#[component]
pub fn SecretForm(secret: SecretView, #[prop(into)] done: Callback<()>) -> impl IntoView {
    let live = Live::expect();
    let field = NodeRef::<html::Input>::new();
    let revealed = RwSignal::new(false);
    // Only what is wrong with the value is kept here; the value itself lives in the field alone.
    let problem = RwSignal::new(None::<String>);
    let is_empty = RwSignal::new(true);
    let key = secret.key.clone();
    let set = wish(move |value: SecretInput| set_secret(key.clone(), value));
    let key = secret.key.clone();
    let generate = wish(move |()| generate_secret(key.clone()));
    let rehearsal = StoredValue::new(secret.rehearsal.clone());
    let kind = StoredValue::new(secret.kind.clone());
    let check = move |value: &str| {
        let allows_rehearsal = rehearsal.with_value(Option::is_some);
        kind.with_value(|kind| check_secret_shape(kind, allows_rehearsal, value))
    };
    let clear = move || {
        if let Some(field) = field.get_untracked() {
            field.set_value("");
        }
        is_empty.set(true);
        problem.set(None);
        revealed.set(false);
    };
    let save = move |()| {
        let Some(value) = field.get_untracked().map(|field| field.value()) else {
            return;
        };
        match check(&value) {
            Ok(()) => {
                set.send(SecretInput(value));
                clear();
            }
            Err(why) => {
                problem.set(Some(why));
                if let Some(field) = field.get_untracked() {
                    let _ = field.focus();
                }
            }
        }
    };
    let typed = move |value: String| {
        is_empty.set(value.is_empty());
        problem.set(if value.is_empty() {
            None
        } else {
            check(&value).err()
        });
    };
    Effect::new(move |_| {
        if set.was_granted().get() || generate.was_granted().get() {
            done.run(());
        }
    });
    let on_practice = live.memo(&[Slice::Cluster], |state| {
        state
            .cluster
            .as_ref()
            .is_some_and(|cluster| cluster.choice == ClusterChoice::Practice)
    });
    let id = format!("secret-{}", secret.key);
    let problem_id = format!("{id}-problem");
    let label = secret.label.clone();
    let is_random = matches!(secret.kind, SecretKind::Random { .. });
    let name = secret.label.clone();
    let reveal_name = Signal::derive(move || {
        Some(format!(
            "{} {name}",
            if revealed.get() { "Hide" } else { "Reveal" }
        ))
    });
    let nothing_typed = Signal::derive(move || {
        is_empty
            .get()
            .then(|| "Enter a value".to_owned())
            .or_else(|| problem.get().map(|_| "Mend the value first".to_owned()))
    });
    let save_name = format!("Save {}", secret.label);
    let generate_name = format!("Generate {}", secret.label);
    let rehearsal_name = format!("Use rehearsal value for {}", secret.label);
    view! {
        <form
            class="secret-form"
            autocomplete="off"
            on:submit=move |event| {
                event.prevent_default();
                save(());
            }
        >
            <label class="field-label" for=id.clone()>
                {label}
            </label>
            <div class="secret-line">
                <span class="secret-field">
                    <input
                        id=id
                        node_ref=field
                        class="input input-mono"
                        type=move || if revealed.get() { "text" } else { "password" }
                        autocomplete="off"
                        autocapitalize="off"
                        spellcheck="false"
                        aria-describedby=problem_id.clone()
                        aria-invalid=move || problem.with(Option::is_some).then_some("true")
                        on:input:target=move |event| typed(event.target().value())
                    />
                    <Button
                        kind=ButtonKind::Quiet
                        label=reveal_name
                        pressed=Signal::derive(move || Some(revealed.get()))
                        on_press=move |()| revealed.update(|revealed| *revealed = !*revealed)
                    >
                        <Icon shape=Signal::derive(move || {
                            if revealed.get() { IconShape::EyeOff } else { IconShape::Eye }
                        }) />
                    </Button>
                </span>
                <Button
                    kind=ButtonKind::Primary
                    busy=set.is_pending()
                    disabled_why=nothing_typed
                    label=Some(save_name)
                    on_press=save
                >
                    "Save"
                </Button>
            </div>
            <p id=problem_id class="field-problem" role="status">
                {problem}
            </p>
            <div class="secret-more">
                {is_random
                    .then(|| {
                        view! {
                            <Button
                                busy=generate.is_pending()
                                label=Some(generate_name)
                                on_press=move |()| {
                                    clear();
                                    generate.send(());
                                }
                            >
                                "Generate"
                            </Button>
                        }
                    })}
                <Show when=move || on_practice.get() && rehearsal.with_value(Option::is_some)>
                    <Button
                        busy=set.is_pending()
                        label=Some(rehearsal_name.clone())
                        on_press=move |()| {
                            clear();
                            if let Some(value) = rehearsal.get_value() {
                                set.send(SecretInput(value));
                            }
                        }
                    >
                        "Use rehearsal value"
                    </Button>
                    <code class="secret-rehearsal">{move || rehearsal.get_value()}</code>
                </Show>
            </div>
            <FailureNote failure=set.failure() />
            <FailureNote failure=generate.failure() />
        </form>
    }
    .into_any()
}
