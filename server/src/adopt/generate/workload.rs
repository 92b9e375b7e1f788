//! A component's Deployment and Service, for manifests and for a chart's template alike.

use app::model::{ComponentName, Draft, DraftComponent, Namespace, Setting};

use super::resources;
use crate::adopt::dockerfiles::User;
use crate::adopt::stack::{Kind, NodeStart};
use crate::adopt::toml_file::parts;

/// A component of which everything is known that its objects need.
#[derive(Clone, Debug)]
pub struct Unit {
    pub name: String,
    pub project: String,
    pub namespace: String,
    pub image: String,
    pub port: u16,
    pub service_type: String,
    /// CPU, memory, and the most memory.
    pub resources: (&'static str, &'static str, &'static str),
    pub secret: String,
    startup: String,
    liveness: String,
    readiness: String,
    user: User,
    settings: Vec<Setting>,
    /// Key, and whether the pods start without it.
    keys: Vec<(String, bool)>,
}

/// What differs between a manifest and a template.
struct Slots<'a> {
    namespace: &'a str,
    replicas: &'a str,
    image: &'a str,
    pull_policy: &'a str,
    resources: String,
    service_type: &'a str,
    service_port: &'a str,
    secret: &'a str,
}

impl Unit {
    /// None while its name, its port or the project's names are not valid: nothing is written then.
    pub fn new(draft: &Draft, at: usize, kind: Option<&Kind>, user: User) -> Option<Self> {
        let component: &DraftComponent = draft.components.get(at)?;
        let value = |guess: &app::model::Guess| guess.value.trim().to_owned();
        let name: ComponentName = component.name.value.trim().parse().ok()?;
        let project: ComponentName = draft.name.value.trim().parse().ok()?;
        let namespace = match value(&draft.namespace) {
            empty if empty.is_empty() => project.to_string(),
            namespace => namespace.parse::<Namespace>().ok()?.to_string(),
        };
        let secret = match value(&draft.secret) {
            empty if empty.is_empty() => format!("{project}-secrets"),
            secret => secret.parse::<ComponentName>().ok()?.to_string(),
        };
        let port: u16 = component
            .port
            .value
            .trim()
            .parse()
            .ok()
            .filter(|port| *port > 0)?;
        let image = match value(&component.image) {
            empty if empty.is_empty() => format!("{project}-{name}"),
            image => image,
        };
        let is_path = |path: &String| path.starts_with('/') && !path.contains(char::is_whitespace);
        let path = |guess| Some(value(guess)).filter(is_path).unwrap_or_default();
        let keys = draft
            .secrets
            .iter()
            .filter(|secret| secret.taken)
            .filter(|secret| {
                let mut listed = parts(&secret.components.value).peekable();
                listed.peek().is_none() || listed.any(|one| one == name.as_str())
            })
            .filter(|secret| secret.key.value.parse::<app::model::SecretKey>().is_ok())
            .map(|secret| (value(&secret.key), value(&secret.optional) == "yes"))
            .collect();
        let mut settings = vec![Setting {
            name: "PORT".to_owned(),
            value: port.to_string(),
        }];
        if let Some(Kind::Node(node)) = kind
            && matches!(node.start, NodeStart::Next { .. })
        {
            // The runtime puts the pod's name there, and Next.js would listen on that alone.
            settings.push(Setting {
                name: "HOSTNAME".to_owned(),
                value: "0.0.0.0".to_owned(),
            });
        }
        for setting in &component.settings {
            let is_known = settings.iter().any(|known| known.name == setting.name);
            if !is_known && setting.name.parse::<app::model::SecretKey>().is_ok() {
                settings.push(setting.clone());
            }
        }
        Some(Self {
            startup: path(&component.startup),
            liveness: path(&component.liveness),
            readiness: path(&component.readiness),
            service_type: match component.expose.value.trim() {
                kind @ ("NodePort" | "LoadBalancer") => kind.to_owned(),
                _ => "ClusterIP".to_owned(),
            },
            resources: resources(kind),
            name: name.to_string(),
            project: project.to_string(),
            namespace,
            image,
            port,
            secret,
            user,
            settings,
            keys,
        })
    }

    /// As a manifest.
    pub fn manifest(&self) -> String {
        let (cpu, memory, most) = self.resources;
        let port = self.port.to_string();
        self.objects(&Slots {
            namespace: &self.namespace,
            replicas: "1",
            image: &format!("{}:dev", self.image),
            pull_policy: "Never",
            resources: format!(
                "resources:\n            requests:\n              cpu: {cpu}\n              memory: {memory}\n            limits:\n              memory: {most}"
            ),
            service_type: &self.service_type,
            service_port: &port,
            secret: &self.secret,
        })
    }

