//! Slipway's own agent for kagent: it only looks. A person reads it, Slipway applies it, and takes it
//! away again.

use std::collections::BTreeSet;

use app::model::{Failure, OwnAgent, OwnAgentStanding};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};

use serde_json::{Value, json};

use super::super::Kit;
use super::controller::{self, Controller};
use super::words;
use crate::adapters::kagent::agents;
use crate::adapters::kube::FIELD_MANAGER;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};

/// The file that can also be applied by hand.
const FILE: &str = include_str!("../../../../../docs/kagent-agent.yaml");
const NAME: &str = "slipway-looks";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The file without what is said in front of it, for this namespace: agents find their models and
/// tool servers in their own.
fn manifest(namespace: &str) -> String {
    let begin = FILE.find("apiVersion:").unwrap_or_default();
    FILE[begin..].replace(
        "  namespace: kagent\n",
        &format!("  namespace: {namespace}\n"),
    )
}

/// Whether it carries Slipway's mark.
pub fn is_own(agent: &DynamicObject) -> bool {
    let labels = agent.metadata.labels.as_ref();
    labels
        .and_then(|labels| labels.get(MANAGED_BY))
        .map(String::as_str)
        == Some("slipway")
}

/// Whether somebody gave it tools since that the file does not have. What kagent fills in besides is
/// none of our business.
fn has_other_tools(agent: &DynamicObject) -> bool {
    let file: Value = serde_yaml::from_str(FILE).unwrap_or_default();
    let known = tools(&file["spec"]);
    agent.data["spec"]["type"] != file["spec"]["type"]
        || !tools(&agent.data["spec"]).is_subset(&known)
}

/// The tools by name; a server without names gives all it has, and another agent is one, too.
fn tools(spec: &Value) -> BTreeSet<String> {
    let all = spec["declarative"]["tools"]
        .as_array()
        .into_iter()
        .flatten();
    all.flat_map(|tool| {
        let names = tool["mcpServer"]["toolNames"].as_array();
        match names.filter(|names| !names.is_empty()) {
            Some(names) => names.iter().map(Value::to_string).collect(),
            None => vec![tool.to_string()],
        }
    })
    .collect()
}

/// How it stands among the agents there are.
pub fn view(all: &[DynamicObject], namespace: &str) -> OwnAgent {
    let there = all.iter().find(|agent| {
        let metadata = &agent.metadata;
        (metadata.namespace.as_deref(), metadata.name.as_deref()) == (Some(namespace), Some(NAME))
    });
    OwnAgent {
        name: format!("{namespace}/{NAME}"),
        manifest: manifest(namespace),
        standing: match there {
            None => OwnAgentStanding::Offered,
            Some(agent) if !is_own(agent) => OwnAgentStanding::Taken,
            Some(agent) if has_other_tools(agent) => OwnAgentStanding::Changed,
            Some(_) => OwnAgentStanding::Applied,
        },
    }
}

/// The agents of the namespace of kagent's controller, and that namespace.
async fn place(kit: &Kit) -> Result<(Api<DynamicObject>, String), Failure> {
    let connected = kit.cluster.changeable()?;
    let unreadable = |error: KubeError| words::unreadable(&error.to_string());
    controller::agents(&connected.client)
        .await
        .map_err(unreadable)?
        .ok_or_else(|| words::not_installed(kit.around.find("kagent").is_some()))?;
    let controller = Controller::find(&connected.client)
        .await
        .map_err(unreadable)?
        .ok_or_else(words::no_controller)?;
    let namespace = controller.namespace().to_owned();
    let api = Api::namespaced_with(connected.client.clone(), &namespace, &agents::resource());
    Ok((api, namespace))
}

async fn existing(api: &Api<DynamicObject>) -> Result<Option<DynamicObject>, Failure> {
    within(REQUEST_LIMIT, api.get_opt(NAME))
        .await
        .map_err(|error| words::unreadable(&error.to_string()).into())
}

/// Applies what was read, and nothing else.
pub async fn apply(kit: &Kit, shown: &str) -> Result<(), Failure> {
    let (api, namespace) = place(kit).await?;
    let (name, wanted) = (format!("{namespace}/{NAME}"), manifest(&namespace));
    if shown != wanted {
        return Err(words::agent_not_shown(&name).into());
    }
    let there = existing(&api).await?;
    if there.as_ref().is_some_and(|agent| !is_own(agent)) {
        return Err(words::agent_taken(&name).into());
    }
    let refused = |why: &str| words::agent_refused(&name, why);
    let mut agent: Value =
        serde_yaml::from_str(&wanted).map_err(|error| refused(&error.to_string()))?;
    let mut params = PatchParams::apply(FIELD_MANAGER);
    // Only over the one that was looked at, and then whatever somebody has changed in it.
    if let Some(there) = there {
        agent["metadata"]["resourceVersion"] = json!(there.metadata.resource_version);
        params = params.force();
    }
    let what = format!("apply the agent {name} of kagent's");
    kit.core.journal.audit("operator", &what).await?;
    within(
        REQUEST_LIMIT,
        api.patch(NAME, &params, &Patch::Apply(&agent)),
    )
    .await
    .map_err(|error| refused(&error.to_string()))?;
    Ok(())
}

/// Removes it, unless it is somebody else's.
pub async fn remove(kit: &Kit) -> Result<(), Failure> {
    let (api, namespace) = place(kit).await?;
    let name = format!("{namespace}/{NAME}");
    let Some(agent) = existing(&api).await? else {
        return Ok(());
    };
    if !is_own(&agent) {
        return Err(words::agent_taken(&name).into());
    }
    let what = format!("remove the agent {name} of kagent's");
    kit.core.journal.audit("operator", &what).await?;
    // This one, and no other that takes its name meanwhile.
    let params = DeleteParams::default().preconditions(Preconditions {
        uid: agent.metadata.uid,
        resource_version: None,
    });
    match within(REQUEST_LIMIT, api.delete(NAME, &params)).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(words::agent_refused(&name, &error.to_string()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_applied_in_the_namespace_of_the_controller_and_nothing_else_of_it_changes() {
        assert_eq!(
            manifest("kagent"),
            FILE[FILE.find("apiVersion:").expect("an object")..]
        );
        let agent: DynamicObject = serde_yaml::from_str(&manifest("ai")).expect("an agent");
        assert_eq!(agent.metadata.name.as_deref(), Some(NAME));
        assert_eq!(agent.metadata.namespace.as_deref(), Some("ai"));
        assert!(is_own(&agent));
        let view_of = |all: &[DynamicObject]| view(all, "ai").standing;
        assert_eq!(view_of(&[]), OwnAgentStanding::Offered);
        assert_eq!(
            view_of(std::slice::from_ref(&agent)),
            OwnAgentStanding::Applied
        );
        let mut armed = agent.clone();
        armed.data["spec"]["declarative"]["tools"][0]["mcpServer"]["toolNames"]
            .as_array_mut()
            .expect("names")
            .push(json!("k8s_delete_resource"));
        assert_eq!(view_of(&[armed]), OwnAgentStanding::Changed);
        let mut theirs = agent;
        theirs.metadata.labels = None;
        assert_eq!(view_of(&[theirs]), OwnAgentStanding::Taken);
    }
}
