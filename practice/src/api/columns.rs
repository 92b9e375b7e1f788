//! The columns of each kind and what stands in them, as the API server's own printers have it.

use jiff::Timestamp;
use serde_json::Value;

use super::kinds::Kind;

/// One column.
pub struct Column {
    pub name: &'static str,
    pub ty: &'static str,
    /// Shown with `-o wide` only.
    pub wide: bool,
    pub cell: fn(&Value, Timestamp) -> Value,
}

const fn text(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column {
        name,
        ty: "string",
        wide: false,
        cell,
    }
}
const fn number(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column {
        name,
        ty: "integer",
        wide: false,
        cell,
    }
}
const fn wide(name: &'static str, cell: fn(&Value, Timestamp) -> Value) -> Column {
    Column {
        name,
        ty: "string",
        wide: true,
        cell,
    }
}

const NAME: Column = text("Name", |o, _| o["metadata"]["name"].clone());
const AGE: Column = text("Age", |o, now| {
    age(&o["metadata"]["creationTimestamp"], now).into()
});
const CONTAINERS: Column = wide("Containers", |o, _| {
    join(&o["spec"]["template"]["spec"]["containers"], "name")
});
const IMAGES: Column = wide("Images", |o, _| {
    join(&o["spec"]["template"]["spec"]["containers"], "image")
});
const SELECTOR: Column = wide("Selector", |o, _| {
    labels(&o["spec"]["selector"]["matchLabels"])
});

