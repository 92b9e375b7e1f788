//! Sets of field paths, in the form `managedFields` keeps them (`fieldsV1`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    Field(String),
    /// An item of a keyed list: key fields and their values as JSON text.
    Key(BTreeMap<String, String>),
    /// A value of a set, as JSON text.
    Value(String),
}

impl Element {
    fn text(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Key(keys) => {
                let parts: Vec<String> = keys
                    .iter()
                    .map(|(key, value)| format!("{}:{value}", Value::from(key.as_str())))
                    .collect();
                format!("k:{{{}}}", parts.join(","))
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (mark, rest) = text.split_once(':')?;
        match mark {
            "f" => Some(Self::Field(rest.to_owned())),
            "v" => Some(Self::Value(rest.to_owned())),
            "k" => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(rest).ok()?;
                Some(Self::Key(
                    keys.into_iter().map(|(k, v)| (k, v.to_string())).collect(),
                ))
            }
            _ => None,
        }
    }
}

/// A set of paths: a tree whose members are marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    pub member: bool,
    pub children: BTreeMap<Element, FieldSet>,
}

impl FieldSet {
    /// A set of the one path that ends here.
    pub fn leaf() -> Self {
        Self {
            member: true,
            children: BTreeMap::new(),
        }
    }

    /// Whether there is no path in it.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Self::is_empty)
    }

    /// The child, created when it is not there.
    pub fn child(&mut self, element: Element) -> &mut Self {
        self.children.entry(element).or_default()
    }

    /// Paths of either.
    pub fn union(&mut self, other: &Self) {
        self.member |= other.member;
        for (element, theirs) in &other.children {
            self.child(element.clone()).union(theirs);
        }
    }

    /// Paths of this that are not in the other.
    pub fn subtract(&mut self, other: &Self) {
        self.member &= !other.member;
        self.children.retain(|element, mine| {
            if let Some(theirs) = other.children.get(element) {
                mine.subtract(theirs);
            }
            !mine.is_empty()
        });
    }

    /// Paths of both.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut out = Self {
            member: self.member && other.member,
            children: BTreeMap::new(),
        };
        for (element, mine) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                let both = mine.intersection(theirs);
                if !both.is_empty() {
                    out.children.insert(element.clone(), both);
                }
            }
        }
        out
    }

    /// All paths as texts such as `.spec.containers[name="app"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect_paths(String::new(), &mut out);
        out
    }

    fn collect_paths(&self, prefix: String, out: &mut Vec<String>) {
        if self.member {
            out.push(prefix.clone());
        }
        for (element, child) in &self.children {
            let mut path = prefix.clone();
            // Writing to a string cannot fail.
            let _ = match element {
                Element::Field(name) => write!(path, ".{name}"),
                Element::Value(value) => write!(path, "[={value}]"),
                Element::Key(keys) => {
                    let parts: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
                    write!(path, "[{}]", parts.join(","))
                }
            };
            child.collect_paths(path, out);
        }
    }

    /// The `fieldsV1` object.
    pub fn to_fields_v1(&self) -> Value {
        let mut out = Map::new();
        if self.member && !self.children.is_empty() {
            out.insert(".".into(), Value::Object(Map::new()));
        }
        for (element, child) in &self.children {
            if !child.is_empty() {
                out.insert(element.text(), child.to_fields_v1());
            }
        }
        Value::Object(out)
    }

    /// From a `fieldsV1` object; what is not understood is left out.
    pub fn from_fields_v1(value: &Value) -> Self {
        let mut root = Self::read(value);
        root.member = false;
        root
    }

    fn read(value: &Value) -> Self {
        let mut out = Self::default();
        let fields = value.as_object();
        if fields.is_none_or(Map::is_empty) {
            return Self::leaf();
        }
        for (text, child) in fields.into_iter().flatten() {
            if text == "." {
                out.member = true;
            } else if let Some(element) = Element::parse(text) {
                out.children.insert(element, Self::read(child));
            }
        }
        out
    }

    /// Takes out the path of these field names with everything below it.
    pub fn remove_fields(&mut self, path: &[&str]) {
        let [first, rest @ ..] = path else { return };
        let element = Element::Field((*first).to_owned());
        if rest.is_empty() {
            self.children.remove(&element);
        } else if let Some(child) = self.children.get_mut(&element) {
            child.remove_fields(rest);
            if child.is_empty() {
                self.children.remove(&element);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn fields_v1_is_read_and_written_alike() {
        let text = json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:ports": {
            "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}, "f:finalizers": {"v:\"x\"": {}}}});
        let set = FieldSet::from_fields_v1(&text);
        assert_eq!(FieldSet::from_fields_v1(&set.to_fields_v1()), set);
        assert_eq!(
            set.paths(),
            [
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.finalizers[=\"x\"]",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].port"
            ]
        );
    }

    fn any_set() -> impl Strategy<Value = FieldSet> {
        let leaf = Just(FieldSet::leaf());
        leaf.prop_recursive(3, 20, 4, |inner| {
            (
                any::<bool>(),
                proptest::collection::btree_map("[a-c]", inner, 1..4),
            )
                .prop_map(|(member, children)| FieldSet {
                    member,
                    children: children
                        .into_iter()
                        .map(|(k, v)| (Element::Field(k), v))
                        .collect(),
                })
        })
        .prop_map(|mut set| {
            set.member = false;
            set
        })
    }

    proptest! {
        #[test]
        fn sets_obey_the_laws_of_sets(a in any_set(), b in any_set()) {
            let mut union = a.clone();
            union.union(&b);
            let both = a.intersection(&b);
            let mut only_a = a.clone();
            only_a.subtract(&b);
            let mut rebuilt = only_a.clone();
            rebuilt.union(&both);
            prop_assert_eq!(rebuilt.paths(), a.paths());
            prop_assert!(only_a.intersection(&b).is_empty());
            prop_assert_eq!(union.intersection(&a).paths(), a.paths());
            prop_assert_eq!(FieldSet::from_fields_v1(&union.to_fields_v1()).paths(), union.paths());
        }
    }
}
