//! Dark or light: the system's wish unless the person chose otherwise, remembered per browser.

use leptos::prelude::*;

const KEY: &str = "slipway.theme";

/// What the person chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// The next one when the toggle is pressed.
    pub fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// The stored choice. Only in a browser.
pub fn stored() -> Theme {
    storage()
        .and_then(|storage| storage.get_item(KEY).ok().flatten())
        .map_or(Theme::System, |word| Theme::from_word(&word))
}

/// Puts the stored choice on the document. Only in a browser.
pub fn apply_stored() {
    apply(stored());
}

/// Shows a theme and remembers it. Only in a browser.
pub fn choose(theme: Theme) {
    if let Some(storage) = storage() {
        // A browser that refuses storage still gets the theme, for this page.
        let _ = storage.set_item(KEY, theme.word());
    }
    apply(theme);
}

fn apply(theme: Theme) {
    let Some(root) = document().document_element() else {
        return;
    };
    let _ = match theme {
        Theme::System => root.remove_attribute("data-theme"),
        Theme::Light | Theme::Dark => root.set_attribute("data-theme", theme.word()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toggle_visits_every_theme_and_words_survive_storage() {
        let mut theme = Theme::default();
        for _ in 0..3 {
            assert_eq!(Theme::from_word(theme.word()), theme);
            theme = theme.next();
        }
        assert_eq!(theme, Theme::default());
        assert_eq!(Theme::from_word("chartreuse"), Theme::System);
    }
}
