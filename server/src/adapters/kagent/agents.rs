//! kagent's agents, read from their custom resources: its REST API is going away.

use app::model::AgentView;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

/// Beginnings of what a tool does that only looks, after the name of its family.
const LOOKS: [&str; 8] = [
    "get", "list", "describe", "check", "query", "search", "show", "explain",
];

/// The kind, as 0.9 and 0.10 serve it.
pub fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("kagent.dev", "v1alpha2", "Agent");
    ApiResource::from_gvk_with_plural(&kind, "agents")
}

/// Where the model of an agent is described.
pub fn model_configs() -> ApiResource {
    let kind = GroupVersionKind::gvk("kagent.dev", "v1alpha2", "ModelConfig");
    ApiResource::from_gvk_with_plural(&kind, "modelconfigs")
}

/// An agent as it is shown. One of a kind that brings its own container says nothing of its tools.
pub fn view(agent: &DynamicObject) -> AgentView {
    let spec = &agent.data["spec"];
    let conditions = agent.data["status"]["conditions"].as_array();
    let is = |wanted: &str| {
        conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == wanted && condition["status"] == "True")
    };
    let metadata = &agent.metadata;
    AgentView {
        name: format!(
            "{}/{}",
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default()
        ),
        description: spec["description"].as_str().unwrap_or_default().to_owned(),
        is_ready: is("Accepted") && is("Ready"),
        unasked: match spec["type"].as_str() {
            Some("Declarative") | None => unasked(&spec["declarative"]["tools"]),
            Some(_) => vec!["whatever its own container does".to_owned()],
        },
    }
}

/// The name of the agent's model configuration, in its own namespace.
pub fn model_config(agent: &DynamicObject) -> Option<String> {
    let name = agent.data["spec"]["declarative"]["modelConfig"].as_str()?;
    // It may be given with its namespace.
    Some(name.rsplit('/').next().unwrap_or(name).to_owned())
}

/// Tools that write and ask nobody. What is not known to look only counts as writing.
fn unasked(tools: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let words = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    for tool in tools.as_array().into_iter().flatten() {
        let server = &tool["mcpServer"];
        if !server.is_object() {
            let agent = tool["agent"]["name"].as_str().unwrap_or("another agent");
            found.push(format!("what the agent {agent} does"));
            continue;
        }
        let (names, asked) = (
            words(&server["toolNames"]),
            words(&server["requireApproval"]),
        );
        if names.is_empty() {
            let name = server["name"].as_str().unwrap_or("a tool server");
            found.push(format!("every tool of {name}"));
        }
        let writes = |name: &String| !asked.contains(name) && !only_looks(name);
        found.extend(names.into_iter().filter(writes));
    }
    found
}

fn only_looks(tool: &str) -> bool {
    let act = tool.split_once('_').map_or(tool, |(_, act)| act);
    LOOKS.iter().any(|look| {
        act == *look
            || act
                .strip_prefix(look)
                .is_some_and(|rest| rest.starts_with('_'))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn agent(tools: Value, ready: &str) -> AgentView {
        let agent = json!({
            "apiVersion": "kagent.dev/v1alpha2", "kind": "Agent",
            "metadata": {"name": "k8s-agent", "namespace": "kagent"},
            "spec": {"type": "Declarative", "description": "Knows Kubernetes",
                "declarative": {"modelConfig": "default-model-config", "tools": tools}},
            "status": {"conditions": [
                {"type": "Accepted", "status": "True"},
                {"type": "Ready", "status": ready, "reason": "DeploymentReady"}
            ]}
        });
        let agent: DynamicObject = serde_json::from_value(agent).expect("an agent");
        assert_eq!(
            model_config(&agent).as_deref(),
            Some("default-model-config")
        );
        view(&agent)
    }

    #[test]
    fn the_agent_that_slipway_offers_only_looks() {
        let text = include_str!("../../../../docs/kagent-agent.yaml");
        let mut agent: DynamicObject = serde_yaml::from_str(text).expect("an agent");
        agent.data["status"] = json!({"conditions": []});
        let view = view(&agent);
        assert_eq!(view.name, "kagent/slipway-looks");
        assert!(view.unasked.is_empty(), "{view:?}");
    }

    #[test]
    fn writing_tools_that_ask_nobody_are_named_and_both_conditions_count() {
        let tools = json!([{"type": "McpServer", "mcpServer": {
            "name": "kagent-tool-server",
            "toolNames": ["k8s_get_resources", "k8s_describe_resource", "k8s_delete_resource", "k8s_apply_manifest", "k8s_execute_command", "helm_list_releases", "helm_repo_add", "getaway"],
            "requireApproval": ["k8s_delete_resource"]
        }}]);
        let view = agent(tools, "True");
        assert_eq!(view.name, "kagent/k8s-agent");
        assert!(view.is_ready);
        assert_eq!(
            view.unasked,
            [
                "k8s_apply_manifest",
                "k8s_execute_command",
                "helm_repo_add",
                "getaway"
            ]
        );
        let all = json!([{"type": "McpServer", "mcpServer": {"name": "s"}}, {"type": "Agent", "agent": {"name": "b"}}]);
        let view = agent(all, "False");
        assert!(!view.is_ready);
        assert_eq!(view.unasked, ["every tool of s", "what the agent b does"]);
    }
}
