//! Values that break a chart's `values.schema.json`, in the words of both validators:
//! `- backend.replicas: Must be greater than or equal to 0` (helm before about 3.18) and
//! `- at '/backend/replicas': minimum: got -5, want 0` (later ones, and 4).

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// The chart whose schema it is; a subchart's name for one.
    pub chart: String,
    /// From the top of that chart's values; empty for the whole.
    pub path: Vec<String>,
    pub text: String,
}

const HEAD: &str =
    "values don't meet the specifications of the schema(s) in the following chart(s):";

/// None when the text is about something else.
pub fn parse_schema_errors(text: &str) -> Option<Vec<SchemaError>> {
    let (_, body) = text.split_once(HEAD)?;
    let mut chart = String::new();
    let mut found: Vec<SchemaError> = Vec::new();
    for line in body.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        if let Some(rule) = trimmed.strip_prefix("- ") {
            if let Some(error) = parse_rule(&chart, rule) {
                found.push(error);
            }
        } else if line.starts_with(|c: char| c.is_alphanumeric()) && trimmed.ends_with(':') {
            chart = trimmed.trim_end_matches(':').to_owned();
        } else if !trimmed.starts_with("Use --debug")
            && let Some(last) = found.last_mut()
        {
            last.text.push(' ');
            last.text.push_str(trimmed);
        }
    }
    // A node that only says that something below it is wrong adds nothing.
    found.retain(|error| error.text != "validation failed");
    Some(found)
}

fn parse_rule(chart: &str, rule: &str) -> Option<SchemaError> {
    let error = |path: Vec<String>, text: &str| SchemaError {
        chart: chart.to_owned(),
        path,
        text: text.to_owned(),
    };
    if let Some(rest) = rule.strip_prefix("at '") {
        let (pointer, text) = rest.split_once("': ")?;
        return Some(error(pointer_parts(pointer), text));
    }
    let (place, text) = rule.split_once(": ")?;
    let path = match place {
        "(root)" => Vec::new(),
        dotted => dotted.split('.').map(str::to_owned).collect(),
    };
    let mut found = error(path, text);
    // "(root): backend is required" is about the missing key.
    if let Some(missing) = text.strip_suffix(" is required")
        && !missing.contains(' ')
    {
        found.path.push(missing.to_owned());
    }
    Some(found)
}

/// A JSON pointer (RFC 6901) as its parts.
fn pointer_parts(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Vec<(String, String, String)> {
        parse_schema_errors(text)
            .expect("schema errors")
            .into_iter()
            .map(|error| (error.chart, error.path.join("/"), error.text))
            .collect()
    }

    fn row(chart: &str, path: &str, text: &str) -> (String, String, String) {
        (chart.into(), path.into(), text.into())
    }

    #[test]
    fn both_validators_name_the_same_fields() {
        // 3.17.2
        let old = "Error: values don't meet the specifications of the schema(s) in the following chart(s):\ntodo:\n- (root): Additional property foo is not allowed\n- (root): config is required\n- backend.image.tag: Does not match pattern '^[A-Z: ]+$'\nredis:\n- port: Invalid type. Expected: integer, given: string\n\n";
        assert_eq!(
            rows(old),
            [
                row("todo", "", "Additional property foo is not allowed"),
                row("todo", "config", "config is required"),
                row(
                    "todo",
                    "backend/image/tag",
                    "Does not match pattern '^[A-Z: ]+$'"
                ),
                row(
                    "redis",
                    "port",
                    "Invalid type. Expected: integer, given: string"
                ),
            ]
        );
        // 4.1.4
        let new = "Error: values don't meet the specifications of the schema(s) in the following chart(s):\ntodo:\n- at '/backend': validation failed\n  - at '/backend/image/tag': 'a b' does not match pattern '^[A-Z: ]+$'\n  - at '/backend/a~1b': minimum: got -5, want 0\n- at '': additional properties 'foo' not allowed\n\n";
        assert_eq!(
            rows(new),
            [
                row(
                    "todo",
                    "backend/image/tag",
                    "'a b' does not match pattern '^[A-Z: ]+$'"
                ),
                row("todo", "backend/a/b", "minimum: got -5, want 0"),
                row("todo", "", "additional properties 'foo' not allowed"),
            ]
        );
        assert_eq!(parse_schema_errors("Error: something else"), None);
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC{0,200}") {
            let _ = parse_schema_errors(&format!("{HEAD}\n{text}"));
        }
    }
}
