//! Where a field is: names, entries of lists told by their keys, and places.

use std::fmt;

use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Field(String),
    /// The entry of a list that has these keys; never empty.
    Entry(Vec<(&'static str, Value)>),
    /// The entry at this place, where entries have no keys.
    Place(usize),
}

/// The way to a field from the top of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path(pub Vec<Step>);

impl Path {
    #[must_use]
    pub fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.then(Step::Field(name.to_owned()))
    }

    /// Whether it begins with these field names.
    pub fn starts_with(&self, fields: &[&str]) -> bool {
        self.0.len() >= fields.len()
            && self
                .0
                .iter()
                .zip(fields)
                .all(|(step, field)| matches!(step, Step::Field(name) if name == field))
    }

    /// The name of the field it ends with, looking past entries.
    pub fn last_field(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

/// `.spec.template.spec.containers[name=backend].ports[containerPort=80,protocol=TCP]`
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        for step in &self.0 {
            match step {
                Step::Field(name) if name.contains(['.', '/', '[', ']', ' ']) => {
                    write!(f, ".[{name}]")?;
                }
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Place(at) => write!(f, "[{at}]")?,
                Step::Entry(keys) => {
                    f.write_str("[")?;
                    for (at, (key, value)) in keys.iter().enumerate() {
                        let comma = if at == 0 { "" } else { "," };
                        match value.as_str() {
                            Some(text) => write!(f, "{comma}{key}={text}")?,
                            None => write!(f, "{comma}{key}={value}")?,
                        }
                    }
                    f.write_str("]")?;
                }
            }
        }
        Ok(())
    }
}

/// What entries of lists are told by, the best first.
const KEYS: [&[&str]; 11] = [
    &["name"],
    &["mountPath"],
    &["devicePath"],
    &["containerPort"],
    &["containerPort", "protocol"],
    &["port"],
    &["port", "protocol"],
    &["ip"],
    &["type"],
    &["topologyKey", "whenUnsatisfiable"],
    &["uid"],
];

/// The keys every entry of both lists has and no two entries of one list share; none when they
/// can only be told by their places.
pub fn list_keys(a: &[Value], b: &[Value]) -> Option<&'static [&'static str]> {
    if a.is_empty() && b.is_empty() || a.iter().chain(b).any(|entry| !entry.is_object()) {
        return None;
    }
    let tell_apart = |list: &[Value], keys: &[&str]| {
        let mut seen = std::collections::HashSet::new();
        list.iter().all(|entry| {
            let mut all = String::new();
            for key in keys {
                match &entry[*key] {
                    Value::String(_) | Value::Number(_) => {
                        all.push_str(&entry[*key].to_string());
                        all.push('\n');
                    }
                    _ => return false,
                }
            }
            seen.insert(all)
        })
    };
    KEYS.into_iter()
        .find(|keys| tell_apart(a, keys) && tell_apart(b, keys))
}

/// The step to an entry of a list with these keys.
pub fn entry_step(entry: &Value, keys: &'static [&'static str]) -> Step {
    Step::Entry(keys.iter().map(|key| (*key, entry[*key].clone())).collect())
}

/// The entry with the same keys as `like`.
pub fn find_entry<'a>(list: &'a [Value], like: &Value, keys: &[&str]) -> Option<&'a Value> {
    list.iter()
        .find(|entry| keys.iter().all(|key| entry[*key] == like[*key]))
}

/// Both lists as one: the entries of `a` in their order, then those only in `b`, each with its
/// counterpart. Needs keys from [`list_keys`].
pub fn align<'a>(
    a: &'a [Value],
    b: &'a [Value],
    keys: &'static [&'static str],
) -> Vec<(Step, Option<&'a Value>, Option<&'a Value>)> {
    let index = |list: &'a [Value]| -> std::collections::HashMap<String, &'a Value> {
        list.iter()
            .map(|entry| (key_text(entry, keys), entry))
            .collect()
    };
    let (in_a, in_b) = (index(a), index(b));
    let kept = a.iter().map(|entry| {
        let other = in_b.get(&key_text(entry, keys)).copied();
        (entry_step(entry, keys), Some(entry), other)
    });
    let fresh = b
        .iter()
        .filter(|entry| !in_a.contains_key(&key_text(entry, keys)))
        .map(|entry| (entry_step(entry, keys), None, Some(entry)));
    kept.chain(fresh).collect()
}

fn key_text(entry: &Value, keys: &[&str]) -> String {
    keys.iter()
        .map(|key| format!("{}\n", entry[*key]))
        .collect()
}
