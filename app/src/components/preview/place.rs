//! The address of what is looked at: `?object=apps/v1/Deployment/todo/backend&view=split`.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsValue;
use leptos_router::hooks::use_query_map;

use super::lines::Layout;

/// What the address says, and nothing where it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub object: Option<String>,
    pub layout: Layout,
}

impl Place {
    /// From the address of this page.
    pub fn read() -> Self {
        use_query_map().with_untracked(|query| Self {
            object: query.get("object").filter(|key| !key.is_empty()),
            layout: match query.get("view").as_deref() {
                Some("split") => Layout::Split,
                _ => Layout::Unified,
            },
        })
    }

    /// Into the address bar, without a new entry in the history.
    pub fn write(&self) {
        let location = window().location();
        let Ok(path) = location.pathname() else {
            return;
        };
        let mut parts = Vec::new();
        if let Some(object) = &self.object {
            let encoded: String = js_sys::encode_uri_component(object).into();
            parts.push(format!("object={}", encoded.replace("%2F", "/")));
        }
        if self.layout == Layout::Split {
            parts.push("view=split".to_owned());
        }
        let url = if parts.is_empty() {
            path
        } else {
            format!("{path}?{}", parts.join("&"))
        };
        if let Ok(history) = window().history() {
            let state = history.state().unwrap_or(JsValue::NULL);
            // Refused only for foreign addresses.
            let _ = history.replace_state_with_url(&state, "", Some(&url));
        }
    }
}
