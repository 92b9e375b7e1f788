//! The providers kubectl-ai knows, with the variables each one reads.

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// As in `--llm-provider`.
    pub name: &'static str,
    /// Where a key may stand, the usual variable first; none when it needs no key.
    pub keys: &'static [&'static str],
    /// Where its address may stand, the usual variable first.
    pub addresses: &'static [&'static str],
    /// Further variables it reads.
    pub others: &'static [&'static str],
    /// Where it finds what it needs when the variable is not set, below the home folder, which is another
    /// one for it here.
    pub at_home: &'static [(&'static str, &'static str)],
    /// The address without any setting.
    pub usual: &'static str,
}

/// The one that is taken when none is chosen, and the only one with a model of its own.
pub const USUAL: &str = "gemini";

pub const ALL: [Provider; 9] = [
    Provider {
        name: USUAL,
        keys: &["GEMINI_API_KEY"],
        addresses: &[],
        others: &[],
        at_home: &[],
        usual: "https://generativelanguage.googleapis.com",
    },
    Provider {
        name: "openai",
        keys: &["OPENAI_API_KEY"],
        addresses: &["OPENAI_ENDPOINT", "OPENAI_API_BASE"],
        others: &["OPENAI_USE_RESPONSES_API"],
        at_home: &[],
        usual: "https://api.openai.com",
    },
    Provider {
        name: "openai-compatible",
        keys: &["OPENAI_API_KEY"],
        addresses: &["OPENAI_ENDPOINT", "OPENAI_API_BASE"],
        others: &["OPENAI_USE_RESPONSES_API"],
        at_home: &[],
        usual: "https://api.openai.com",
    },
    Provider {
        name: "azopenai",
        keys: &["AZURE_OPENAI_API_KEY"],
        addresses: &["AZURE_OPENAI_ENDPOINT"],
        others: &[],
        at_home: &[],
        usual: "https://azure.com",
    },
    Provider {
        name: "grok",
        keys: &["GROK_API_KEY"],
        addresses: &["GROK_ENDPOINT"],
        others: &[],
        at_home: &[],
        usual: "https://api.x.ai",
    },
    Provider {
        name: "ollama",
        keys: &[],
        addresses: &["OLLAMA_HOST"],
        others: &[],
        at_home: &[],
        usual: "http://127.0.0.1:11434",
    },
    Provider {
        name: "llamacpp",
        keys: &[],
        addresses: &["LLAMACPP_HOST"],
        others: &[],
        at_home: &[],
        usual: "http://127.0.0.1:8080",
    },
    Provider {
        name: "vertexai",
        keys: &[],
        addresses: &[],
        others: &[
            "GOOGLE_CLOUD_PROJECT",
            "GOOGLE_CLOUD_LOCATION",
            "GOOGLE_CLOUD_REGION",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ],
        at_home: &[
            (
                "GOOGLE_APPLICATION_CREDENTIALS",
                ".config/gcloud/application_default_credentials.json",
            ),
            ("CLOUDSDK_CONFIG", ".config/gcloud"),
        ],
        usual: "https://aiplatform.googleapis.com",
    },
    Provider {
        name: "bedrock",
        keys: &[],
        addresses: &[],
        others: &[
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_REGION",
            "AWS_PROFILE",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
        ],
        at_home: &[
            ("AWS_CONFIG_FILE", ".aws/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
        ],
        usual: "https://amazonaws.com",
    },
];

pub fn find(name: &str) -> Option<&'static Provider> {
    ALL.iter().find(|provider| provider.name == name)
}

impl Provider {
    /// Variables that hold something nobody may see.
    pub fn secrets(&self) -> impl Iterator<Item = &'static str> {
        let is_secret = |name: &&str| {
            let marks = ["SECRET", "TOKEN", "_KEY"];
            marks.iter().any(|mark| name.contains(mark))
        };
        let all = self.keys.iter().chain(self.others).copied();
        all.filter(is_secret)
    }

    /// Whether a model has to be named: the program's own choice is one of [`USUAL`]'s.
    pub fn needs_model(&self) -> bool {
        self.name != USUAL
    }
}
