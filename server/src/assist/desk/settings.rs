//! What a person chose for each assistant. Choices are kept in the journal; keys only in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use app::model::{AssistantChoices, AssistantId, AssistantSetting, Finding};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::words;
use crate::engine::{Journal, Redactor};

/// Where choices are in the journal, by assistant.
const SCOPE: &str = "assistant";
const LONGEST_KEY: usize = 4 << 10;
const LONGEST_CHOICE: usize = 300;

/// Clones share the settings.
#[derive(Clone, Debug)]
pub struct Settings {
    journal: Journal,
    redactor: Redactor,
    keys: Arc<RwLock<BTreeMap<AssistantId, SecretString>>>,
}

impl Settings {
    pub fn new(journal: Journal, redactor: Redactor) -> Self {
        Self {
            journal,
            redactor,
            keys: Arc::default(),
        }
    }

    /// What was chosen; nothing when nothing was, or what is written cannot be read any more.
    pub fn choices(&self, id: AssistantId) -> AssistantChoices {
        self.journal
            .get_fact(SCOPE, id.word())
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Calls with the entered key, if there is one.
    pub fn with_key<T>(&self, id: AssistantId, use_it: impl FnOnce(&str) -> T) -> Option<T> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&id).map(|key| use_it(key.expose_secret()))
    }

    pub fn has_key(&self, id: AssistantId) -> bool {
        self.with_key(id, |_| ()).is_some()
    }

    /// Keeps choices and, when one was entered, the key. An empty key forgets the entered one; a key
    /// goes with the address it was entered for and is forgotten when that changes.
    pub fn set(&self, setting: AssistantSetting) -> Result<(), Finding> {
        let AssistantSetting {
            assistant,
            choices,
            key,
        } = setting;
        let choices = tidy(choices)?;
        if let Some(key) = &key {
            let is_bad = key.0.len() > LONGEST_KEY || key.0.contains(|c: char| c.is_control());
            if is_bad {
                return Err(words::bad_key());
            }
        }
        let before = self.choices(assistant);
        let moved = (&before.base_url, &before.provider) != (&choices.base_url, &choices.provider);
        let text = serde_json::to_string(&choices).unwrap_or_default();
        if self.redactor.redact(&text) != text.as_str() {
            return Err(words::secret_in_choice());
        }
        self.journal.put_fact(SCOPE, assistant.word(), &text);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        match key {
            Some(key) if key.0.trim().is_empty() => {
                keys.remove(&assistant);
            }
            Some(key) => {
                let key = key.0.trim();
                self.redactor.learn(key);
                keys.insert(assistant, SecretString::from(key.to_owned()));
            }
            None if moved => {
                keys.remove(&assistant);
            }
            None => {}
        }
        Ok(())
    }
}

fn tidy(choices: AssistantChoices) -> Result<AssistantChoices, Finding> {
    let word = |choice: Option<String>| -> Result<Option<String>, Finding> {
        let Some(choice) = choice.map(|choice| choice.trim().to_owned()) else {
            return Ok(None);
        };
        let is_plain = choice.len() <= LONGEST_CHOICE
            && !choice.starts_with('-')
            && choice.chars().all(|c| c.is_ascii_graphic());
        match (choice.is_empty(), is_plain) {
            (true, _) => Ok(None),
            (false, true) => Ok(Some(choice)),
            (false, false) => Err(words::bad_choice()),
        }
    };
    let base_url = word(choices.base_url)?;
    if let Some(base) = &base_url {
        address(base)?;
    }
    Ok(AssistantChoices {
        provider: word(choices.provider)?,
        model: word(choices.model)?,
        base_url,
        agent: word(choices.agent)?,
    })
}

/// The address of an endpoint: plain HTTP only to this machine, and no password in it.
pub fn address(base: &str) -> Result<Url, Finding> {
    let url = Url::parse(base.trim_end_matches('/')).map_err(|_| words::bad_address())?;
    let has_secrets = !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some();
    match url.scheme() {
        _ if has_secrets || url.host_str().is_none() => Err(words::bad_address()),
        "https" => Ok(url),
        "http" if is_here(&url) => Ok(url),
        "http" => Err(words::unencrypted()),
        _ => Err(words::bad_address()),
    }
}

/// Whether the address is this machine's own.
pub fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use app::model::SecretInput;

    use super::*;

    fn settings() -> Settings {
        Settings::new(
            Journal::in_memory().expect("a journal"),
            Redactor::default(),
        )
    }

    fn setting(base: &str, key: Option<&str>) -> AssistantSetting {
        AssistantSetting {
            assistant: AssistantId::Endpoint,
            choices: AssistantChoices {
                base_url: Some(base.to_owned()),
                ..AssistantChoices::default()
            },
            key: key.map(|key| SecretInput(key.to_owned())),
        }
    }

    #[tokio::test]
    async fn a_key_is_kept_in_memory_learned_and_forgotten_with_its_address() {
        let settings = settings();
        let key = "a-key-0123456789";
        settings
            .set(setting("https://one.example/v1", Some(key)))
            .expect("set");
        assert!(settings.has_key(AssistantId::Endpoint));
        assert_eq!(settings.redactor.redact(key), "•••");
        let kept = settings.journal.facts_of(SCOPE);
        assert!(kept.values().all(|text| !text.contains(key)));
        settings
            .set(setting("https://one.example/v1", None))
            .expect("set");
        assert!(settings.has_key(AssistantId::Endpoint), "same address");
        settings
            .set(setting("https://two.example/v1", None))
            .expect("set");
        assert!(!settings.has_key(AssistantId::Endpoint), "another address");
    }

    #[test]
    fn an_address_is_encrypted_or_this_machines() {
        for good in [
            "https://api.example/v1",
            "http://127.0.0.1:11434/v1",
            "http://localhost:8080/v1/",
            "http://[::1]:1234",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example/v1",
            "http://192.168.1.9:11434",
            "https://me:pw@api.example",
            "https://api.example/v1?key=abc",
            "ftp://api.example",
            "no address",
            "",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_choice_is_one_word_and_no_flag() {
        let choices = |model: &str| AssistantChoices {
            model: Some(model.to_owned()),
            ..AssistantChoices::default()
        };
        assert_eq!(
            tidy(choices(" m:7b ")).expect("tidy").model.as_deref(),
            Some("m:7b")
        );
        assert_eq!(tidy(choices("  ")).expect("tidy").model, None);
        for bad in ["--skip-permissions", "two words", "a\nb"] {
            assert!(tidy(choices(bad)).is_err(), "{bad}");
        }
    }
}
