//! Docker Agent through its API server, on a socket in a private folder. It has Slipway's own tools and no
//! others; whatever else it asks for is refused, and a kubectl command in it becomes a card.

mod converse;
mod words;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use app::model::{
    AssistantId, AssistantView, ChoiceField, Destination, Finding, KeyState, Standing,
};
use async_trait::async_trait;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::child::Child;
use super::keep::Keep;
use super::scratch::Scratch;
use super::settings::{address, is_here};
use super::{Asked, Assistant, Kit, Patience, Teller, with_earlier};
use crate::adapters::docker_agent::client::{Api, answers};
use crate::adapters::docker_agent::serve::{Model, Tools, command, file, socket};
use crate::adapters::docker_agent::{self, Program};
use crate::adapters::docker_plugin;
use crate::process;

const ID: AssistantId = AssistantId::DockerAgent;
const START_LIMIT: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(150);
/// What it sees of Slipway's environment beside its model's key.
const ENVIRONMENT: [&str; 12] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Its providers: the name, the variable of the key, and where it is; none for Docker's own model runner.
const PROVIDERS: [(&str, Option<&str>, Option<&str>); 4] = [
    ("openai", Some("OPENAI_API_KEY"), Some("api.openai.com")),
    (
        "anthropic",
        Some("ANTHROPIC_API_KEY"),
        Some("api.anthropic.com"),
    ),
    (
        "google",
        Some("GOOGLE_API_KEY"),
        Some("generativelanguage.googleapis.com"),
    ),
    ("dmr", None, None),
];

#[derive(Debug)]
pub struct DockerAgent {
    kit: Kit,
    scratch: Scratch,
    tools: Tools,
    patience: Patience,
    conversation: Keep<Session>,
}

/// One running program with one session. Dropping it ends the program.
#[derive(Debug)]
struct Session {
    api: Api,
    child: Child,
    /// Tokens of the session that were told already.
    used: (u64, u64),
    /// The identity of the cluster that was talked about; none when none was in use.
    cluster: Option<String>,
}

struct Setting {
    provider: &'static str,
    key: Option<&'static str>,
    host: Option<&'static str>,
    model: String,
    base_url: Option<String>,
}

impl DockerAgent {
    pub fn new(kit: Kit, scratch: Scratch, patience: Patience) -> Self {
        let state_dir = kit.core.state_dir.path().to_owned();
        let tools = Tools {
            program: kit.slipway.clone(),
            args: vec!["mcp".into(), "--state-dir".into(), state_dir.into()],
        };
        let conversation = Keep::new(kit.core.clone());
        Self {
            kit,
            scratch,
            tools,
            patience,
            conversation,
        }
    }

    fn setting(&self) -> Result<Setting, Finding> {
        let choices = self.kit.settings.choices(ID);
        let name = choices.provider.as_deref().unwrap_or(PROVIDERS[0].0);
        let known = PROVIDERS.into_iter().find(|(known, ..)| *known == name);
        let (provider, key, host) = known.ok_or_else(|| {
            let all = PROVIDERS.map(|(known, ..)| known).join(", ");
            words::unknown_provider(name, &all)
        })?;
        let model = choices.model.ok_or_else(words::no_model)?;
        Ok(Setting {
            provider,
            key,
            host,
            model,
            base_url: choices.base_url,
        })
    }

    fn goes_to(setting: &Setting) -> Destination {
        let base = setting.base_url.as_deref().map(address);
        match (base, setting.host) {
            (Some(Ok(url)), _) if is_here(&url) => Destination::Machine,
            (Some(Ok(url)), _) => Destination::Cloud {
                to: url.host_str().unwrap_or_default().to_owned(),
            },
            (Some(Err(_)), _) => Destination::Unknown,
            (None, Some(host)) => Destination::Cloud {
                to: host.to_owned(),
            },
            (None, None) => Destination::Machine,
        }
    }

    fn key_state(&self, setting: &Setting) -> Option<KeyState> {
        let variable = setting.key?;
        // The environment's key is for the provider's own address.
        Some(match setting.base_url {
            Some(_) => self.kit.key_state(ID, &[]),
            None => self.kit.key_state(ID, &[variable]),
        })
    }

    /// What is missing before it can be asked.
    fn missing(&self, program: Option<&Program>) -> Option<Finding> {
        if program.is_none() {
            return Some(words::not_installed());
        }
        let setting = match self.setting() {
            Ok(setting) => setting,
            Err(finding) => return Some(finding),
        };
        match (self.key_state(&setting), setting.key) {
            (Some(KeyState::Unset), Some(variable)) if Self::goes_to(&setting).needs_consent() => {
                Some(words::no_key(variable))
            }
            _ => None,
        }
    }

