//! Values in layers, laid over each other as helm does it: mappings are merged, everything else
//! replaces, and `null` takes a key of the chart away.

use app::model::ValueOrigin;
use serde_json::{Map, Value};

/// One layer; later ones win.
#[derive(Clone, Debug)]
pub struct Layer {
    pub origin: ValueOrigin,
    pub values: Map<String, Value>,
}

/// All layers, the chart's own values first.
#[derive(Clone, Debug, Default)]
pub struct Layers(pub Vec<Layer>);

impl Layers {
    /// The values as templates see them.
    pub fn effective(&self) -> Map<String, Value> {
        let mut values = Map::new();
        for layer in &self.0 {
            lay_over(&mut values, layer.values.clone());
        }
        without_nulls(&mut values);
        values
    }

    /// Which layer the value at a path comes from. A mapping's entries may come from several.
    pub fn origin(&self, path: &[String]) -> ValueOrigin {
        self.0
            .iter()
            .rev()
            .find_map(|layer| match reach(&layer.values, path) {
                Reach::Value(_) => Some(layer.origin.clone()),
                // Something that is no mapping stands above: it replaced what was there.
                Reach::Blocked => Some(layer.origin.clone()),
                Reach::Nothing => None,
            })
            .unwrap_or(ValueOrigin::Unset)
    }

    /// The chart's own value at a path.
    pub fn default(&self, path: &[String]) -> Option<&Value> {
        let chart = self
            .0
            .iter()
            .find(|layer| layer.origin == ValueOrigin::Chart)?;
        match reach(&chart.values, path) {
            Reach::Value(value) => Some(value),
            _ => None,
        }
    }
}

enum Reach<'a> {
    Value(&'a Value),
    /// A value that is no mapping stands on the way.
    Blocked,
    Nothing,
}

fn reach<'a>(values: &'a Map<String, Value>, path: &[String]) -> Reach<'a> {
    let Some((first, rest)) = path.split_first() else {
        return Reach::Nothing;
    };
    match values.get(first) {
        None => Reach::Nothing,
        Some(value) if rest.is_empty() => Reach::Value(value),
        Some(Value::Object(map)) => reach(map, rest),
        Some(_) => Reach::Blocked,
    }
}

/// The value at a path.
pub fn at<'a>(values: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    match reach(values, path) {
        Reach::Value(value) => Some(value),
        _ => None,
    }
}

/// Puts a value at a path, making the mappings on the way.
pub fn put(values: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        values.insert(first.clone(), value);
        return;
    }
    let below = values
        .entry(first.clone())
        .or_insert_with(|| Value::Object(Map::new()));
    if !below.is_object() {
        *below = Value::Object(Map::new());
    }
    if let Value::Object(below) = below {
        put(below, rest, value);
    }
}

/// Lays values over others. A `null` stays, until [`Layers::effective`] takes the key away with it.
pub fn lay_over(below: &mut Map<String, Value>, above: Map<String, Value>) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(there)), Value::Object(new)) => lay_over(there, new),
            (Some(there), new) => *there = new,
            (None, new) => {
                below.insert(key, new);
            }
        }
    }
}

fn without_nulls(values: &mut Map<String, Value>) {
    values.retain(|_, value| !value.is_null());
    for value in values.values_mut() {
        if let Value::Object(map) = value {
            without_nulls(map);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no mapping"),
        }
    }

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    fn layers() -> Layers {
        let file = |name: &str| ValueOrigin::File { name: name.into() };
        Layers(vec![
            Layer {
                origin: ValueOrigin::Chart,
                values: map(json!({"a": {"b": 1, "c": [1, 2]}, "d": "x", "gone": {"z": 1}})),
            },
            Layer {
                origin: file("one"),
                values: map(json!({"a": {"c": [3]}, "gone": null})),
            },
            Layer {
                origin: file("two"),
                values: map(json!({"a": {"e": true}, "d": {"now": "a map"}})),
            },
        ])
    }

    #[test]
    fn later_layers_win_lists_are_replaced_and_null_takes_away() {
        assert_eq!(
            Value::Object(layers().effective()),
            json!({"a": {"b": 1, "c": [3], "e": true}, "d": {"now": "a map"}})
        );
    }

    #[test]
    fn each_value_knows_where_it_comes_from() {
        let layers = layers();
        let file = |name: &str| ValueOrigin::File { name: name.into() };
        assert_eq!(layers.origin(&path("a.b")), ValueOrigin::Chart);
        assert_eq!(layers.origin(&path("a.c")), file("one"));
        assert_eq!(layers.origin(&path("a.e")), file("two"));
        assert_eq!(layers.origin(&path("gone.z")), file("one"));
        assert_eq!(layers.origin(&path("never")), ValueOrigin::Unset);
        assert_eq!(layers.default(&path("d")), Some(&json!("x")));
    }

    proptest! {
        #[test]
        fn what_was_put_is_there(parts in proptest::collection::vec("[a-c]{1,2}", 1..5), number in 0..100_i64) {
            let mut values = map(json!({"a": {"b": 1}, "b": "text"}));
            put(&mut values, &parts, json!(number));
            prop_assert_eq!(at(&values, &parts), Some(&json!(number)));
        }
    }
}
