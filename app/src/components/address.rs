//! The address of what is looked at on a page: everything that can be opened can be linked to.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

/// Writes the query of a page, without a new entry in the history. Take it while drawing.
pub fn query_writer(path: &'static str) -> Callback<Vec<(&'static str, String)>> {
    let navigate = use_navigate();
    Callback::new(move |parts: Vec<(&'static str, String)>| {
        let replace = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&url(path, &parts), replace);
    })
}

/// Values are of letters, digits and what needs no escape: names of kinds, objects and tabs.
fn url(path: &str, parts: &[(&'static str, String)]) -> String {
    let query: Vec<String> = parts
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if query.is_empty() {
        return path.to_owned();
    }
    format!("{path}?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_anything_open_has_a_plain_address() {
        assert_eq!(url("/live", &[]), "/live");
        let parts = [("tab", "logs".to_owned()), ("yaml", "Pod/a".to_owned())];
        assert_eq!(url("/live", &parts), "/live?tab=logs&yaml=Pod/a");
    }
}
