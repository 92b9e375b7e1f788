//! Where a value is entered: masked, checked while typing, tried out before it is stored, and out of
//! the page as soon as it is.

use leptos::prelude::*;

use super::secret_field::{FileButton, PasteButton, SecretField, SecretFieldHandle};
use super::secret_test::SecretTestResult;
use super::{FailureNote, OneRun, wish};
use crate::api::secrets::{
    generate_secret, set_secret, stop_secret_test, test_secret, try_secret_in_cluster,
};
use crate::live::Live;
use crate::model::{
    ClusterChoice, Failure, LiveTestReport, Rollout, RunKind, SecretInput, SecretKind, SecretView,
    Slice, check_secret_shape, secret_advice,
};
use crate::ui::{Button, ButtonKind};

/// `done` is called once the server has taken a value.
#[component]
pub fn SecretForm(secret: SecretView, #[prop(into)] done: Callback<()>) -> impl IntoView {
    let live = Live::expect();
    let field = SecretFieldHandle::new();
    // Only what is wrong with the value is kept here; the value itself lives in the field alone.
    let problem = RwSignal::new(None::<String>);
    let advice = RwSignal::new(None::<&'static str>);
    let is_empty = RwSignal::new(true);
    let secret = StoredValue::new(secret);
    let key = move || secret.with_value(|secret| secret.key.clone());
    let set = wish(move |value: SecretInput| set_secret(key(), value));
    let generate = wish(move |()| generate_secret(key()));
    let stop = wish(move |()| stop_secret_test(key()));
    let test = Action::new(move |(value, _): &(SecretInput, bool)| {
        test_secret(key(), Some(value.clone()))
    });
    let trial = Action::new(move |value: &SecretInput| try_secret_in_cluster(key(), value.clone()));
    let report = RwSignal::new(None::<Result<LiveTestReport, Failure>>);
    let stores_next = RwSignal::new(false);
    let check = move |value: &str| {
        secret.with_value(|secret| {
            check_secret_shape(&secret.kind, secret.rehearsal.is_some(), value)
        })
    };
    let typed = move |value: String| {
        report.set(None);
        is_empty.set(value.is_empty());
        problem.set(match value.is_empty() {
            true => None,
            false => check(&value).err(),
        });
        advice.set(
            secret.with_value(|secret| secret_advice(secret.key.as_str(), &secret.kind, &value)),
        );
    };
    let clear = move || {
        field.fill("");
        typed(String::new());
    };
    let checked = move || {
        let value = field.value()?;
        match check(&value) {
            Ok(()) => Some(value),
            Err(why) => {
                problem.set(Some(why));
                field.focus();
                None
            }
        }
    };
    let save = move |()| {
        if let Some(value) = checked() {
            set.send(SecretInput(value));
            clear();
        }
    };
    let try_out = move |then_save: bool| {
        if !test.pending().get_untracked()
            && let Some(value) = checked()
        {
            report.set(None);
            stores_next.set(then_save);
            test.dispatch((SecretInput(value), then_save));
        }
    };
    let try_in_cluster = move || {
        if let Some(value) = checked() {
            trial.dispatch(SecretInput(value));
        }
    };
    Effect::new(move |_| {
        let Some(answer) = test.value().get() else {
            return;
        };
        // The answer stays in the form, not in the action: a later look must not store again.
        test.value().set(None);
        let passed = matches!(&answer, Ok(report) if report.passed());
        report.set(Some(answer));
        if passed && stores_next.get_untracked() {
            stores_next.set(false);
            if let Some(value) = field.value() {
                set.send(SecretInput(value));
                field.fill("");
                is_empty.set(true);
            }
        }
    });
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
    let is_deployed = live.memo(&[Slice::Components], move |state| {
        secret.with_value(|secret| {
            // A key that slipway.toml does not name is of any component.
            let of_all = secret.components.is_empty();
            state.components.iter().any(|(component, live)| {
                (of_all || secret.components.contains(component)) && live.rollout != Rollout::Absent
            })
        })
    });
    let is_trying = live.memo(&[Slice::Runs], |state| {
        let run = state.latest_run(RunKind::Trial);
        run.is_some_and(|run| run.is_going())
    });
    let has_rehearsal = move || secret.with_value(|secret| secret.rehearsal.is_some());
    let rehearsal = move || secret.with_value(|secret| secret.rehearsal.clone());
    let about = secret.get_value();
    let id = format!("secret-{}", about.key);
    let problem_id = format!("{id}-problem");
    let label = about.label.clone();
    let named = |word: &str| Some(format!("{word} {label}"));
    let nothing_typed = Signal::derive(move || {
        is_empty
            .get()
            .then(|| "Enter a value".to_owned())
            .or_else(|| problem.get().map(|_| "Mend the value first".to_owned()))
    });
    let testing: Signal<bool> = test.pending().into();
    let taken = Callback::new(move |text: Result<String, String>| match text {
        Ok(text) => {
            field.fill(&text);
            typed(text);
        }
        Err(why) => problem.set(Some(why)),
    });
    let acts = match about.test {
        Some(kind) => view! {
            <Button
                kind=ButtonKind::Primary
                busy=Signal::derive(move || testing.get() || set.is_pending().get())
                disabled_why=nothing_typed
                label=named("Test and save")
                on_press=move |()| try_out(true)
            >
                "Test and save"
            </Button>
            <Show
                when=move || testing.get()
                fallback={
                    let (test_name, save_name) = (
                        named("Test"),
                        Some(format!("Save without a test: {label}")),
                    );
                    move || {
                        let (test_name, save_name) = (test_name.clone(), save_name.clone());
                        view! {
                            <Button
                                disabled_why=nothing_typed
                                label=test_name
                                on_press=move |()| try_out(false)
                            >
                                "Test"
                            </Button>
                            <Button
                                kind=ButtonKind::Quiet
                                busy=set.is_pending()
                                disabled_why=nothing_typed
                                label=save_name
                                on_press=save
                            >
                                "Save without a test"
                            </Button>
                        }
                    }
                }
            >
                <Button label=Some("Stop the test".to_owned()) on_press=move |()| stop.send(())>
                    "Stop"
                </Button>
            </Show>
            <p class="secret-about">{format!("The live test {}.", kind.about())}</p>
        }
        .into_any(),
        None => view! {
            <Button
                kind=ButtonKind::Primary
                busy=set.is_pending()
                disabled_why=nothing_typed
                label=named("Save")
                on_press=save
            >
                "Save"
            </Button>
        }
        .into_any(),
    };
    let has_test = about.test.is_some();
    let generate_name = named("Generate");
    let trial_name = named("Try in the cluster:");
    let rehearsal_name = named("Use rehearsal value for");
    let is_random = matches!(about.kind, SecretKind::Random { .. });
    let takes_file = about.kind.has_lines();
    let is_file = about.kind == SecretKind::File;
    view! {
        <form
            class="secret-form"
            autocomplete="off"
            on:submit=move |event| {
                event.prevent_default();
                if has_test { try_out(true) } else { save(()) }
            }
        >
            <label class="field-label" for=id.clone()>
                {label.clone()}
            </label>
            <div class="secret-line">
                <SecretField
                    id=id.clone()
                    label=label.clone()
                    handle=field
                    has_lines=takes_file
                    problem
                    locked=testing
                    on_value=typed
                />
                <PasteButton label=label.clone() handle=field problem on_value=typed />
                {takes_file
                    .then(|| {
                        view! {
                            <FileButton
                                id=format!("{id}-file")
                                label=format!("Choose a file for {label}")
                                word="Choose a file"
                                any=is_file
                                taken
                            />
                        }
                    })}
                {is_random
                    .then(|| {
                        view! {
                            <Button
                                busy=generate.is_pending()
                                label=generate_name
                                on_press=move |()| {
                                    clear();
                                    generate.send(());
                                }
                            >
                                "Generate"
                            </Button>
                        }
                    })}
            </div>
            <p id=problem_id class="field-problem" role="status">
                {problem}
            </p>
            {move || advice.get().map(|advice| view! { <p class="secret-advice">{advice}</p> })}
            <div class="secret-more">{acts}</div>
            <Show when=move || is_deployed.get()>
                <div class="secret-more">
                    <Button
                        busy=Signal::derive(move || trial.pending().get() || is_trying.get())
                        disabled_why=nothing_typed
                        label=trial_name.clone()
                        on_press=move |()| try_in_cluster()
                    >
                        "Try in the cluster"
                    </Button>
                    <p class="secret-about">
                        "Starts one pod of the app with this value, asks whether it is ready and removes it. No request of anybody reaches that pod; migrations it runs at its start do run."
                    </p>
                </div>
            </Show>
            <Show when=move || on_practice.get() && has_rehearsal()>
                <div class="secret-more">
                    <Button
                        busy=set.is_pending()
                        label=rehearsal_name.clone()
                        on_press=move |()| {
                            clear();
                            if let Some(value) = rehearsal() {
                                set.send(SecretInput(value));
                            }
                        }
                    >
                        "Use rehearsal value"
                    </Button>
                    <code class="secret-rehearsal">{move || rehearsal()}</code>
                </div>
            </Show>
            {move || {
                report
                    .get()
                    .map(|report| match report {
                        Ok(report) => view! { <SecretTestResult report /> }.into_any(),
                        Err(failure) => {
                            view! { <FailureNote failure=Some(failure) /> }.into_any()
                        }
                    })
            }}
            {move || match trial.value().get() {
                Some(Ok(id)) => view! { <OneRun id kind=RunKind::Trial /> }.into_any(),
                Some(Err(failure)) => view! { <FailureNote failure=Some(failure) /> }.into_any(),
                None => ().into_any(),
            }}
            <FailureNote failure=set.failure() />
            <FailureNote failure=generate.failure() />
        </form>
    }
    .into_any()
}