    /// As a template of a chart whose values have a mapping of the component's name.
    pub fn template(&self) -> String {
        let objects = self.objects(&Slots {
            namespace: "{{ .Release.Namespace }}",
            replicas: "{{ $own.replicas }}",
            image: "\"{{ $own.image.repository }}:{{ $own.image.tag }}\"",
            pull_policy: "{{ $own.image.pullPolicy }}",
            resources: "resources:\n            {{- toYaml $own.resources | nindent 12 }}"
                .to_owned(),
            service_type: "{{ $own.service.type }}",
            service_port: "{{ $own.service.port }}",
            secret: "{{ .Values.existingSecret }}",
        });
        format!(
            "{{{{- $own := index .Values \"{}\" -}}}}\n{objects}",
            self.name
        )
    }

    fn objects(&self, slots: &Slots<'_>) -> String {
        let Self {
            name,
            project,
            port,
            ..
        } = self;
        let labels = |indent: usize| {
            let space = " ".repeat(indent);
            format!(
                "{space}app.kubernetes.io/name: {name}\n{space}app.kubernetes.io/part-of: {project}"
            )
        };
        format!(
            "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  labels:
{labels4}
spec:
  replicas: {replicas}
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 180
  selector:
    matchLabels:
{labels6}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  template:
    metadata:
      labels:
{labels8}
    spec:
      automountServiceAccountToken: false
{pod_security}      containers:
        - name: {name}
          # Slipway puts the image it has proved to be in the cluster in this place.
          image: {image}
          imagePullPolicy: {pull_policy}
          ports:
            - name: http
              containerPort: {port}
          env:
{env}{startup}{liveness}{readiness}          {resources}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities:
              drop: [\"ALL\"]
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
  labels:
{labels4}
spec:
  type: {service_type}
  selector:
{labels4}
  ports:
    - name: http
      port: {service_port}
      targetPort: http
",
            namespace = slots.namespace,
            replicas = slots.replicas,
            image = slots.image,
            pull_policy = slots.pull_policy,
            resources = slots.resources,
            service_type = slots.service_type,
            service_port = slots.service_port,
            labels4 = labels(4),
            labels6 = labels(6),
            labels8 = labels(8),
            pod_security = self.pod_security(),
            env = self.env(slots.secret),
            startup = probe(
                "startupProbe",
                first_of(&[&self.startup, &self.liveness, &self.readiness]),
                "periodSeconds: 2",
                30
            ),
            liveness = probe("livenessProbe", &self.liveness, "periodSeconds: 10", 3),
            readiness = probe(
                "readinessProbe",
                first_of(&[&self.readiness, &self.liveness]),
                "periodSeconds: 5",
                2
            ),
        )
    }

    fn env(&self, secret: &str) -> String {
        let mut out = String::new();
        for Setting { name, value } in &self.settings {
            let value = serde_json::Value::String(value.clone());
            out.push_str(&format!(
                "            - name: {name}\n              value: {value}\n"
            ));
        }
        for (key, optional) in &self.keys {
            out.push_str(&format!(
                "            - name: {key}\n              valueFrom:\n                secretKeyRef:\n                  name: {secret}\n                  key: {key}\n"
            ));
            if *optional {
                out.push_str("                  optional: true\n");
            }
        }
        out
    }

    /// Only what the image can live with: an image made for root would not start otherwise.
    fn pod_security(&self) -> String {
        let user = match self.user {
            User::Unknown => {
                return "      # Its Dockerfile does not say that it runs as another user than root. Once it does\n      # (USER 10001:10001), add here: securityContext: { runAsNonRoot: true }\n      securityContext:\n        seccompProfile:\n          type: RuntimeDefault\n".to_owned();
            }
            User::Number => String::new(),
            User::Known(number) => format!("        runAsUser: {number}\n"),
        };
        format!(
            "      securityContext:\n        runAsNonRoot: true\n{user}        seccompProfile:\n          type: RuntimeDefault\n"
        )
    }
}

fn first_of<'a>(paths: &[&'a String]) -> &'a str {
    paths
        .iter()
        .find(|path| !path.is_empty())
        .map_or("", |path| path.as_str())
}

/// By HTTP where there is a path, else by whether the port is open.
fn probe(name: &str, path: &str, period: &str, failures: u32) -> String {
    let asks = match path {
        "" => "            tcpSocket:\n              port: http".to_owned(),
        path => format!(
            "            httpGet:\n              path: {}\n              port: http",
            serde_json::Value::String(path.to_owned())
        ),
    };
    format!(
        "          {name}:\n{asks}\n            {period}\n            timeoutSeconds: 2\n            failureThreshold: {failures}\n"
    )
}
