//! What is about to be sent, word by word, and the yes to it.

use leptos::prelude::*;

use crate::model::{Destination, Outgoing};
use crate::ui::{Button, ButtonKind, CopyButton, Modal};

#[component]
pub fn OutgoingDialog(
    shown: RwSignal<Option<Outgoing>>,
    /// The word on the button that sends it; none where it cannot be sent from here.
    send_word: Option<&'static str>,
    name: &'static str,
    /// Called with the hash of what was read.
    confirm: Callback<String>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move |_| {
        let is_shown = shown.with(Option::is_some);
        if open.get_untracked() != is_shown {
            open.set(is_shown);
        }
    });
    Effect::new(move |_| {
        if !open.get() && shown.with_untracked(Option::is_some) {
            shown.set(None);
        }
    });
    view! {
        <Modal open title=format!("What {name} would be sent") wide=true>
            {move || {
                shown
                    .get()
                    .map(|outgoing| {
                        let hash = outgoing.hash.clone();
                        let copied = outgoing.text.clone();
                        view! {
                            <p class="desk-goes">{goes(&outgoing)}</p>
                            <pre class="desk-outgoing" dir="auto" tabindex="0" role="group" aria-label="The whole text">
                                {outgoing.text}
                            </pre>
                            <div class="desk-acts">
                                {send_word
                                    .map(|word| {
                                        view! {
                                            <Button kind=ButtonKind::Primary on_press=move |()| confirm.run(hash.clone())>
                                                {word}
                                            </Button>
                                        }
                                    })}
                                <CopyButton what="the text" idle="Copy the text" text=move |()| copied.clone() />
                            </div>
                        }
                    })
            }}
        </Modal>
    }
    .into_any()
}

fn goes(outgoing: &Outgoing) -> String {
    let characters = outgoing.text.chars().count();
    let hidden = match outgoing.hidden {
        0 => String::new(),
        1 => " 1 value is hidden.".to_owned(),
        many => format!(" {many} values are hidden."),
    };
    let to = match &outgoing.destination {
        Destination::Machine => "It stays on this machine.".to_owned(),
        Destination::Cloud { to } => format!(
            "It goes to {to}, and so does what the assistant reads while it answers, redacted like this."
        ),
        Destination::Unknown => {
            "It may leave this machine, and so may what the assistant reads while it answers."
                .to_owned()
        }
    };
    format!(
        "{to}{hidden} {characters} characters, about {} tokens.",
        characters.div_ceil(4)
    )
}