static PLAIN: &[Column] = &[NAME, AGE];
static PODS: &[Column] = &[
    NAME,
    text("Ready", |o, _| {
        let statuses = o["status"]["containerStatuses"].as_array();
        let ready = statuses
            .into_iter()
            .flatten()
            .filter(|s| s["ready"] == true)
            .count();
        format!(
            "{ready}/{}",
            o["spec"]["containers"].as_array().map_or(0, Vec::len)
        )
        .into()
    }),
    text("Status", |o, _| super::pod_print::status(o).into()),
    text("Restarts", |o, now| {
        super::pod_print::restarts(o, now).into()
    }),
    AGE,
    wide("IP", |o, _| or_none(&o["status"]["podIP"])),
    wide("Node", |o, _| or_none(&o["spec"]["nodeName"])),
    wide("Nominated Node", |o, _| {
        or_none(&o["status"]["nominatedNodeName"])
    }),
    wide(
        "Readiness Gates",
        |o, _| match o["spec"]["readinessGates"].as_array() {
            Some(gates) if !gates.is_empty() => format!("0/{}", gates.len()).into(),
            _ => "<none>".into(),
        },
    ),
];
static DEPLOYMENTS: &[Column] = &[
    NAME,
    text("Ready", |o, _| {
        format!(
            "{}/{}",
            count(&o["status"]["readyReplicas"]),
            count(&o["spec"]["replicas"])
        )
        .into()
    }),
    number("Up-to-date", |o, _| {
        count(&o["status"]["updatedReplicas"]).into()
    }),
    number("Available", |o, _| {
        count(&o["status"]["availableReplicas"]).into()
    }),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
static REPLICA_SETS: &[Column] = &[
    NAME,
    number("Desired", |o, _| count(&o["spec"]["replicas"]).into()),
    number("Current", |o, _| count(&o["status"]["replicas"]).into()),
    number("Ready", |o, _| count(&o["status"]["readyReplicas"]).into()),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
static STATEFUL_SETS: &[Column] = &[
    NAME,
    text("Ready", |o, _| {
        format!(
            "{}/{}",
            count(&o["status"]["readyReplicas"]),
            count(&o["spec"]["replicas"])
        )
        .into()
    }),
    AGE,
    CONTAINERS,
    IMAGES,
];
static DAEMON_SETS: &[Column] = &[
    NAME,
    number("Desired", |o, _| {
        count(&o["status"]["desiredNumberScheduled"]).into()
    }),
    number("Current", |o, _| {
        count(&o["status"]["currentNumberScheduled"]).into()
    }),
    number("Ready", |o, _| count(&o["status"]["numberReady"]).into()),
    number("Up-to-date", |o, _| {
        count(&o["status"]["updatedNumberScheduled"]).into()
    }),
    number("Available", |o, _| {
        count(&o["status"]["numberAvailable"]).into()
    }),
    text("Node Selector", |o, _| {
        labels(&o["spec"]["template"]["spec"]["nodeSelector"])
    }),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
static SERVICES: &[Column] = &[
    NAME,
    text("Type", |o, _| o["spec"]["type"].clone()),
    text("Cluster-IP", |o, _| or_none(&o["spec"]["clusterIP"])),
    text("External-IP", |o, _| external_ip(o)),
    text("Port(s)", |o, _| ports(o)),
    AGE,
    wide("Selector", |o, _| labels(&o["spec"]["selector"])),
];
static NAMESPACES: &[Column] = &[
    NAME,
    text("Status", |o, _| o["status"]["phase"].clone()),
    AGE,
];
static NODES: &[Column] = &[
    NAME,
    text("Status", |o, _| node_status(o)),
    text("Roles", |o, _| node_roles(o)),
    AGE,
    text("Version", |o, _| {
        o["status"]["nodeInfo"]["kubeletVersion"].clone()
    }),
    wide("Internal-IP", |o, _| address(o, "InternalIP")),
    wide("External-IP", |o, _| address(o, "ExternalIP")),
    wide("OS-Image", |o, _| {
        or_unknown(&o["status"]["nodeInfo"]["osImage"])
    }),
    wide("Kernel-Version", |o, _| {
        or_unknown(&o["status"]["nodeInfo"]["kernelVersion"])
    }),
    wide("Container-Runtime", |o, _| {
        or_unknown(&o["status"]["nodeInfo"]["containerRuntimeVersion"])
    }),
];
static CONFIG_MAPS: &[Column] = &[
    NAME,
    number("Data", |o, _| {
        let size = |field: &str| o[field].as_object().map_or(0, serde_json::Map::len);
        (size("data") + size("binaryData")).into()
    }),
    AGE,
];
static SECRETS: &[Column] = &[
    NAME,
    text("Type", |o, _| o["type"].clone()),
    number("Data", |o, _| {
        o["data"].as_object().map_or(0, serde_json::Map::len).into()
    }),
    AGE,
];
static SERVICE_ACCOUNTS: &[Column] = &[
    NAME,
    number("Secrets", |o, _| {
        o["secrets"].as_array().map_or(0, Vec::len).into()
    }),
    AGE,
];
static EVENTS: &[Column] = &[
    text("Last Seen", |o, now| age(event_time(o), now).into()),
    text("Type", |o, _| o["type"].clone()),
    text("Reason", |o, _| o["reason"].clone()),
    text("Object", |o, _| {
        let about = &o["involvedObject"];
        let kind = about["kind"].as_str().unwrap_or("").to_lowercase();
        format!("{kind}/{}", about["name"].as_str().unwrap_or("")).into()
    }),
    wide("Subobject", |o, _| o["involvedObject"]["fieldPath"].clone()),
    wide("Source", |o, _| o["source"]["component"].clone()),
    text("Message", |o, _| {
        o["message"].as_str().unwrap_or("").trim().into()
    }),
    wide("First Seen", |o, now| {
        let first = &o["firstTimestamp"];
        age(
            if first.is_null() {
                event_time(o)
            } else {
                first
            },
            now,
        )
        .into()
    }),
    Column {
        name: "Count",
        ty: "string",
        wide: true,
        cell: |o, _| o["count"].as_i64().unwrap_or(1).into(),
    },
    wide("Name", |o, _| o["metadata"]["name"].clone()),
];
static SLICES: &[Column] = &[
    NAME,
    text("AddressType", |o, _| o["addressType"].clone()),
    text("Ports", |o, _| match o["ports"].as_array() {
        Some(ports) if !ports.is_empty() => ports
            .iter()
            .map(|p| p["port"].to_string())
            .collect::<Vec<_>>()
            .join(",")
            .into(),
        _ => "<unset>".into(),
    }),
    text("Endpoints", |o, _| {
        let endpoints = o["endpoints"].as_array().into_iter().flatten();
        let all: Vec<&str> = endpoints
            .flat_map(|e| e["addresses"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        shortened(&all)
    }),
    AGE,
];
static JOBS: &[Column] = &[
    NAME,
    text("Status", |o, _| {
        let done = |ty: &str| has_condition(o, ty);
        match () {
            () if done("Complete") => "Complete",
            () if done("Failed") => "Failed",
            () if done("Suspended") => "Suspended",
            () => "Running",
        }
        .into()
    }),
    text("Completions", |o, _| {
        format!(
            "{}/{}",
            count(&o["status"]["succeeded"]),
            o["spec"]["completions"].as_i64().unwrap_or(1)
        )
        .into()
    }),
    AGE,
];
static CLAIMS: &[Column] = &[
    NAME,
    text("Status", |o, _| o["status"]["phase"].clone()),
    text("Volume", |o, _| {
        o["spec"]["volumeName"].as_str().unwrap_or("").into()
    }),
    text("StorageClass", |o, _| {
        o["spec"]["storageClassName"].as_str().unwrap_or("").into()
    }),
    AGE,
];
static INGRESSES: &[Column] = &[
    NAME,
    text("Class", |o, _| or_none(&o["spec"]["ingressClassName"])),
    text("Hosts", |o, _| {
        let rules = o["spec"]["rules"].as_array().into_iter().flatten();
        let hosts: Vec<&str> = rules.filter_map(|r| r["host"].as_str()).collect();
        if hosts.is_empty() {
            "*".into()
        } else {
            shortened(&hosts)
        }
    }),
    AGE,
];
static ROLES: &[Column] = &[
    NAME,
    text("Created At", |o, _| {
        o["metadata"]["creationTimestamp"].clone()
    }),
];
static BINDINGS: &[Column] = &[
    NAME,
    text("Role", |o, _| {
        let role = &o["roleRef"];
        format!(
            "{}/{}",
            role["kind"].as_str().unwrap_or(""),
            role["name"].as_str().unwrap_or("")
        )
        .into()
    }),
    AGE,
];

/// The columns of a kind.
pub fn columns_of(kind: &Kind) -> &'static [Column] {
    match kind.kind {
        "Pod" => PODS,
        "Deployment" => DEPLOYMENTS,
        "ReplicaSet" => REPLICA_SETS,
        "StatefulSet" => STATEFUL_SETS,
        "DaemonSet" => DAEMON_SETS,
        "Service" => SERVICES,
        "Namespace" => NAMESPACES,
        "Node" => NODES,
        "ConfigMap" => CONFIG_MAPS,
        "Secret" => SECRETS,
        "ServiceAccount" => SERVICE_ACCOUNTS,
        "Event" => EVENTS,
        "EndpointSlice" => SLICES,
        "Job" => JOBS,
        "PersistentVolumeClaim" => CLAIMS,
        "Ingress" => INGRESSES,
        "Role" | "ClusterRole" | "CustomResourceDefinition" => ROLES,
        "RoleBinding" | "ClusterRoleBinding" => BINDINGS,
        _ => PLAIN,
    }
}

fn count(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

fn or_none(value: &Value) -> Value {
    match value.as_str() {
        None | Some("") => "<none>".into(),
        Some(text) => text.into(),
    }
}

fn or_unknown(value: &Value) -> Value {
    match value.as_str() {
        None | Some("") => "<unknown>".into(),
        Some(text) => text.into(),
    }
}

fn join(list: &Value, field: &str) -> Value {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item[field].as_str())
        .collect::<Vec<_>>()
        .join(",")
        .into()
}

fn labels(labels: &Value) -> Value {
    let all: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    if all.is_empty() {
        "<none>".into()
    } else {
        all.join(",").into()
    }
}

/// The first three, and how many more.
fn shortened(all: &[&str]) -> Value {
    match all.len() {
        0 => "<unset>".into(),
        1..=3 => all.join(",").into(),
        more => format!("{} + {} more...", all[..3].join(","), more - 3).into(),
    }
}

fn has_condition(object: &Value, ty: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == ty && c["status"] == "True")
}

fn external_ip(service: &Value) -> Value {
    let spec = &service["spec"];
    let listed: Vec<&str> = spec["externalIPs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match spec["type"].as_str() {
        Some("ExternalName") => spec["externalName"].clone(),
        Some("LoadBalancer") => {
            let ingress = service["status"]["loadBalancer"]["ingress"].as_array();
            let mut all: Vec<&str> = ingress
                .into_iter()
                .flatten()
                .filter_map(|i| i["ip"].as_str().or_else(|| i["hostname"].as_str()))
                .collect();
            all.extend(listed);
            if all.is_empty() {
                "<pending>".into()
            } else {
                all.join(",").into()
            }
        }
        _ if listed.is_empty() => "<none>".into(),
        _ => listed.join(",").into(),
    }
}

fn ports(service: &Value) -> Value {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let all: Vec<String> = ports
        .map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            match port["nodePort"].as_i64() {
                Some(node) => format!("{}:{node}/{protocol}", port["port"]),
                None => format!("{}/{protocol}", port["port"]),
            }
        })
        .collect();
    if all.is_empty() {
        "<none>".into()
    } else {
        all.join(",").into()
    }
}

fn node_status(node: &Value) -> Value {
    let ready = node["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|c| c["type"] == "Ready");
    let mut words = vec![match ready.map(|c| c["status"] == "True") {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }];
    if node["spec"]["unschedulable"] == true {
        words.push("SchedulingDisabled");
    }
    words.join(",").into()
}

fn node_roles(node: &Value) -> Value {
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    let roles: Vec<&str> = labels
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    if roles.is_empty() {
        "<none>".into()
    } else {
        roles.join(",").into()
    }
}

fn address(node: &Value, ty: &str) -> Value {
    let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    addresses
        .into_iter()
        .find(|a| a["type"] == ty)
        .map_or("<none>".into(), |a| a["address"].clone())
}

fn event_time(event: &Value) -> &Value {
    let candidates = [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
    ];
    candidates
        .into_iter()
        .find(|time| !time.is_null())
        .unwrap_or(&event["metadata"]["creationTimestamp"])
}

/// How long ago, in the short form.
pub fn age(since: &Value, now: Timestamp) -> String {
    let Some(since) = since
        .as_str()
        .and_then(|text| text.parse::<Timestamp>().ok())
    else {
        return "<unknown>".to_owned();
    };
    short_duration(now.as_second() - since.as_second())
}

/// `45s`, `3m12s`, `5h`, `12d`: two units at most, the second only while it matters.
pub fn short_duration(seconds: i64) -> String {
    let two = |big: i64, unit: char, small: i64, small_unit: char| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{small_unit}")
        }
    };
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        () if hours < 3 => format!("{minutes}m"),
        () if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, 'd', hours % 24, 'h'),
        () if days < 365 * 2 => format!("{days}d"),
        () if days < 365 * 8 => two(days / 365, 'y', days % 365, 'd'),
        () => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_kubectls() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (192, "3m12s"),
            (601, "10m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (90_000, "25h"),
            (200_000, "2d7h"),
            (864_000, "10d"),
        ] {
            assert_eq!(short_duration(seconds), text);
        }
    }
}
