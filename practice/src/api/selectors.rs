//! Label and field selectors: parsing and matching as the API server does it.

use serde_json::Value;

use super::kinds::Kind;

/// A parsed label selector; the empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
    Greater(String, i64),
    Less(String, i64),
}

impl LabelSelector {
    /// Parses the string form: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text };
        let mut requirements = Vec::new();
        loop {
            parser.skip_space();
            if parser.rest.is_empty() {
                break;
            }
            requirements.push(parser.requirement()?);
            parser.skip_space();
            if parser.rest.is_empty() {
                break;
            }
            if !parser.take(",") {
                return Err(format!(
                    "unable to parse requirement: found '{}', expected: ',' or 'end of string'",
                    parser.rest
                ));
            }
        }
        Ok(Self(requirements))
    }

    /// From a `metav1.LabelSelector` object; an absent one selects nothing.
    pub fn from_object(selector: &Value) -> Option<Self> {
        let object = selector.as_object()?;
        let mut requirements = Vec::new();
        for (key, value) in object
            .get("matchLabels")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let value = value.as_str().unwrap_or("").to_owned();
            requirements.push(Requirement::In(key.clone(), vec![value]));
        }
        let expressions = object.get("matchExpressions").and_then(Value::as_array);
        for expression in expressions.into_iter().flatten() {
            let key = expression["key"].as_str()?.to_owned();
            let values = || -> Vec<String> {
                let list = expression["values"].as_array();
                list.into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            };
            requirements.push(match expression["operator"].as_str()? {
                "In" => Requirement::In(key, values()),
                "NotIn" => Requirement::NotIn(key, values()),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::Missing(key),
                _ => return None,
            });
        }
        Some(Self(requirements))
    }

    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the object's labels are selected.
    pub fn matches_object(&self, object: &Value) -> bool {
        self.matches(&object["metadata"]["labels"])
    }

    /// Whether these labels (an object or null) are selected.
    pub fn matches(&self, labels: &Value) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: &Value) -> bool {
        let label = |key: &String| labels.get(key).and_then(Value::as_str);
        match self {
            Self::In(key, values) => label(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::NotIn(key, values) => !label(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::Exists(key) => label(key).is_some(),
            Self::Missing(key) => label(key).is_none(),
            Self::Greater(key, n) => number(label(key)).is_some_and(|v| v > *n),
            Self::Less(key, n) => number(label(key)).is_some_and(|v| v < *n),
        }
    }
}

fn number(text: Option<&str>) -> Option<i64> {
    text?.parse().ok()
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| {
                c.is_whitespace() || matches!(c, ',' | '=' | '!' | '(' | ')' | '<' | '>')
            })
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        if self.take("!") {
            self.skip_space();
            return Ok(Requirement::Missing(self.key()?));
        }
        let key = self.key()?;
        self.skip_space();
        if self.rest.is_empty() || self.rest.starts_with(',') {
            return Ok(Requirement::Exists(key));
        }
        if self.take("!=") {
            return Ok(Requirement::NotIn(key, vec![self.value()?]));
        }
        if self.take("==") || self.take("=") {
            return Ok(Requirement::In(key, vec![self.value()?]));
        }
        if self.take(">") {
            return Ok(Requirement::Greater(key, self.integer()?));
        }
        if self.take("<") {
            return Ok(Requirement::Less(key, self.integer()?));
        }
        match self.word() {
            "in" => Ok(Requirement::In(key, self.set()?)),
            "notin" => Ok(Requirement::NotIn(key, self.set()?)),
            other => Err(format!(
                "unable to parse requirement: found '{other}', expected: in, notin, =, ==, !=, gt, lt"
            )),
        }
    }

    fn key(&mut self) -> Result<String, String> {
        let key = self.word();
        if super::names::is_qualified_name(key) {
            Ok(key.to_owned())
        } else {
            Err(format!(
                "unable to parse requirement: invalid label key \"{key}\""
            ))
        }
    }

    fn value(&mut self) -> Result<String, String> {
        self.skip_space();
        let value = self.word();
        if super::names::is_label_value(value) {
            Ok(value.to_owned())
        } else {
            Err(format!(
                "unable to parse requirement: invalid label value: \"{value}\""
            ))
        }
    }

    fn integer(&mut self) -> Result<i64, String> {
        self.skip_space();
        let word = self.word();
        word.parse().map_err(|_| {
            format!("unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer: {word}")
        })
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        self.skip_space();
        if !self.take("(") {
            return Err(format!(
                "unable to parse requirement: found '{}' expected: '('",
                self.rest
            ));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            self.skip_space();
            if self.take(")") {
                return Ok(values);
            }
            if !self.take(",") {
                return Err(format!(
                    "unable to parse requirement: found '{}', expected: ',' or ')'",
                    self.rest
                ));
            }
        }
    }
}

