//! Defaults of pods, their containers, probes and volumes.

use serde_json::{Map, Value, json};

use super::{inner, set, set_text};

/// Fills in a pod spec, wherever it stands.
pub fn spec(spec: &mut Map<String, Value>) {
    set_text(spec, "restartPolicy", "Always");
    set_text(spec, "dnsPolicy", "ClusterFirst");
    set_text(spec, "schedulerName", "default-scheduler");
    set(Some(spec), "terminationGracePeriodSeconds", json!(30));
    inner(spec, "securityContext");
    // The two names of one field.
    for (from, to) in [
        ("serviceAccountName", "serviceAccount"),
        ("serviceAccount", "serviceAccountName"),
    ] {
        if let Some(name) = spec
            .get(from)
            .and_then(Value::as_str)
            .filter(|n| !n.is_empty())
            .map(str::to_owned)
        {
            set_text(spec, to, &name);
        }
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(fields) = container.as_object_mut() {
                self::container(fields);
            }
        }
    }
    for volume in spec
        .get_mut("volumes")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(fields) = volume.as_object_mut() {
            self::volume(fields);
        }
    }
}

/// A limit without a request is also the request; only real pods get this, templates do not.
pub fn requests_from_limits(spec: &mut Map<String, Value>) {
    for list in ["initContainers", "containers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let Some(limits) = container["resources"]["limits"].as_object().cloned() else {
                continue;
            };
            let Some(resources) = container["resources"].as_object_mut() else {
                continue;
            };
            let requests = inner(resources, "requests");
            if let Some(requests) = requests {
                for (name, quantity) in limits {
                    requests.entry(name).or_insert(quantity);
                }
            }
        }
    }
}

fn container(fields: &mut Map<String, Value>) {
    let image = fields
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned();
    set_text(fields, "imagePullPolicy", pull_policy(&image));
    set_text(fields, "terminationMessagePath", "/dev/termination-log");
    set_text(fields, "terminationMessagePolicy", "File");
    inner(fields, "resources");
    for port in fields
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(port) = port.as_object_mut() {
            set_text(port, "protocol", "TCP");
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = fields.get_mut(probe).and_then(Value::as_object_mut) {
            self::probe(probe);
        }
    }
    for hook in ["postStart", "preStop"] {
        if let Some(get) = fields
            .get_mut("lifecycle")
            .and_then(|l| l.get_mut(hook))
            .and_then(|h| h.get_mut("httpGet"))
            .and_then(Value::as_object_mut)
        {
            http_get(get);
        }
    }
    for variable in fields
        .get_mut("env")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(field) = variable
            .get_mut("valueFrom")
            .and_then(|v| v.get_mut("fieldRef"))
            .and_then(Value::as_object_mut)
        {
            set_text(field, "apiVersion", "v1");
        }
    }
}

/// `latest` is pulled always, anything that names a version only when it is missing.
fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

fn probe(fields: &mut Map<String, Value>) {
    for (name, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        if fields.get(name).and_then(Value::as_i64).unwrap_or(0) == 0 {
            fields.insert(name.to_owned(), value.into());
        }
    }
    if let Some(get) = fields.get_mut("httpGet").and_then(Value::as_object_mut) {
        http_get(get);
    }
    if let Some(grpc) = fields.get_mut("grpc").and_then(Value::as_object_mut) {
        set(Some(grpc), "service", json!(""));
    }
}

fn http_get(fields: &mut Map<String, Value>) {
    set_text(fields, "path", "/");
    set_text(fields, "scheme", "HTTP");
}

fn volume(fields: &mut Map<String, Value>) {
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = fields.get_mut(source).and_then(Value::as_object_mut) {
            set(Some(source), "defaultMode", json!(420));
        }
    }
    if let Some(host) = fields.get_mut("hostPath").and_then(Value::as_object_mut) {
        set(Some(host), "type", json!(""));
    }
    let sources = fields.keys().filter(|key| *key != "name").count();
    if sources == 0 {
        fields.insert("emptyDir".into(), json!({}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pull_policy_follows_the_tag() {
        for (image, policy) in [
            ("web", "Always"),
            ("web:latest", "Always"),
            ("host:5000/web", "Always"),
            ("host:5000/web:1", "IfNotPresent"),
            ("web@sha256:00", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }

    #[test]
    fn filling_in_twice_changes_nothing_more() {
        let mut pod = json!({"containers": [{"name": "a", "image": "x:1", "livenessProbe": {"httpGet": {"port": 1}}}], "volumes": [{"name": "v"}]});
        let fields = pod.as_object_mut().expect("an object");
        spec(fields);
        let once = fields.clone();
        spec(fields);
        assert_eq!(*fields, once);
        assert_eq!(
            once["containers"][0]["livenessProbe"]["failureThreshold"],
            3
        );
        assert_eq!(once["volumes"][0]["emptyDir"], json!({}));
    }
}
