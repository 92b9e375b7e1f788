//! The field of a value: masked, shown only while one types in it, filled by typing, pasting or a
//! file. The value lives in the field alone and is gone from the page when it is sent.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

use crate::model::{BINARY_FILE, LONGEST_VALUE};
use crate::ui::{Button, ButtonKind, Icon, IconShape};

/// Reads and fills the field; copy it freely.
#[derive(Clone, Copy)]
pub struct SecretFieldHandle {
    line: NodeRef<html::Input>,
    lines: NodeRef<html::Textarea>,
}

impl SecretFieldHandle {
    pub fn new() -> Self {
        Self {
            line: NodeRef::new(),
            lines: NodeRef::new(),
        }
    }

    pub fn value(self) -> Option<String> {
        match self.line.get_untracked() {
            Some(field) => Some(field.value()),
            None => self.lines.get_untracked().map(|field| field.value()),
        }
    }

    pub fn fill(self, value: &str) {
        if let Some(field) = self.line.get_untracked() {
            field.set_value(value);
        } else if let Some(field) = self.lines.get_untracked() {
            field.set_value(value);
        }
    }

    pub fn focus(self) {
        // Refused only for an element that is not there any more.
        let _ = match self.line.get_untracked() {
            Some(field) => field.focus(),
            None => match self.lines.get_untracked() {
                Some(field) => field.focus(),
                None => return,
            },
        };
    }
}

#[component]
pub fn SecretField(
    /// Unique on the page.
    id: String,
    /// How the value is called, for the buttons' names.
    label: String,
    handle: SecretFieldHandle,
    /// Whether the value may have several lines.
    has_lines: bool,
    /// What is wrong with the value.
    problem: RwSignal<Option<String>>,
    /// While a test has the value.
    #[prop(into)]
    locked: Signal<bool>,
    /// Called with every value the field gets.
    #[prop(into)]
    on_value: Callback<String>,
) -> impl IntoView {
    let revealed = RwSignal::new(false);
    let frame = NodeRef::<html::Span>::new();
    let problem_id = format!("{id}-problem");
    // Shown while one types: whoever leaves the field leaves it masked.
    let left = move |event: web_sys::FocusEvent| {
        let goes_to = event
            .related_target()
            .and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        let stays = frame
            .get_untracked()
            .is_some_and(|frame| frame.contains(goes_to.as_ref()));
        if !stays {
            revealed.set(false);
        }
    };
    let reveal_name = {
        let label = label.clone();
        Signal::derive(move || {
            let word = if revealed.get() { "Hide" } else { "Reveal" };
            Some(format!("{word} {label}"))
        })
    };
    let described = problem_id.clone();
    let invalid = move || problem.with(Option::is_some).then_some("true");
    let field = if has_lines {
        view! {
            <textarea
                id=id
                node_ref=handle.lines
                class="input input-mono secret-lines"
                class:input-masked=move || !revealed.get()
                rows="6"
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                readonly=move || locked.get()
                aria-describedby=described
                aria-invalid=invalid
                on:input:target=move |event| on_value.run(event.target().value())
            ></textarea>
        }
        .into_any()
    } else {
        view! {
            <input
                id=id
                node_ref=handle.line
                class="input input-mono"
                type=move || if revealed.get() { "text" } else { "password" }
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                readonly=move || locked.get()
                aria-describedby=described
                aria-invalid=invalid
                on:input:target=move |event| on_value.run(event.target().value())
            />
        }
        .into_any()
    };
    view! {
        <span class="secret-field" node_ref=frame on:focusout=left>
            {field}
            <Button
                kind=ButtonKind::Quiet
                label=reveal_name
                pressed=Signal::derive(move || Some(revealed.get()))
                on_press=move |()| {
                    handle.focus();
                    revealed.update(|revealed| *revealed = !*revealed);
                }
            >
                <Icon shape=Signal::derive(move || {
                    if revealed.get() { IconShape::EyeOff } else { IconShape::Eye }
                }) />
            </Button>
        </span>
    }
    .into_any()
}

/// Fills the field from the clipboard.
#[component]
pub fn PasteButton(
    label: String,
    handle: SecretFieldHandle,
    problem: RwSignal<Option<String>>,
    #[prop(into)] on_value: Callback<String>,
) -> impl IntoView {
    let paste = move |()| {
        let clipboard = window().navigator().clipboard();
        spawn_local(async move {
            let text = JsFuture::from(clipboard.read_text()).await;
            match text.ok().and_then(|text| text.as_string()) {
                // What is copied often ends with the end of its line.
                Some(text) => {
                    let text = text.trim_end_matches(['\r', '\n']);
                    handle.fill(text);
                    on_value.run(text.to_owned());
                }
                None => problem.set(Some(
                    "The browser does not let this page read the clipboard; press Ctrl+V in the field".to_owned(),
                )),
            }
        });
    };
    view! {
        <Button kind=ButtonKind::Quiet label=Some(format!("Paste {label}")) on_press=paste>
            "Paste"
        </Button>
    }
    .into_any()
}

/// Reads a file that was chosen or dropped; its text goes to `taken`, or why not. One that is no text
/// is given as [`BINARY_FILE`] where that is wanted.
pub fn read_file(file: web_sys::File, any: bool, taken: Callback<Result<String, String>>) {
    if file.size() > LONGEST_VALUE as f64 {
        taken.run(Err("The file is larger than 512 KiB".to_owned()));
        return;
    }
    spawn_local(async move {
        let bytes = JsFuture::from(file.array_buffer()).await;
        let bytes = bytes.map(|buffer| js_sys::Uint8Array::new(&buffer).to_vec());
        taken.run(match bytes.map(String::from_utf8) {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(no_text)) if any => in_base64(no_text.as_bytes()),
            Ok(Err(_)) => Err("The file is no text in UTF-8".to_owned()),
            Err(_) => Err("The file cannot be read".to_owned()),
        });
    });
}

fn in_base64(bytes: &[u8]) -> Result<String, String> {
    // What the browser makes base64 of has one character for each byte.
    let bytes: String = bytes.iter().copied().map(char::from).collect();
    window()
        .btoa(&bytes)
        .map(|base64| format!("{BINARY_FILE}{base64}"))
        .map_err(|_| "The file cannot be read".to_owned())
}

/// A button that opens the file dialog.
#[component]
pub fn FileButton(
    /// Unique on the page.
    id: String,
    #[prop(into)] label: String,
    #[prop(into)] word: String,
    /// Takes files that are no text, too.
    #[prop(optional)]
    any: bool,
    #[prop(into)] taken: Callback<Result<String, String>>,
) -> impl IntoView {
    view! {
        <span class="file-button">
            <input
                id=id.clone()
                type="file"
                class="sr-only"
                aria-label=label
                on:change:target=move |event| {
                    let field = event.target();
                    if let Some(file) = field.files().and_then(|files| files.get(0)) {
                        read_file(file, any, taken);
                    }
                    // The same file can be chosen again after it was changed.
                    field.set_value("");
                }
            />
            <label class="btn btn-secondary" for=id>
                {word}
            </label>
        </span>
    }
    .into_any()
}
