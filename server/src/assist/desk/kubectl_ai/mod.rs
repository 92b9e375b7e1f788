//! kubectl-ai through its web mode: one process per conversation, with an account that can only look.
//! Its own approvals are no security boundary; they are answered No and become cards.

mod converse;
mod session;
mod words;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;

use app::model::{
    AssistantId, AssistantView, ChoiceField, Destination, Finding, KeyState, Standing,
};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use self::converse::Patience;
use self::session::Session;
use super::keep::Keep;
use super::looker::{Lookers, role_in_words};
use super::settings::is_here;
use super::{Asked, Assistant, Kit, Teller, with_earlier};
use crate::adapters::kubectl_ai::providers::{self, Provider};
use crate::adapters::kubectl_ai::serve::Serve;
use crate::adapters::kubectl_ai::{parse_version, version};
use crate::process;

const ID: AssistantId = AssistantId::KubectlAi;
/// What it sees of Slipway's environment beside its provider's variables.
const ENVIRONMENT: [&str; 13] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "USER",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

#[derive(Debug)]
pub struct KubectlAi {
    kit: Kit,
    lookers: Lookers,
    patience: Patience,
    conversation: Keep<Session>,
}

/// Everything that was chosen, as it is now.
struct Setting {
    provider: &'static Provider,
    model: Option<String>,
}

impl KubectlAi {
    pub fn new(kit: Kit, lookers: Lookers, patience: Patience) -> Self {
        let conversation = Keep::new(kit.core.clone());
        Self {
            kit,
            lookers,
            patience,
            conversation,
        }
    }

    fn setting(&self) -> Result<Setting, Finding> {
        let choices = self.kit.settings.choices(ID);
        let name = choices.provider.as_deref().unwrap_or(providers::USUAL);
        let Some(provider) = providers::find(name) else {
            let known = providers::ALL.map(|provider| provider.name).join(", ");
            return Err(words::unknown_provider(name, &known));
        };
        Ok(Setting {
            provider,
            model: choices.model,
        })
    }

    /// What is missing before it can be asked.
    fn missing(&self) -> Option<Finding> {
        if session::found(&self.kit.around).is_none() {
            return Some(words::not_installed());
        }
        let setting = match self.setting() {
            Ok(setting) => setting,
            Err(finding) => return Some(finding),
        };
        if setting.model.is_none() && setting.provider.needs_model() {
            return Some(words::no_model(setting.provider.name));
        }
        if let [variable, ..] = setting.provider.keys
            && self.kit.key_state(ID, self.keys(setting.provider)) == KeyState::Unset
            && self.goes_to(setting.provider).needs_consent()
        {
            return Some(words::no_key(variable));
        }
        self.lookers.check().err()
    }

    /// The provider's address: chosen, of the environment, or its own.
    fn address(&self, provider: &Provider) -> String {
        let chosen = self.kit.settings.choices(ID).base_url;
        let chosen = chosen.filter(|_| !provider.addresses.is_empty());
        let variable =
            |name: &&str| Some(self.kit.around.var(name)?.to_string_lossy().into_owned());
        chosen
            .or_else(|| provider.addresses.iter().find_map(variable))
            .unwrap_or_else(|| provider.usual.to_owned())
    }

    fn goes_to(&self, provider: &Provider) -> Destination {
        let address = self.address(provider);
        // Ollama's variable may go without a scheme.
        let full = match address.contains("://") {
            true => address,
            false => format!("http://{address}"),
        };
        let Ok(url) = url::Url::parse(&full) else {
            return Destination::Unknown;
        };
        match url.host_str() {
            _ if is_here(&url) => Destination::Machine,
            Some(host) => Destination::Cloud {
                to: host.to_owned(),
            },
            None => Destination::Unknown,
        }
    }

