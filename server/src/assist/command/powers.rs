//! What a changed object could do that it could not before: run other programs, read other Secrets,
//! touch the node, act with other rights, be reached from elsewhere. Told from the objects as the API
//! server would have them, whatever the command looked like.

use std::collections::BTreeSet;

use serde_json::Value;

/// A power that is gained, or a protection that is lost, in words that fit after "it would".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gain(pub String);

impl std::fmt::Display for Gain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What `after` can and `before` cannot. `Null` for an object that is not there.
pub fn gained(before: &Value, after: &Value) -> Vec<Gain> {
    if after.is_null() {
        return Vec::new();
    }
    let (had, has) = (powers(before), powers(after));
    let (was, is) = (protections(before), protections(after));
    let mut gained: BTreeSet<Gain> = has.difference(&had).cloned().map(Gain).collect();
    // Of a container that goes nothing is lost.
    gained.extend(
        was.difference(&is)
            .filter(|(container, _)| container_names(after).contains(container))
            .map(|(container, what)| Gain(format!("take {what} from container {container}"))),
    );
    gained.into_iter().collect()
}

fn pod_spec(object: &Value) -> &Value {
    match object["kind"].as_str() {
        Some("Pod") => &object["spec"],
        Some("CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        _ => &object["spec"]["template"]["spec"],
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|which| list(&spec[which]))
}

fn container_names(object: &Value) -> BTreeSet<String> {
    containers(pod_spec(object))
        .map(|container| text(&container["name"]))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn powers(object: &Value) -> BTreeSet<String> {
    let mut powers = BTreeSet::new();
    let mut add = |power: String| {
        powers.insert(power);
    };
    if object["kind"] == "Service" {
        let spec = &object["spec"];
        match spec["type"].as_str() {
            None | Some("ClusterIP") => {}
            Some(kind) => add(format!("open the Service to others, as {kind}")),
        }
        for address in list(&spec["externalIPs"]) {
            add(format!("take over the address {}", text(address)));
        }
        return powers;
    }
    let spec = pod_spec(object);
    for switch in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
        if spec[switch] == true {
            add(format!(
                "share with the node or among containers ({switch})"
            ));
        }
    }
    for field in ["serviceAccountName", "serviceAccount"] {
        match spec[field].as_str() {
            None | Some("default" | "") => {}
            Some(account) => add(format!(
                "act with the rights of the ServiceAccount {account}"
            )),
        }
    }
    if spec["automountServiceAccountToken"] == true {
        add("give the pod a token for the API server".to_owned());
    }
    for volume in list(&spec["volumes"]) {
        let name = text(&volume["name"]);
        for (kind, source) in volume.as_object().into_iter().flatten() {
            match kind.as_str() {
                "name" | "emptyDir" | "configMap" | "downwardAPI" => {}
                "secret" => add(format!("read the Secret {}", text(&source["secretName"]))),
                "hostPath" => add(format!("reach the node's folder {}", text(&source["path"]))),
                kind => add(format!("mount a {kind} as {name}: {source}")),
            }
        }
    }
    for container in containers(spec) {
        of_container(container, &mut add);
    }
    powers
}

fn of_container(container: &Value, add: &mut impl FnMut(String)) {
    let name = text(&container["name"]);
    add(format!("run the container {name}"));
    for field in ["command", "args", "lifecycle"] {
        if !container[field].is_null() {
            add(format!(
                "run in container {name} by {field}: {}",
                container[field]
            ));
        }
    }
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let exec = &container[probe]["exec"];
        if !exec.is_null() {
            add(format!(
                "run in container {name} by its {probe}: {}",
                exec["command"]
            ));
        }
        for way in ["httpGet", "tcpSocket"] {
            let host = &container[probe][way]["host"];
            if !host.is_null() {
                add(format!("let the node call {}", text(host)));
            }
        }
    }
    for variable in list(&container["env"]) {
        let secret = &variable["valueFrom"]["secretKeyRef"];
        if !secret.is_null() {
            let (key, of) = (text(&secret["key"]), text(&secret["name"]));
            let variable = text(&variable["name"]);
            add(format!(
                "hand {key} of the Secret {of} to container {name} as {variable}"
            ));
        }
    }
    for source in list(&container["envFrom"]) {
        let secret = &source["secretRef"]["name"];
        if !secret.is_null() {
            add(format!(
                "hand the whole Secret {} to container {name}",
                text(secret)
            ));
        }
    }
    let security = &container["securityContext"];
    for switch in ["privileged", "allowPrivilegeEscalation"] {
        if security[switch] == true {
            add(format!(
                "give container {name} more than a program needs ({switch})"
            ));
        }
    }
    for capability in list(&security["capabilities"]["add"]) {
        add(format!(
            "give container {name} the capability {}",
            text(capability)
        ));
    }
    if security["runAsUser"] == 0 {
        add(format!("run container {name} as root"));
    }
    for port in list(&container["ports"]) {
        if !port["hostPort"].is_null() {
            add(format!("open port {} of the node", port["hostPort"]));
        }
    }
}

/// What holds each container back, by its name.
fn protections(object: &Value) -> BTreeSet<(String, String)> {
    let spec = pod_spec(object);
    let whole = &spec["securityContext"];
    let mut held = BTreeSet::new();
    for container in containers(spec) {
        let name = text(&container["name"]);
        let own = &container["securityContext"];
        for switch in ["runAsNonRoot", "readOnlyRootFilesystem"] {
            let value = if own[switch].is_null() {
                &whole[switch]
            } else {
                &own[switch]
            };
            if *value == true {
                held.insert((name.clone(), switch.to_owned()));
            }
        }
        for profile in ["seccompProfile", "appArmorProfile"] {
            let value = if own[profile].is_null() {
                &whole[profile]
            } else {
                &own[profile]
            };
            match value["type"].as_str() {
                None | Some("Unconfined") => {}
                Some(_) => {
                    held.insert((name.clone(), profile.to_owned()));
                }
            }
        }
        for dropped in list(&own["capabilities"]["drop"]) {
            held.insert((name.clone(), format!("the dropping of {}", text(dropped))));
        }
        if own["allowPrivilegeEscalation"] == false {
            held.insert((name.clone(), "allowPrivilegeEscalation: false".to_owned()));
        }
    }
    held
}
