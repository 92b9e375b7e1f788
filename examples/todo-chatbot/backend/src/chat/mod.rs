//! The assistant: an OpenAI-compatible model that works on the visitor's list through tools.

pub mod endpoint;
pub mod provider;
pub mod tools;
mod turn;

use serde_json::{Value, json};

use self::provider::Provider;
use crate::config::AssistantConfig;

/// The model behind the chat, or none when there is no key.
#[derive(Debug)]
pub struct Assistant {
    provider: Option<Provider>,
    model: String,
}

impl Assistant {
    /// Without a key in `config` the assistant is offline.
    pub fn new(config: &AssistantConfig) -> Self {
        Self {
            provider: Provider::new(config),
            model: config.model.clone(),
        }
    }

    /// What a page needs to know of it.
    pub fn state(&self) -> Value {
        match &self.provider {
            Some(_) => json!({"state": "configured", "model": self.model}),
            None => json!({"state": "offline"}),
        }
    }
}
