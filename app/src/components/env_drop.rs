//! A `.env` file, dropped or chosen: shown as a mapping without its values, then stored in one go.

use leptos::prelude::*;

use super::secret_field::{FileButton, read_file};
use super::{FailureNote, wish};
use crate::api::secrets::set_secrets;
use crate::live::Live;
use crate::model::{
    EnvLine, SecretInput, SecretKey, SecretView, Slice, check_secret_shape, parse_env_file,
};
use crate::ui::{Button, ButtonKind, StatusIcon, Tone};

/// Where a line of the file goes; the key's name, or nowhere.
type Goes = RwSignal<String>;

/// One line as it is shown: never with its value.
#[derive(Clone)]
struct Row {
    at: usize,
    line: usize,
    key: String,
    goes: Goes,
}

#[component]
pub fn EnvDrop() -> impl IntoView {
    let live = Live::expect();
    // The values wait here, outside of what is drawn, until they are stored or thrown away.
    let lines = StoredValue::new(Vec::<EnvLine>::new());
    let rows = RwSignal::new(Vec::<Row>::new());
    let problem = RwSignal::new(None::<String>);
    let is_over = RwSignal::new(false);
    let secrets = live.memo(&[Slice::Secrets], |state| {
        let secrets = state.secrets.iter();
        secrets
            .map(|secret| SecretView {
                users: Vec::new(),
                ..secret.clone()
            })
            .collect::<Vec<_>>()
    });
    let store = wish(set_secrets);
    let forget = move || {
        lines.set_value(Vec::new());
        rows.set(Vec::new());
    };
    let taken = Callback::new(move |text: Result<String, String>| {
        forget();
        let found = text.and_then(|text| {
            parse_env_file(&text).map_err(|line| {
                format!("Line {line} is not KEY=value; its text is not repeated here")
            })
        });
        match found {
            Err(why) => problem.set(Some(why)),
            Ok(found) if found.is_empty() => {
                problem.set(Some("The file assigns nothing".to_owned()))
            }
            Ok(found) => {
                problem.set(None);
                let known = |key: &str| {
                    secrets.with_untracked(|secrets| {
                        secrets.iter().any(|secret| secret.key.as_str() == key)
                    })
                };
                rows.set(
                    found
                        .iter()
                        .enumerate()
                        .map(|(at, line)| Row {
                            at,
                            line: line.line,
                            key: line.key.clone(),
                            goes: RwSignal::new(match known(&line.key) && !line.value.is_empty() {
                                true => line.key.clone(),
                                false => String::new(),
                            }),
                        })
                        .collect(),
                );
                lines.set_value(found);
            }
        }
    });
    // What is wrong with a line where it goes; none when it fits.
    let misfit = move |at: usize, goes: &str| {
        secrets.with(|secrets| {
            let secret = secrets.iter().find(|secret| secret.key.as_str() == goes)?;
            lines.with_value(|lines| {
                let value = &lines.get(at)?.value;
                check_secret_shape(&secret.kind, secret.rehearsal.is_some(), value).err()
            })
        })
    };
    let going = Memo::new(move |_| {
        rows.with(|rows| {
            rows.iter()
                .filter(|row| row.goes.with(|goes| !goes.is_empty()))
                .count()
        })
    });
    let cannot = Signal::derive(move || {
        rows.with(|rows| {
            let mut targets: Vec<String> = rows
                .iter()
                .map(|row| row.goes.get())
                .filter(|goes| !goes.is_empty())
                .collect();
            if targets.is_empty() {
                return Some("No line goes anywhere".to_owned());
            }
            let all = targets.len();
            targets.sort();
            targets.dedup();
            if targets.len() < all {
                return Some("Two lines go to the same key".to_owned());
            }
            let wrong = rows
                .iter()
                .find(|row| misfit(row.at, &row.goes.get()).is_some());
            wrong.map(|row| format!("{} does not fit", row.key))
        })
    });
    let send = move |()| {
        let values: Vec<(SecretKey, SecretInput)> = rows.with_untracked(|rows| {
            lines.with_value(|lines| {
                rows.iter()
                    .filter_map(|row| {
                        let key = row.goes.get_untracked().parse().ok()?;
                        Some((key, SecretInput(lines.get(row.at)?.value.clone())))
                    })
                    .collect()
            })
        });
        store.send(values);
        forget();
    };
    let dropped = move |event: web_sys::DragEvent| {
        event.prevent_default();
        is_over.set(false);
        let file = event
            .data_transfer()
            .and_then(|data| data.files())
            .and_then(|files| files.get(0));
        if let Some(file) = file {
            read_file(file, false, taken);
        }
    };
    let row_view = move |row: Row| {
        let options = secrets
            .get()
            .into_iter()
            .map(|secret| {
                let key = secret.key.to_string();
                let is_chosen = row.goes.get_untracked() == key;
                let word = match secret.state.is_set() {
                    true => format!("{key} (replaces the present value)"),
                    false => key.clone(),
                };
                view! {
                    <option value=key selected=is_chosen>
                        {word}
                    </option>
                }
            })
            .collect_view();
        let (at, goes) = (row.at, row.goes);
        let wrong = Memo::new(move |_| misfit(at, &goes.get()));
        let tone = Signal::derive(move || match (goes.with(String::is_empty), wrong.get()) {
            (true, _) => Tone::Off,
            (false, None) => Tone::Ok,
            (false, Some(_)) => Tone::Failed,
        });
        let said = move || match (goes.with(String::is_empty), wrong.get()) {
            (true, _) => "Left out".to_owned(),
            (false, None) => "Fits".to_owned(),
            (false, Some(why)) => why,
        };
        view! {
            <li class="env-row">
                <span class="env-key">
                    <code>{row.key.clone()}</code>
                    <span class="secret-meta">{format!("line {}", row.line)}</span>
                </span>
                <select
                    class="input"
                    aria-label=format!("Where {} goes", row.key)
                    on:change:target=move |event| goes.set(event.target().value())
                >
                    <option value="" selected=row.goes.with_untracked(String::is_empty)>
                        "Leave it out"
                    </option>
                    {options}
                </select>
                <span class="env-said">
                    <StatusIcon tone />
                    {said}
                </span>
            </li>
        }
    };
    let save_words = move || match going.get() {
        1 => "Save 1 value".to_owned(),
        many => format!("Save {many} values"),
    };
    view! {
        <section
            class="env-drop"
            class:is-over=move || is_over.get()
            aria-label="Values from a .env file"
            on:dragover=move |event: web_sys::DragEvent| {
                event.prevent_default();
                is_over.set(true);
            }
            on:dragleave=move |_| is_over.set(false)
            on:drop=dropped
        >
            <div class="env-head">
                <p class="secret-help">
                    "Have a " <code>".env"</code>
                    " file? Drop it here: it is read in this page, and you see what goes where before anything is stored."
                </p>
                <FileButton id="env-file".to_owned() label="Choose a .env file" word="Choose a .env file" taken />
            </div>
            <p class="field-problem" role="status">
                {problem}
            </p>
            <Show when=move || rows.with(|rows| !rows.is_empty())>
                <ul class="env-rows" aria-label="What goes where">
                    {move || rows.get().into_iter().map(row_view).collect_view()}
                </ul>
                <div class="secret-more">
                    <Button
                        kind=ButtonKind::Primary
                        busy=store.is_pending()
                        disabled_why=cannot
                        on_press=send
                    >
                        {save_words}
                    </Button>
                    <Button kind=ButtonKind::Quiet on_press=move |()| forget()>
                        "Throw it away"
                    </Button>
                </div>
            </Show>
            <FailureNote failure=store.failure() />
        </section>
    }
    .into_any()
}
