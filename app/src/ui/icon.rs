//! The few line icons that are not states.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IconShape {
    ArrowRight,
    Bolt,
    Check,
    Copy,
    External,
    Eye,
    EyeOff,
    Screen,
    Share,
    Sun,
    Moon,
    Halves,
    Refresh,
    Down,
}

impl IconShape {
    fn path(self) -> &'static str {
        match self {
            Self::ArrowRight => r#"<path d="M3 8h10M9 4l4 4-4 4"/>"#,
            Self::Bolt => r#"<path d="M8.800 1.800L3.500 9h4l-.7 5.200L12.500 7H8.300z"/>"#,
            Self::Check => r#"<path d="M3 8.5l3.2 3.2L13 4.8"/>"#,
            Self::Copy => {
                r#"<rect x="5.5" y="5.5" width="8" height="8" rx="1.8"/><path d="M10.5 5.5v-1A1.8 1.8 0 0 0 8.700 2.700H4.500A1.800 1.800 0 0 0 2.700 4.500v4.200a1.800 1.800 0 0 0 1.800 1.800h1"/>"#
            }
            Self::External => {
                r#"<path d="M9.500 2.700h3.800v3.800M13 3L7.500 8.500M11.500 9.500v2.300a1.500 1.500 0 0 1-1.500 1.500H4.200a1.500 1.500 0 0 1-1.500-1.500V6a1.500 1.500 0 0 1 1.500-1.500h2.300"/>"#
            }
            Self::Eye => {
                r#"<path d="M1.500 8S3.800 3.500 8 3.500 14.500 8 14.500 8 12.200 12.500 8 12.500 1.500 8 1.500 8z"/><circle cx="8" cy="8" r="1.900"/>"#
            }
            Self::EyeOff => {
                r#"<path d="M6.400 3.700A6 6 0 0 1 8 3.500c4.200 0 6.500 4.500 6.500 4.500a11 11 0 0 1-1.700 2.300M4 4.900A11 11 0 0 0 1.500 8S3.800 12.500 8 12.500c1.200 0 2.300-.4 3.100-.900M2.500 2.500l11 11"/>"#
            }
            Self::Screen => {
                r#"<rect x="1.700" y="2.700" width="12.600" height="8.300" rx="1.500"/><path d="M5.500 13.600h5"/>"#
            }
            Self::Share => {
                r#"<circle cx="4" cy="8" r="1.900"/><circle cx="12" cy="3.700" r="1.900"/><circle cx="12" cy="12.300" r="1.900"/><path d="M5.700 7.100l4.600-2.500M5.700 8.900l4.600 2.500"/>"#
            }
            Self::Sun => {
                r#"<circle cx="8" cy="8" r="2.800"/><path d="M8 1.500v1.300M8 13.200v1.300M1.500 8h1.300M13.200 8h1.300M3.400 3.400l.9.9M11.700 11.700l.9.9M12.600 3.400l-.9.9M4.300 11.700l-.9.9"/>"#
            }
            Self::Moon => {
                r#"<path d="M13.500 9.700A6 6 0 1 1 6.300 2.500a4.900 4.900 0 0 0 7.200 7.200z"/>"#
            }
            Self::Halves => {
                r#"<circle cx="8" cy="8" r="6"/><path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor"/>"#
            }
            Self::Refresh => {
                r#"<path d="M13.300 8a5.300 5.300 0 1 1-1.600-3.800M13.400 1.900v2.900h-2.900"/>"#
            }
            Self::Down => r#"<path d="M4 6.500l4 4 4-4"/>"#,
        }
    }
}

/// An ornament: the words beside it carry the meaning.
#[component]
pub fn Icon(#[prop(into)] shape: Signal<IconShape>) -> impl IntoView {
    view! {
        <svg
            class="icon"
            viewBox="0 0 16 16"
            aria-hidden="true"
            focusable="false"
            inner_html=move || shape.get().path()
        ></svg>
    }
    .into_any()
}