    /// Variables whose key may be used. An address that was chosen here gets the key that was entered for
    /// it and no other.
    fn keys(&self, provider: &Provider) -> &'static [&'static str] {
        match self.kit.settings.choices(ID).base_url {
            Some(_) if !provider.addresses.is_empty() => &[],
            _ => provider.keys,
        }
    }

    /// What the program sees of the environment; the entered key goes before one of the environment.
    fn environment(&self, provider: &Provider) -> Vec<(OsString, OsString)> {
        let around = &self.kit.around;
        let usual = ENVIRONMENT.iter().chain(provider.others);
        let names = usual.chain(self.keys(provider)).chain(provider.addresses);
        let mut env: Vec<(OsString, OsString)> = names
            .filter_map(|name| Some((OsString::from(name), around.var(name)?)))
            .collect();
        let home = around.var("HOME").map(std::path::PathBuf::from);
        for (name, path) in provider.at_home {
            let file = home.as_ref().map(|home| home.join(path));
            let is_given = env.iter().any(|(given, _)| given == name);
            if let Some(file) = file.filter(|file| !is_given && file.exists()) {
                env.push((name.into(), file.into()));
            }
        }
        let chosen = self.kit.settings.choices(ID).base_url;
        if let Some(base) = chosen {
            for name in provider.addresses {
                env.push((name.into(), base.clone().into()));
            }
        }
        if let [name, ..] = provider.keys {
            let key = self.kit.settings.with_key(ID, |key| OsString::from(key));
            env.extend(key.map(|key| (OsString::from(name), key)));
        }
        env
    }

    async fn start(&self) -> Result<Session, Finding> {
        if let Some(finding) = self.missing() {
            return Err(finding);
        }
        let setting = self.setting()?;
        let program = session::found(&self.kit.around).ok_or_else(words::not_installed)?;
        let looker = Arc::new(self.lookers.make(ID.title()).await?);
        for name in setting.provider.secrets() {
            if let Some(key) = self.kit.around.var(name) {
                self.kit.core.redactor.learn(&key.to_string_lossy());
            }
        }
        let kubeconfig = looker.kubeconfig();
        let serve = Serve {
            program: &program,
            provider: setting.provider.name,
            model: setting.model.as_deref(),
            folder: session::folder(&looker),
            kubeconfig: &kubeconfig,
            env: self.environment(setting.provider),
        };
        Session::start(&self.kit.core, serve, looker.clone()).await
    }

    /// `kept` when it can be gone on with, else a new conversation, and whether it is new.
    async fn session(&self, kept: Option<Session>) -> Result<(Session, bool), Finding> {
        let connected = self.kit.cluster.current();
        let cluster = connected.map(|connected| connected.id.clone());
        let is_usable =
            |session: &Session| cluster.as_deref().is_some_and(|id| session.is_usable(id));
        match kept.filter(is_usable) {
            Some(session) => {
                session.looker.renew().await?;
                Ok((session, false))
            }
            None => Ok((self.start().await?, true)),
        }
    }

    async fn installed(&self) -> Option<String> {
        let spec = self.kit.around.dress(version());
        let captured = process::capture(&spec, &CancellationToken::new())
            .await
            .ok()?;
        parse_version(&captured.stdout)
    }
}

#[async_trait]
impl Assistant for KubectlAi {
    fn id(&self) -> AssistantId {
        ID
    }

    async fn look(&self) -> AssistantView {
        let standing = match self.missing() {
            None => Standing::Ready,
            Some(finding) => Standing::Missing {
                finding: Box::new(finding),
            },
        };
        let mut view = self.kit.view(ID, standing);
        if session::found(&self.kit.around).is_some() {
            view.version = self.installed().await;
        }
        view.fields = BTreeSet::from([ChoiceField::Provider, ChoiceField::Model]);
        if let Ok(setting) = self.setting() {
            let provider = setting.provider;
            view.destination = self.goes_to(provider);
            if !provider.keys.is_empty() {
                view.key = Some(self.kit.key_state(ID, self.keys(provider)));
            }
            if !provider.addresses.is_empty() {
                view.fields.insert(ChoiceField::BaseUrl);
            }
        }
        let namespace = self.kit.project.spec().namespace.to_string();
        view.notes = vec![
            role_in_words(&namespace),
            "What its commands print goes to the model as it is: Slipway redacts what it sends itself, and what it shows.".to_owned(),
        ];
        view
    }

    async fn destination(&self) -> Destination {
        match self.setting() {
            Ok(setting) => self.goes_to(setting.provider),
            Err(_) => Destination::Unknown,
        }
    }

    async fn answer(&self, asked: &Asked, teller: &Teller) -> Result<(), Finding> {
        let (kept, since) = self.conversation.take().await;
        let (session, is_new) = self.session(kept).await?;
        if is_new {
            let setting = self.setting()?;
            let model = setting.model.as_deref().unwrap_or("its usual model");
            teller.model(&format!("{}, {model}", setting.provider.name));
        }
        let text = match is_new {
            true => with_earlier(asked),
            false => asked.text.clone(),
        };
        converse::converse(&session, &text, teller, self.patience).await?;
        self.conversation.put(session, since).await;
        Ok(())
    }

    async fn forget(&self) {
        if let Some(session) = self.conversation.forget().await {
            let removed = session.looker.removed();
            drop(session);
            removed.cancelled().await;
        }
    }
}
