//! How many columns and rows there is room for.

use leptos::html;
use leptos::prelude::*;

use crate::model::TerminalSize;

/// As many characters of one width.
pub const RULER: &str = "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM";
/// On either side of the rows, in CSS pixels, as the style has it.
const PADDING: f64 = 12.0;

/// The elements that are measured; copy it freely.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    pub pane: NodeRef<html::Div>,
    pub ruler: NodeRef<html::Span>,
}

impl Measure {
    pub fn new() -> Self {
        Self {
            pane: NodeRef::new(),
            ruler: NodeRef::new(),
        }
    }

    /// What there is room for; the usual size as long as that is not known.
    pub fn size(self) -> TerminalSize {
        let (Some(pane), Some(ruler)) = (self.pane.get_untracked(), self.ruler.get_untracked())
        else {
            return TerminalSize::default();
        };
        let rect = ruler.get_bounding_client_rect();
        let column = rect.width() / RULER.len() as f64;
        // Without the scroll bar, for which there is always room.
        let width = f64::from(pane.client_width()) - 2.0 * PADDING;
        let height = f64::from(pane.client_height()) - 2.0 * PADDING;
        fitting(width / column, height / rect.height())
    }

    pub fn is_at_end(self) -> bool {
        self.pane
            .get_untracked()
            .is_none_or(|pane| pane.scroll_top() + pane.client_height() >= pane.scroll_height() - 8)
    }

    pub fn scroll_to_end(self) {
        if let Some(pane) = self.pane.try_get_untracked().flatten() {
            pane.set_scroll_top(pane.scroll_height());
        }
    }
}

/// Of room for so many columns and rows.
fn fitting(columns: f64, rows: f64) -> TerminalSize {
    if !columns.is_finite() || !rows.is_finite() || columns < 1.0 || rows < 1.0 {
        return TerminalSize::default();
    }
    // Saturates: no screen has more.
    let whole = |room: f64| room as u16;
    TerminalSize {
        columns: whole(columns),
        rows: whole(rows),
    }
    .clamped()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_columns_and_rows_count_and_nothing_is_not_no_size() {
        let size = fitting(81.9, 24.2);
        assert_eq!((size.columns, size.rows), (81, 24));
        assert_eq!(fitting(f64::NAN, 3.0), TerminalSize::default());
        assert_eq!(fitting(0.0, 0.0), TerminalSize::default());
        let tiny = fitting(3.0, 2.0);
        assert_eq!((tiny.columns, tiny.rows), (20, 4));
    }
}
