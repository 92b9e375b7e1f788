//! What a person chooses for an assistant, and its key, which goes in once and never comes back.

use leptos::html;
use leptos::prelude::*;

use crate::api::assistants::configure_assistant;
use crate::components::{FailureNote, wish};
use crate::model::{
    AssistantChoices, AssistantSetting, AssistantView, ChoiceField, KeyState, SecretInput,
};
use crate::ui::{Button, ButtonKind, SelectField, TextField};

#[component]
pub fn SettingForm(one: AssistantView, changed: Callback<()>) -> impl IntoView {
    let id = one.id;
    let choices = one.choices;
    let text = |choice: Option<String>| RwSignal::new(choice.unwrap_or_default());
    let provider = text(choices.provider);
    let model = text(choices.model);
    let base_url = text(choices.base_url);
    let agent = text(choices.agent);
    let key_field = NodeRef::<html::Input>::new();
    let has_key = one.key == Some(KeyState::Entered);
    let save = wish(move |setting: AssistantSetting| async move {
        let saved = configure_assistant(setting).await;
        if saved.is_ok() {
            changed.run(());
        }
        saved
    });
    let send = move |key: Option<SecretInput>| {
        let choice = |value: RwSignal<String>| {
            Some(value.get_untracked()).filter(|value| !value.trim().is_empty())
        };
        save.send(AssistantSetting {
            assistant: id,
            choices: AssistantChoices {
                provider: choice(provider),
                model: choice(model),
                base_url: choice(base_url),
                agent: choice(agent),
            },
            key,
        });
    };
    let press = move |()| {
        let entered = key_field.get_untracked().map(|field| {
            let value = field.value();
            // Gone from the page before it is sent.
            field.set_value("");
            value
        });
        send(entered.filter(|value| !value.is_empty()).map(SecretInput));
    };
    let word = id.word();
    let field = |wanted: ChoiceField| one.fields.contains(&wanted);
    let provider_view = field(ChoiceField::Provider).then(|| {
        view! { <TextField id=format!("{word}-provider") label="Provider" value=provider hint="gemini, openai, ollama, …" /> }
    });
    let base_view = field(ChoiceField::BaseUrl).then(|| {
        view! {
            <TextField
                id=format!("{word}-address")
                label="Address of the API"
                value=base_url
                hint="http://127.0.0.1:11434/v1 for Ollama on this machine"
            />
        }
    });
    let model_view = field(ChoiceField::Model).then(|| match one.models.is_empty() {
        true => {
            view! { <TextField id=format!("{word}-model") label="Model" value=model /> }.into_any()
        }
        false => {
            let mut options: Vec<(String, String)> = one
                .models
                .iter()
                .map(|name| (name.clone(), name.clone()))
                .collect();
            if !one.models.contains(&model.get_untracked()) {
                let now = model.get_untracked();
                let shown = if now.is_empty() {
                    "Choose one".to_owned()
                } else {
                    now.clone()
                };
                options.insert(0, (now, shown));
            }
            view! { <SelectField id=format!("{word}-model") label="Model" options value=model /> }
                .into_any()
        }
    });
    let agent_view = field(ChoiceField::Agent).then(|| {
        let mut options: Vec<(String, String)> = one
            .agents
            .iter()
            .map(|agent| (agent.name.clone(), agent.name.clone()))
            .collect();
        if agent.get_untracked().is_empty() {
            options.insert(0, (String::new(), "Choose one".to_owned()));
        }
        view! { <SelectField id=format!("{word}-agent") label="Agent" options value=agent /> }
    });
    let key_id = format!("{word}-key");
    let key_view = one.key.is_some().then(|| {
        view! {
            <div class="field">
                <label class="field-label" for=key_id.clone()>
                    "Key"
                </label>
                <input
                    id=key_id.clone()
                    class="input"
                    type="password"
                    autocomplete="off"
                    spellcheck="false"
                    node_ref=key_field
                    placeholder=if has_key { "A key is entered" } else { "" }
                />
                <p class="field-hint">
                    "Kept in memory until Slipway ends; never written down, never shown again."
                </p>
            </div>
        }
    });
    view! {
        <form class="desk-fields" on:submit=move |event| { event.prevent_default(); press(()); }>
            {provider_view}
            {base_view}
            {model_view}
            {agent_view}
            {key_view}
            <div class="desk-acts">
                <Button busy=save.is_pending() on_press=press>
                    "Save the settings"
                </Button>
                {has_key
                    .then(|| {
                        view! {
                            <Button kind=ButtonKind::Quiet on_press=move |()| send(Some(SecretInput(String::new())))>
                                "Forget the key"
                            </Button>
                        }
                    })}
            </div>
            <FailureNote failure=save.failure() />
        </form>
    }
    .into_any()
}
