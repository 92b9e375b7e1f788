//! What can be broken on a practice cluster, and the one code that has to come of it. Every case is a
//! component of its own, so that all of them are broken, seen and healed together.

use serde_json::{Value, json};

/// The node of pods that no kubelet looks after: their status is the test's to write.
pub const GHOST: &str = "ghost";

pub struct Case {
    /// The component's name.
    pub name: &'static str,
    pub code: &'static str,
    pub fault: Fault,
    /// What the Deployment needs beyond being as it was.
    pub healed: fn(&mut Value),
}

impl Case {
    pub fn is_refused(&self) -> bool {
        matches!(self.fault, Fault::Refused(_))
    }

    /// The finding it has to bring.
    pub fn key(&self) -> String {
        match self.name {
            "unread" => format!("{}/secret/UNREAD", self.code),
            name => format!("{}/component/{name}", self.code),
        }
    }
}

pub enum Fault {
    /// The Deployment is applied with this change.
    Deployment(fn(&mut Value)),
    Service(fn(&mut Value)),
    NoService,
    NoDeployment,
    /// Its pods are refused, in these words of an API server that has more reasons to refuse them.
    Refused(&'static str),
    /// The pod goes to the ghost node, and gets this status and this event.
    Ghost {
        deployment: fn(&mut Value),
        status: fn() -> Value,
        event: Option<(&'static str, &'static str)>,
    },
}

fn container(deployment: &mut Value) -> &mut Value {
    &mut pod(deployment)["containers"][0]
}

fn pod(deployment: &mut Value) -> &mut Value {
    &mut deployment["spec"]["template"]["spec"]
}

fn nothing(_: &mut Value) {}

pub fn with_missing_account(it: &mut Value) {
    pod(it)["serviceAccountName"] = json!("robot");
}

/// Leaving the name out would not do: the field has two names, and the other one stays.
fn with_default_account(it: &mut Value) {
    pod(it)["serviceAccountName"] = json!("default");
}

/// It prints this and ends.
macro_rules! ends_saying {
    ($text:literal) => {
        Fault::Deployment(|it| {
            container(it)["env"] = json!([{"name": "SAY", "value": $text}, {"name": "END", "value": "1"}]);
        })
    };
}

macro_rules! probe {
    ($probe:tt) => {
        Fault::Deployment(|it| container(it)["readinessProbe"] = probe_of(json!($probe)))
    };
}

fn probe_of(mut probe: Value) -> Value {
    probe["periodSeconds"] = json!(2);
    probe["failureThreshold"] = json!(2);
    // On a busy machine a well program may take its time.
    if probe["timeoutSeconds"].is_null() {
        probe["timeoutSeconds"] = json!(10);
    }
    probe
}

macro_rules! waits {
    ($reason:literal, $message:literal) => {
        Fault::Ghost {
            deployment: nothing,
            status: || waiting($reason, $message),
            event: None,
        }
    };
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({
        "phase": "Pending",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{
            "name": "app", "image": "x", "imageID": "", "ready": false, "started": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": message}}}]
    })
}

fn running(ready: bool) -> Value {
    let word = if ready { "True" } else { "False" };
    json!({
        "phase": "Running",
        "podIP": "127.93.5.7", "podIPs": [{"ip": "127.93.5.7"}],
        "conditions": [{"type": "Ready", "status": word}],
        "containerStatuses": [{
            "name": "app", "image": "x", "imageID": "", "ready": ready, "started": true, "restartCount": 0,
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]
    })
}

fn restarted_often() -> Value {
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let mut status = running(true);
    status["containerStatuses"][0]["restartCount"] = json!(6);
    status["containerStatuses"][0]["lastState"] =
        json!({"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": now}});
    status
}

pub fn all() -> Vec<Case> {
    let case = |name, code, fault| Case {
        name,
        code,
        fault,
        healed: nothing,
    };
    let refused = |name, code, words| Case {
        healed: with_default_account,
        ..case(name, code, Fault::Refused(words))
    };
    vec![
        refused(
            "insecure",
            "POD_SECURITY_REFUSES",
            "pods \"insecure-1\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"app\" must set securityContext.allowPrivilegeEscalation=false)",
        ),
        refused(
            "hooked",
            "WEBHOOK_DENIES",
            "admission webhook \"validate.policy.example\" denied the request: images must come from the company's registry",
        ),
        refused(
            "unwanted",
            "QUOTA_OR_ADMISSION",
            "pods \"unwanted-1\" is forbidden: no PriorityClass with name gold was found",
        ),
        case(
            "never-pull",
            "IMAGE_NEVER_PULL",
            Fault::Deployment(|it| {
                container(it)["image"] = json!("t-app:nowhere");
            }),
        ),
        case(
            "pull",
            "IMAGE_PULL_FAILED",
            Fault::Deployment(|it| {
                container(it)["imagePullPolicy"] = json!("Always");
            }),
        ),
        case(
            "pull-name",
            "IMAGE_NAME_INVALID",
            waits!(
                "InvalidImageName",
                "Failed to apply default image tag \"X:\": couldn't parse image name \"X:\": invalid reference format"
            ),
        ),
        case(
            "pull-nowhere",
            "IMAGE_NOT_FOUND",
            waits!(
                "ErrImagePull",
                "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/x:1\": failed to resolve reference \"docker.io/library/x:1\": docker.io/library/x:1: not found"
            ),
        ),
        case(
            "pull-login",
            "REGISTRY_REFUSES",
            waits!(
                "ImagePullBackOff",
                "Back-off pulling image \"x\": ErrImagePull: pull access denied, repository does not exist or may require authorization"
            ),
        ),
        case(
            "pull-limit",
            "REGISTRY_LIMIT",
            waits!(
                "ErrImagePull",
                "toomanyrequests: You have reached your unauthenticated pull rate limit"
            ),
        ),
        case(
            "pull-offline",
            "REGISTRY_UNREACHABLE",
            waits!(
                "ErrImagePull",
                "Head \"https://registry.example/v2/\": dial tcp: lookup registry.example: no such host"
            ),
        ),
        case(
            "secret-key",
            "SECRET_KEY_MISSING",
            Fault::Deployment(|it| {
                container(it)["env"] = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "t-secrets", "key": "NOPE"}}}]);
            }),
        ),
        case(
            "secret-object",
            "SECRET_OBJECT_MISSING",
            Fault::Deployment(|it| {
                container(it)["env"] = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "nobody", "key": "NOPE"}}}]);
            }),
        ),
        case(
            "secret-volume",
            "SECRET_OBJECT_MISSING",
            Fault::Deployment(|it| {
                pod(it)["volumes"] = json!([{"name": "v", "secret": {"secretName": "nobody"}}]);
            }),
        ),
        case(
            "config-map",
            "CONFIGMAP_MISSING",
            Fault::Deployment(|it| {
                container(it)["envFrom"] = json!([{"configMapRef": {"name": "nobody"}}]);
            }),
        ),
        case(
            "config-volume",
            "CONFIGMAP_MISSING",
            Fault::Deployment(|it| {
                pod(it)["volumes"] = json!([{"name": "v", "configMap": {"name": "nobody"}}]);
            }),
        ),
        case(
            "config-key",
            "CONFIGMAP_KEY_MISSING",
            Fault::Deployment(|it| {
                container(it)["env"] = json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "things", "key": "NOPE"}}}]);
            }),
        ),
        case(
            "config-item",
            "CONFIGMAP_KEY_MISSING",
            Fault::Deployment(|it| {
                pod(it)["volumes"] = json!([{"name": "v", "configMap": {"name": "things", "items": [{"key": "NOPE", "path": "x"}]}}]);
            }),
        ),
        case(
            "root",
            "RUNS_AS_ROOT",
            Fault::Deployment(|it| {
                container(it)["securityContext"] = json!({"runAsNonRoot": true, "runAsUser": 0});
            }),
        ),
        case(
            "create",
            "CONTAINER_CONFIG",
            waits!(
                "CreateContainerError",
                "context deadline exceeded while the runtime reserved the name"
            ),
        ),
        case(
            "claim",
            "CLAIM_NOT_BOUND",
            Fault::Deployment(|it| {
                pod(it)["volumes"] =
                    json!([{"name": "v", "persistentVolumeClaim": {"claimName": "nobody"}}]);
            }),
        ),
        case(
            "mount",
            "VOLUME_NOT_MOUNTED",
            Fault::Ghost {
                deployment: nothing,
                status: || waiting("ContainerCreating", ""),
                event: Some((
                    "FailedMount",
                    "MountVolume.SetUp failed for volume \"v\" : mount failed: exit status 32",
                )),
            },
        ),
        case(
            "sandbox",
            "POD_SANDBOX_FAILED",
            Fault::Ghost {
                deployment: nothing,
                status: || waiting("ContainerCreating", ""),
                event: Some((
                    "FailedCreatePodSandBox",
                    "Failed to create pod sandbox: plugin type=\"bridge\" failed (add): no addresses left",
                )),
            },
        ),
        case(
            "no-program",
            "PROGRAM_NOT_FOUND",
            Fault::Deployment(|it| {
                container(it)["command"] = json!(["/nothing/here"]);
            }),
        ),
        case(
            "no-permission",
            "PROGRAM_NOT_EXECUTABLE",
            Fault::Deployment(|it| {
                pod(it)["volumes"] = json!([{"name": "v", "configMap": {"name": "things"}}]);
                container(it)["volumeMounts"] = json!([{"name": "v", "mountPath": "/things"}]);
                container(it)["command"] = json!(["/things/garbage"]);
            }),
        ),
        case(
            "no-binary",
            "IMAGE_WRONG_PLATFORM",
            ends_saying!("exec /app/program: exec format error"),
        ),
        case(
            "memory",
            "OOM_KILLED",
            Fault::Deployment(|it| {
                container(it)["env"] = json!([{"name": "TAKE", "value": "200"}]);
                container(it)["resources"] = json!({"limits": {"memory": "40Mi"}});
            }),
        ),
        case(
            "init",
            "INIT_CONTAINER_FAILS",
            Fault::Deployment(|it| {
                let image = container(it)["image"].clone();
                pod(it)["initContainers"] = json!([{"name": "migrate", "image": image, "imagePullPolicy": "Never",
                "env": [{"name": "SAY", "value": "relation \"todos\" does not exist"}, {"name": "END", "value": "1"}]}]);
            }),
        ),
        case(
            "no-host",
            "DEPENDENCY_NOT_FOUND",
            ends_saying!(
                "could not translate host name \"db\" to address: Name or service not known"
            ),
        ),
        case(
            "no-answer",
            "DEPENDENCY_UNREACHABLE",
            ends_saying!("Error: connect ECONNREFUSED 10.0.0.9:5432"),
        ),
        case(
            "certificate",
            "CERTIFICATE_REFUSED",
            ends_saying!("SSL: certificate verify failed: self-signed certificate in chain"),
        ),
        case(
            "password",
            "CREDENTIALS_REFUSED",
            ends_saying!("FATAL: password authentication failed for user \"todo\""),
        ),
        case(
            "schema",
            "DATABASE_NOT_PREPARED",
            ends_saying!("ERROR: relation \"todos\" does not exist"),
        ),
        case(
            "setting",
            "SETTING_MISSING",
            ends_saying!("error: AUTH_SECRET is not set"),
        ),
        case(
            "library",
            "LIBRARY_MISSING",
            ends_saying!("ModuleNotFoundError: No module named 'fastapi'"),
        ),
        case(
            "port",
            "PORT_TAKEN",
            ends_saying!("OSError: [Errno 98] Address already in use"),
        ),
        case(
            "low-port",
            "PORT_NOT_ALLOWED",
            ends_saying!("listen tcp :80: bind: permission denied"),
        ),
        case(
            "read-only",
            "FILE_NOT_WRITABLE",
            ends_saying!("OSError: [Errno 30] Read-only file system: '/cache'"),
        ),
        case(
            "full",
            "STORAGE_FULL",
            ends_saying!("write /data/x: no space left on device"),
        ),
        case(
            "crash",
            "CRASH_LOOP",
            ends_saying!("thread 'main' panicked at src/main.rs:3"),
        ),
        case(
            "ends",
            "PROGRAM_ENDS",
            Fault::Deployment(|it| {
                container(it)["env"] = json!([{"name": "END", "value": "0"}]);
            }),
        ),
        case(
            "probe-port",
            "PROBE_WRONG_PORT",
            probe!({"httpGet": {"path": "/ready", "port": 9999}}),
        ),
        case(
            "probe-path",
            "PROBE_WRONG_PATH",
            probe!({"httpGet": {"path": "/status/404", "port": 8000}}),
        ),
        case(
            "probe-login",
            "PROBE_NEEDS_LOGIN",
            probe!({"httpGet": {"path": "/status/401", "port": 8000}}),
        ),
        case(
            "probe-slow",
            "PROBE_TIMEOUT",
            probe!({"httpGet": {"path": "/slow", "port": 8000}, "timeoutSeconds": 1}),
        ),
        case(
            "probe-error",
            "PROBE_FAILING",
            probe!({"httpGet": {"path": "/status/500", "port": 8000}}),
        ),
        case(
            "probe-exec",
            "PROBE_COMMAND_FAILS",
            probe!({"exec": {"command": ["/nothing/here"]}}),
        ),
        case(
            "probe-refused",
            "PROBE_NOTHING_LISTENS",
            Fault::Deployment(|it| {
                container(it)["args"] = json!(["8001"]);
            }),
        ),
        case(
            "probe-scheme",
            "PROBE_WRONG_SCHEME",
            Fault::Ghost {
                deployment: nothing,
                status: || running(false),
                event: Some((
                    "Unhealthy",
                    "Readiness probe failed: Get \"https://10.0.0.1:8000/ready\": http: server gave HTTP response to HTTPS client",
                )),
            },
        ),
        case(
            "waits-for-db",
            "DEPENDENCY_UNREACHABLE",
            Fault::Deployment(|it| {
                container(it)["readinessProbe"] =
                    probe_of(json!({"httpGet": {"path": "/status/503", "port": 8000}}));
                container(it)["env"] =
                    json!([{"name": "SAY", "value": "pool: connection refused by 10.0.0.9:5432"}]);
            }),
        ),
        case(
            "two-opinions",
            "PROBE_DISAGREES",
            Fault::Ghost {
                deployment: nothing,
                status: || running(true),
                event: None,
            },
        ),
        case(
            "often",
            "RESTARTS_OFTEN",
            Fault::Ghost {
                deployment: |it| container(it)["readinessProbe"] = Value::Null,
                status: restarted_often,
                event: None,
            },
        ),
        case(
            "evicted",
            "POD_EVICTED",
            Fault::Ghost {
                deployment: nothing,
                status: || json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
                event: None,
            },
        ),
        Case {
            healed: with_default_account,
            ..case(
                "account",
                "SERVICE_ACCOUNT_MISSING",
                Fault::Deployment(with_missing_account),
            )
        },
        case(
            "big",
            "NODE_MEMORY_SHORT",
            Fault::Deployment(|it| {
                container(it)["resources"] = json!({"requests": {"memory": "100Ti"}});
            }),
        ),
        case(
            "spread",
            "UNSCHEDULABLE",
            Fault::Ghost {
                // Another scheduler's, with reasons that the practice cluster's does not know.
                deployment: |it| pod(it)["schedulerName"] = json!("somebody-elses"),
                status: || {
                    json!({"phase": "Pending", "conditions": [{
                        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                        "message": "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints."}]})
                },
                event: None,
            },
        ),
        case(
            "busy",
            "NODE_CPU_SHORT",
            Fault::Deployment(|it| {
                container(it)["resources"] = json!({"requests": {"cpu": "10000"}});
            }),
        ),
        case(
            "elsewhere",
            "NODE_NOT_MATCHED",
            Fault::Deployment(|it| {
                pod(it)["nodeSelector"] = json!({"disk": "of-gold"});
            }),
        ),
        case(
            "host-port",
            "HOST_PORT_TAKEN",
            Fault::Deployment(|it| {
                it["spec"]["replicas"] = json!(2);
                container(it)["ports"] = json!([{"containerPort": 8000, "hostPort": 45_871}]);
            }),
        ),
        case(
            "service-port",
            "SERVICE_PORT_MISMATCH",
            Fault::Service(|it| {
                it["spec"]["ports"][0]["targetPort"] = json!(9000);
            }),
        ),
        case(
            "selector",
            "SELECTOR_MATCHES_NOTHING",
            Fault::Service(|it| {
                it["spec"]["selector"] = json!({"app": "nobody"});
            }),
        ),
        case("no-service", "SERVICE_MISSING", Fault::NoService),
        case(
            "call",
            "SERVICE_PORT_UNKNOWN",
            Fault::Deployment(|it| {
                container(it)["env"] =
                    json!([{"name": "OWN_URL", "value": "http://call:8000/api"}]);
            }),
        ),
        case(
            "inside",
            "SERVICE_NOT_EXPOSED",
            Fault::Service(|it| {
                it["spec"]["type"] = json!("ClusterIP");
            }),
        ),
        case("gone", "COMPONENT_NOT_DEPLOYED", Fault::NoDeployment),
        case(
            "stuck",
            "ROLLOUT_STUCK",
            Fault::Ghost {
                deployment: |it| it["spec"]["progressDeadlineSeconds"] = json!(2),
                status: || json!({}),
                event: None,
            },
        ),
        case(
            "zero",
            "SCALED_TO_ZERO",
            Fault::Deployment(|it| {
                it["spec"]["replicas"] = json!(0);
            }),
        ),
        case(
            "paused",
            "DEPLOYMENT_PAUSED",
            Fault::Deployment(|it| {
                it["spec"]["paused"] = json!(true);
            }),
        ),
        case(
            "unread",
            "SECRET_NOT_READ",
            Fault::Deployment(|it| {
                container(it)["env"] = json!([]);
            }),
        ),
    ]
}

/// The Deployment of a healthy component.
pub fn deployment(name: &str, image: &str) -> Value {
    let secret = |key: &str, optional: bool| json!([{"name": key, "valueFrom": {"secretKeyRef": {"name": "t-secrets", "key": key, "optional": optional}}}]);
    let env = match name {
        "unread" => secret("UNREAD", false),
        "unset" => secret("UNSET", true),
        "stale" => secret("STALE", false),
        "no-service" => json!([{"name": "OWN_URL", "value": "http://no-service/api"}]),
        _ => json!([]),
    };
    // A node takes 110 pods: where many are broken at once, the old one goes before the new one comes.
    let strategy = match name {
        "app" | "crowd" => json!({"type": "RollingUpdate"}),
        _ => json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
    };
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}},
            "strategy": strategy, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{
                "name": "app", "image": image, "imagePullPolicy": "Never", "env": env,
                "ports": [{"containerPort": 8000}],
                "readinessProbe": probe_of(json!({"httpGet": {"path": "/ready", "port": 8000}}))}]}}}
    })
}

pub fn service(name: &str) -> Value {
    let exposed = if name == "inside" {
        "NodePort"
    } else {
        "ClusterIP"
    };
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"type": exposed, "selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8000}]}
    })
}
