"""Writes types.json, the schema of the served kinds, from the sources of the crates k8s-openapi
(fields, types, list and map strategies) and k8s-pb (protobuf field numbers).

usage: generate.py K8S_OPENAPI/src/v1_35 K8S_PB/src > types.json

A type is a list of fields [name, type, protobuf number or 0]; types are written as
The protobuf number of a field of an embedded message is that message's times 1000 plus its own.
  s string   i integer   n number   b boolean   B bytes   t time   T time with microseconds
  q quantity o integer or string    j any JSON  @NAME another type
  [E atomic list   {E set   <k1,k2>E list keyed by those fields   ME map   AE atomic map
"atomic" lists the structs that are applied as a whole.
"""
import json, re, sys
from pathlib import Path

openapi, pb = Path(sys.argv[1]), Path(sys.argv[2])

ROOTS = """api.core.v1: ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolumeClaim PersistentVolume Pod ResourceQuota Secret ServiceAccount Service Binding
api.apps.v1: ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet
api.events.v1: Event
api.authentication.v1: SelfSubjectReview TokenRequest TokenReview
api.authorization.v1: LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview
api.admissionregistration.v1: MutatingWebhookConfiguration ValidatingWebhookConfiguration
api.autoscaling.v2: HorizontalPodAutoscaler
api.autoscaling.v1: HorizontalPodAutoscaler Scale
api.batch.v1: CronJob Job
api.coordination.v1: Lease
api.discovery.v1: EndpointSlice
api.networking.v1: IngressClass Ingress NetworkPolicy
api.policy.v1: PodDisruptionBudget Eviction
api.rbac.v1: ClusterRoleBinding ClusterRole RoleBinding Role
api.scheduling.v1: PriorityClass
api.storage.v1: StorageClass
apiextensions_apiserver.pkg.apis.apiextensions.v1: CustomResourceDefinition
apimachinery.pkg.apis.meta.v1: DeleteOptions"""

# The key fields of lists whose second key only server-side apply knows.
KEYS = {
    ("ContainerPort", "containerPort"): "containerPort,protocol",
    ("ServicePort", "port"): "port,protocol",
    ("TopologySpreadConstraint", "topologyKey"): "topologyKey,whenUnsatisfiable",
}
# Structs marked x-kubernetes-map-type: atomic.
ATOMIC = {
    "LabelSelector", "LocalObjectReference", "ObjectReference", "ObjectFieldSelector",
    "ResourceFieldSelector", "SecretKeySelector", "ConfigMapKeySelector", "FileKeySelector",
    "TypedLocalObjectReference", "SecretReference", "NodeSelector", "NodeSelectorTerm",
    "OwnerReference", "TopologySelectorTerm", "ServiceBackendPort", "RoleRef", "Subject",
    "CrossVersionObjectReference", "ScopeSelector", "EndpointAddress", "EndpointPort",
}
SCALARS = {
    "std::string::String": "s", "i32": "i", "i64": "i", "f64": "n", "bool": "b",
    "crate::ByteString": "B", "crate::serde_json::Value": "j",
    "crate::apimachinery::pkg::apis::meta::v1::Time": "t",
    "crate::apimachinery::pkg::apis::meta::v1::MicroTime": "T",
    "crate::apimachinery::pkg::api::resource::Quantity": "q",
    "crate::apimachinery::pkg::util::intstr::IntOrString": "o",
    "crate::apimachinery::pkg::apis::meta::v1::FieldsV1": "j",
    "crate::apimachinery::pkg::runtime::RawExtension": "j",
}

def snake(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])|(?<!^)([A-Z])(?=[a-z])", lambda m: "_" + m.group(0), name).lower()

sources = {}
for path in openapi.rglob("*.rs"):
    text = path.read_text()
    for name in re.findall(r"^pub struct (\w+) \{", text, re.M):
        module = ".".join(path.relative_to(openapi).parts[:-1])
        sources[module + "." + name] = text

numbers, embedded = {}, {}
for path in pb.rglob("mod.rs"):
    module = ".".join(path.relative_to(pb).parts[:-1])
    text = path.read_text()
    for name, body in re.findall(r"^pub struct (\w+) \{\n(.*?)^\}", text, re.M | re.S):
        fields = re.findall(r'tag = "(\d+)"[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*pub (?:r#)?(\w+):([^\n]*)', body)
        key = (module + "." + name).lower()
        numbers[key] = {f.replace("_", "").lower(): int(n) for n, f, _ in fields}
        embedded[key] = {f.replace("_", "").lower(): f"{module}.{t}".lower()
                         for _, f, rust in fields for t in re.findall(r"Option<(?:::prost::alloc::boxed::Box<)?(?:super::)*(\w+)>", rust)}

