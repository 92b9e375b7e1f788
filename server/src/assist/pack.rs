//! The context pack: what an assistant needs to know of the project as it is now, and nothing that
//! could be a secret. Slipway sends it nowhere by itself; a person sees it and chooses the parts.

use app::model::{ContextPack, Failure, Finding, PackPart, PackSection, PromptIdea};

use super::AssistRoom;
use super::reading::{
    events, in_words, logs_of_the_unwell, objects, pods, shortened, shown, steps,
};
use crate::engine::{MASK, Redactor};

impl AssistRoom {
    /// Everything an assistant could be told now.
    pub async fn pack(&self) -> Result<ContextPack, Failure> {
        let connected = self.inner.cluster.connected()?;
        let namespace = self.inner.project.spec().namespace.to_string();
        let state = self.inner.core.hub.read(Clone::clone);
        let redactor = &self.inner.core.redactor;
        let findings = self.diagnose_now();
        let logs = logs_of_the_unwell(&connected, &namespace, &state).await;
        let objects = objects(&connected, &namespace).await;
        let parts = [
            (PackPart::Findings, in_words(&findings)),
            (PackPart::Steps, steps(&state)),
            (PackPart::Pods, pods(&state)),
            (PackPart::Events, events(&state)),
            (PackPart::Logs, logs),
            (PackPart::Objects, objects),
        ];
        Ok(ContextPack {
            sections: parts
                .into_iter()
                .filter(|(_, text)| !text.trim().is_empty())
                .map(|(part, text)| section(part, &text, redactor))
                .collect(),
            ideas: ideas(&findings),
        })
    }
}

fn section(part: PackPart, text: &str, redactor: &Redactor) -> PackSection {
    // Hidden first: a cut could leave half of a value.
    let text = shortened(&shown(text, redactor));
    PackSection {
        part,
        hidden: u32::try_from(text.matches(MASK).count()).unwrap_or(u32::MAX),
        text,
    }
}

/// Questions about what is wrong now, the worst first, and some that are always good.
fn ideas(findings: &[Finding]) -> Vec<PromptIdea> {
    let idea = |title: &str, prompt: String| PromptIdea {
        title: title.to_owned(),
        prompt,
    };
    let mut ideas: Vec<PromptIdea> = findings
        .iter()
        .take(4)
        .map(|finding| {
            idea(
                &finding.what,
                format!(
                    "{}. Slipway calls it {}: {} What is the cause, how can I be sure, and what is the smallest change that heals it?",
                    finding.what, finding.code, finding.why
                ),
            )
        })
        .collect();
    ideas.extend([
        idea(
            "Explain the project",
            "Explain how this project runs on Kubernetes: its parts, how they find each other, and what is fragile about it.".to_owned(),
        ),
        idea(
            "Better probes",
            "Look at the probes and resources of every Deployment. Which would you change, to what, and why?".to_owned(),
        ),
        idea(
            "Smaller and safer",
            "What in these objects is larger or has more rights than it needs? Give the changed YAML for each.".to_owned(),
        ),
    ]);
    ideas
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hidden(text: &str, redactor: &Redactor) -> String {
        section(PackPart::Logs, text, redactor).text
    }

    #[test]
    fn tokens_are_told_by_their_shape() {
        let nobody = Redactor::default();
        for (text, secret) in [
            ("using key sk-proj-0123456789abcdefghij", "0123456789"),
            (
                "token ghp_0123456789abcdefghijABCDEFGHIJ012345",
                "0123456789",
            ),
            ("aws AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
            (
                "postgres://neon:hunter2hunter2@ep-x.neon.tech/db",
                "hunter2",
            ),
            ("Authorization: Bearer short", "short"),
            ("authorization: Basic dTpw", "dTpw"),
            (
                "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123",
                "eyJhbGci",
            ),
            ("DATABASE_PASSWORD=correct horse", "correct"),
            ("  \"apiKey\": \"0a1b2c3d4e\",", "0a1b2c"),
            ("random 9fK2mQ7xZ1pL4vB8nR3tY6wC0sD5gH", "9fK2mQ7x"),
        ] {
            let shown = hidden(text, &nobody);
            assert!(!shown.contains(secret), "{text}: {shown}");
            assert!(shown.contains(MASK), "{shown}");
        }
        assert_eq!(
            hidden("GET /ready answered 503", &nobody),
            "GET /ready answered 503"
        );
    }

    proptest! {
        #[test]
        fn a_known_value_is_in_no_form_in_it(value in "[a-zA-Z0-9!$%]{12,30}", before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
            use base64::Engine as _;
            let value = format!("Zq7{value}");
            let redactor = Redactor::default();
            redactor.learn(&value);
            let encoded = base64::engine::general_purpose::STANDARD.encode(&value);
            let url: String = value.bytes().map(|byte| match byte {
                b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            }).collect();
            for form in [&value, &encoded, &url] {
                let shown = hidden(&format!("{before} {form} {after}"), &redactor);
                prop_assert!(!shown.contains(form.as_str()), "{}", shown);
            }
        }
    }
}