    fn environment(&self, setting: &Setting) -> Vec<(OsString, OsString)> {
        let around = &self.kit.around;
        let mut env: Vec<(OsString, OsString)> = ENVIRONMENT
            .iter()
            .filter_map(|name| Some((OsString::from(name), around.var(name)?)))
            .collect();
        // Docker finds its plugins there, wherever the home is.
        if let Some(folder) = docker_plugin::config_folder(around) {
            env.push(("DOCKER_CONFIG".into(), folder.into()));
        }
        let Some(variable) = setting.key else {
            return env;
        };
        let entered = self.kit.settings.with_key(ID, |key| OsString::from(key));
        let of_environment = || around.var(variable).filter(|_| setting.base_url.is_none());
        let key = entered.or_else(of_environment);
        if let Some(key) = &key {
            self.kit.core.redactor.learn(&key.to_string_lossy());
        }
        // It refuses to start without one, also where nobody asks for it.
        env.push((variable.into(), key.unwrap_or_else(|| "none".into())));
        env
    }

    async fn start(&self) -> Result<Session, Finding> {
        let program = docker_agent::find(&self.kit.around);
        if let Some(finding) = self.missing(program.as_ref()) {
            return Err(finding);
        }
        let program = program.ok_or_else(words::not_installed)?;
        let setting = self.setting()?;
        let no_folder = |error: std::io::Error| words::not_started(&error.to_string(), "");
        let (folder, socket) = self.folder().map_err(no_folder)?;
        let described = folder.path().join("slipway.yaml");
        let model = Model {
            provider: setting.provider,
            name: &setting.model,
            base_url: setting.base_url.as_deref(),
        };
        std::fs::write(&described, file(&model, &self.tools)).map_err(no_folder)?;
        let env = self.environment(&setting);
        let spec = command(&program, &described, &socket, folder.path(), env);
        let child = Child::start(&self.kit.core, spec, folder, |_| None);
        let serving = async {
            while !answers(&socket).await {
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        let why = tokio::select! {
            () = serving => None,
            how = child.ended() => Some(how),
            () = tokio::time::sleep(START_LIMIT) => Some("it does not answer".to_owned()),
        };
        let not_started = |why: &str| words::not_started(why, &child.last_words());
        if let Some(why) = why {
            return Err(not_started(&why));
        }
        let api = Api::open(&socket)
            .await
            .map_err(|error| not_started(&error.to_string()))?;
        Ok(Session {
            api,
            child,
            used: (0, 0),
            cluster: self.kit.cluster.current().map(|now| now.id.clone()),
        })
    }

    /// A folder whose path is short enough for a socket in it.
    fn folder(&self) -> std::io::Result<(TempDir, PathBuf)> {
        let folder = self.scratch.folder("agent-")?;
        if let Some(socket) = socket(folder.path()) {
            return Ok((folder, socket));
        }
        let folder = tempfile::Builder::new().prefix("slipway-").tempdir()?;
        let socket = socket(folder.path())
            .ok_or_else(|| std::io::Error::other("the path of the temporary folder is too long"))?;
        Ok((folder, socket))
    }
}

#[async_trait]
impl Assistant for DockerAgent {
    fn id(&self) -> AssistantId {
        ID
    }

    async fn look(&self) -> AssistantView {
        let program = docker_agent::find(&self.kit.around);
        let standing = match self.missing(program.as_ref()) {
            None => Standing::Ready,
            Some(finding) => Standing::Missing {
                finding: Box::new(finding),
            },
        };
        let mut view = self.kit.view(ID, standing);
        if let Some(program) = &program {
            let spec = self.kit.around.dress(program.version());
            let captured = process::capture(&spec, &CancellationToken::new()).await;
            view.version = captured
                .ok()
                .and_then(|captured| program.parse_version(&captured.stdout));
        }
        view.fields = BTreeSet::from([
            ChoiceField::Provider,
            ChoiceField::Model,
            ChoiceField::BaseUrl,
        ]);
        view.destination = self.destination().await;
        if let Ok(setting) = self.setting() {
            view.key = self.key_state(&setting);
        }
        view.notes = vec![
            "It is started with a file of Slipway's in which its only tools are Slipway's own; whatever else it asks for is refused.".to_owned(),
        ];
        view
    }

    async fn destination(&self) -> Destination {
        match self.setting() {
            Ok(setting) => Self::goes_to(&setting),
            Err(_) => Destination::Unknown,
        }
    }

    async fn answer(&self, asked: &Asked, teller: &Teller) -> Result<(), Finding> {
        let (kept, since) = self.conversation.take().await;
        let cluster = self.kit.cluster.current().map(|now| now.id.clone());
        let kept = kept.filter(|session| !session.child.is_over() && session.cluster == cluster);
        let (mut session, text) = match kept {
            Some(session) => (session, asked.text.clone()),
            None => {
                let session = self.start().await?;
                let setting = self.setting()?;
                teller.model(&format!("{}, {}", setting.provider, setting.model));
                (session, with_earlier(asked))
            }
        };
        converse::converse(&mut session, &text, teller, self.patience).await?;
        self.conversation.put(session, since).await;
        Ok(())
    }

    async fn forget(&self) {
        drop(self.conversation.forget().await);
    }
}