def short(full):
    return full.replace("apimachinery.pkg.apis.", "").replace("apiextensions_apiserver.pkg.apis.", "").removeprefix("api.")

types, queue = {}, []
def expression(rust, strategy):
    rust = rust.strip()
    if m := re.fullmatch(r"Option<(.*)>", rust):
        return expression(m[1], strategy)
    if rust in SCALARS:
        return SCALARS[rust]
    if m := re.fullmatch(r"std::boxed::Box<(.*)>", rust):
        return expression(m[1], strategy)
    if m := re.fullmatch(r"std::vec::Vec<(.*)>", rust):
        inner = expression(m[1], None)
        kind, keys = strategy or ("list::atomic", "")
        if kind == "list::map":
            element = inner.rsplit(".", 1)[-1]
            return f"<{KEYS.get((element, keys), keys)}>{inner}"
        return ("{" if kind == "list::set" else "[") + inner
    if m := re.fullmatch(r"std::collections::BTreeMap<std::string::String, (.*)>", rust):
        kind = (strategy or ("map::granular",))[0]
        return ("A" if kind == "map::atomic" else "M") + expression(m[1], None)
    if m := re.fullmatch(r"crate::(.*)", rust):
        full = m[1].replace("::", ".")
        if "JSONSchemaProps" in full or full not in sources:
            return "j"
        queue.append(full)
        return "@" + short(full)
    raise SystemExit("unknown type " + rust)

for line in ROOTS.splitlines():
    module, kinds = line.split(": ")
    queue += [f"{module}.{kind}" for kind in kinds.split()]
done = set()
while queue:
    full = queue.pop()
    if full in done:
        continue
    done.add(full)
    text, name = sources[full], full.rsplit(".", 1)[-1]
    body = re.search(rf"^pub struct {name} \{{\n(.*?)^\}}", text, re.M | re.S)[1]
    merge = re.search(rf"^impl crate::DeepMerge for {name} \{{(.*?)^\}}", text, re.M | re.S)
    merge = merge[1] if merge else ""
    json_names = {}
    for key, field in re.findall(r'"([^"]+)" => Field::Key_(\w+),', text):
        json_names[field] = key
    strategies = {}
    for kind, field, tail in re.findall(r"merge_strategies::(\w+::\w+)\(\s*&mut self\.(?:r#)?(\w+),(.*?)\);", merge, re.S):
        keys = [json_key for json_key in re.findall(r"lhs\.(\w+) ==", tail)]
        camel = [re.sub(r"_(\w)", lambda m: m.group(1).upper(), k.rstrip("_")) for k in keys]
        strategies[field] = (kind, ",".join(camel))
    fields = []
    if "impl crate::Resource for " + name in text:
        fields += [["apiVersion", "s", 0], ["kind", "s", 0]]
    tags = dict(numbers.get(full.lower(), {}))
    # Structs that Go embeds are messages of their own in protobuf and flat in JSON: the number of
    # such a field is that of the message times 1000 plus its own.
    flat = {n.replace("$", "").lower() for n in json_names.values()}
    for outer, inner in embedded.get(full.lower(), {}).items():
        if outer not in flat:
            for field, number in numbers.get(inner, {}).items():
                tags.setdefault(field, tags[outer] * 1000 + number)
    for field, rust in re.findall(r"^    pub (?:r#)?(\w+): (.*),$", body, re.M):
        json_name = json_names.get(field)
        if json_name is None:
            raise SystemExit(f"{full}: no JSON name of {field}")
        rust = rust.replace("r#", "")
        tag = tags.get(json_name.replace("$", "").lower(), 0)
        fields.append([json_name, expression(rust, strategies.get(field)), tag])
    types[short(full)] = fields

atomic = sorted(t for t in types if t.rsplit(".", 1)[-1] in ATOMIC)
print('{"atomic":' + json.dumps(atomic, separators=(",", ":")) + ',\n"types":{')
rows = [json.dumps(name) + ":" + json.dumps(types[name], separators=(",", ":")) for name in sorted(types)]
print(",\n".join(rows))
print("}}")
