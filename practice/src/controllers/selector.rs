//! Label selectors, as the controllers evaluate them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Whether a selector has no requirement at all and so selects everything.
pub fn selects_everything(selector: &LabelSelector) -> bool {
    selector
        .match_labels
        .as_ref()
        .is_none_or(BTreeMap::is_empty)
        && selector
            .match_expressions
            .as_ref()
            .is_none_or(Vec::is_empty)
}

/// Whether the labels satisfy every requirement. An operator we do not know matches nothing.
pub fn matches(selector: &LabelSelector, labels: Option<&Labels>) -> bool {
    let value = |key: &str| labels.and_then(|labels| labels.get(key));
    selector.match_labels.as_ref().is_none_or(|wanted| {
        wanted
            .iter()
            .all(|(key, wanted)| value(key) == Some(wanted))
    }) && selector
        .match_expressions
        .iter()
        .flatten()
        .all(|requirement| {
            let values = requirement.values.as_deref().unwrap_or_default();
            let actual = value(&requirement.key);
            match requirement.operator.as_str() {
                "In" => actual.is_some_and(|actual| values.contains(actual)),
                "NotIn" => actual.is_none_or(|actual| !values.contains(actual)),
                "Exists" => actual.is_some(),
                "DoesNotExist" => actual.is_none(),
                _ => false,
            }
        })
}

/// Whether a plain map selector, as Services have it, selects these labels.
pub fn map_matches(selector: &Labels, labels: Option<&Labels>) -> bool {
    selector
        .iter()
        .all(|(key, wanted)| labels.and_then(|labels| labels.get(key)) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn expression(key: &str, operator: &str, values: &[&str]) -> LabelSelector {
        LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: key.to_owned(),
                operator: operator.to_owned(),
                values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
            }]),
            match_labels: None,
        }
    }

    #[test]
    fn each_operator_decides_as_documented() {
        let web = labels(&[("app", "web")]);
        let cases = [
            (expression("app", "In", &["web", "api"]), true),
            (expression("app", "In", &["api"]), false),
            (expression("tier", "In", &["web"]), false),
            (expression("app", "NotIn", &["web"]), false),
            (expression("tier", "NotIn", &["web"]), true),
            (expression("app", "Exists", &[]), true),
            (expression("app", "DoesNotExist", &[]), false),
            (expression("tier", "DoesNotExist", &[]), true),
            (expression("app", "Near", &["web"]), false),
        ];
        for (selector, expected) in cases {
            assert_eq!(matches(&selector, Some(&web)), expected, "{selector:?}");
        }
    }

    #[test]
    fn all_labels_must_match() {
        let selector = LabelSelector {
            match_labels: Some(labels(&[("app", "web"), ("tier", "front")])),
            match_expressions: None,
        };
        assert!(!matches(&selector, Some(&labels(&[("app", "web")]))));
        assert!(matches(
            &selector,
            Some(&labels(&[("app", "web"), ("tier", "front"), ("x", "y")]))
        ));
        assert!(!matches(&selector, None));
        assert!(selects_everything(&LabelSelector::default()));
    }
}