/// A parsed field selector for one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<FieldRequirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldRequirement {
    path: String,
    value: String,
    equal: bool,
}

impl FieldSelector {
    /// Parses `metadata.name=x,status.phase!=Running`; only fields the kind indexes are taken.
    pub fn parse(kind: &Kind, text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (path, value, equal) = if let Some((path, value)) = part.split_once("!=") {
                (path, value, false)
            } else if let Some((path, value)) =
                part.split_once("==").or_else(|| part.split_once('='))
            {
                (path, value, true)
            } else {
                return Err(format!(
                    "invalid field selector: \"{text}\": can't understand '{part}'"
                ));
            };
            if !selectable(kind, path) {
                return Err(format!("field label not supported: {path}"));
            }
            requirements.push(FieldRequirement {
                path: path.to_owned(),
                value: value.to_owned(),
                equal,
            });
        }
        Ok(Self(requirements))
    }

    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the object is selected.
    pub fn matches(&self, object: &Value) -> bool {
        self.0
            .iter()
            .all(|r| (field(object, &r.path) == r.value) == r.equal)
    }
}

fn selectable(kind: &Kind, path: &str) -> bool {
    if path == "metadata.name" || (path == "metadata.namespace" && kind.namespaced) {
        return true;
    }
    let fields: &[&str] = match (kind.group, kind.kind) {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "Namespace") => &["status.phase"],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("apps", "ReplicaSet") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        _ => &[],
    };
    fields.contains(&path)
}

/// The stored object's field as the selector compares it.
fn field(object: &Value, path: &str) -> String {
    // Events are stored in their core shape, whatever name the caller knows the field by.
    let path = match path {
        "reportingController" => "reportingComponent",
        "source" => "source.component",
        other => other,
    };
    let path = path.replace("regarding.", "involvedObject.");
    let mut value = object;
    for part in path.split('.') {
        value = &value[part];
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Null if path == "spec.unschedulable" || path == "spec.hostNetwork" => {
            "false".to_owned()
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kinds::by_kind;
    use proptest::prelude::*;
    use serde_json::json;

    fn selects(selector: &str, labels: Value) -> bool {
        LabelSelector::parse(selector)
            .expect("parses")
            .matches(&labels)
    }

    #[test]
    fn every_operator_selects_what_it_says() {
        let labels = json!({"app": "web", "tier": "front", "size": "5"});
        for yes in [
            "",
            "app=web",
            "app==web",
            "app!=db",
            "app in (db, web)",
            "tier notin (back)",
            "app",
            "!gone",
            "size>4",
            "size<6",
            "gone!=x",
            "gone notin (x)",
            "app=web,tier=front , size > 1",
        ] {
            assert!(selects(yes, labels.clone()), "{yes} should select");
        }
        for no in [
            "app=db",
            "app!=web",
            "app notin (web)",
            "!app",
            "gone",
            "size>5",
            "gone in (x)",
            "app=web,tier=back",
        ] {
            assert!(!selects(no, labels.clone()), "{no} should not select");
        }
    }

    #[test]
    fn broken_selectors_are_refused() {
        for broken in [
            "app in web",
            "=x",
            "a b",
            "app in (a",
            "a=b c",
            "-x=1",
            "x>y",
        ] {
            assert!(
                LabelSelector::parse(broken).is_err(),
                "{broken} should be refused"
            );
        }
    }

    #[test]
    fn fields_are_selected_by_the_kinds_own_table() {
        let pods = by_kind("", "Pod").expect("served");
        let pod = json!({"metadata": {"name": "a"}, "status": {"phase": "Running"}});
        let parsed =
            FieldSelector::parse(pods, "status.phase=Running,metadata.name!=b").expect("parses");
        assert!(parsed.matches(&pod));
        let unscheduled = FieldSelector::parse(pods, "spec.nodeName=").expect("parses");
        assert!(unscheduled.matches(&pod));
        assert!(FieldSelector::parse(pods, "spec.containers=x").is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,60}") {
            let _ = LabelSelector::parse(&text);
        }

        #[test]
        fn equality_and_inequality_are_complements(
            key in "[a-z]{1,5}", value in "[a-z]{1,3}", labels in proptest::collection::btree_map("[a-z]{1,5}", "[a-z]{1,3}", 0..4)
        ) {
            let labels = json!(labels);
            prop_assert_ne!(
                selects(&format!("{key}={value}"), labels.clone()),
                selects(&format!("{key}!={value}"), labels)
            );
        }
    }
}
