//! The link as a QR code: its dark modules as one SVG path, so that the page draws it without any
//! code of its own.

use std::fmt::Write as _;

use app::model::QrCode;
use qrcode::{Color, EcLevel};

/// Draws a text of at most a few hundred bytes; a longer one than a code can hold gives an empty code.
pub fn draw(text: &str) -> QrCode {
    let Ok(code) = qrcode::QrCode::with_error_correction_level(text, EcLevel::M) else {
        return QrCode {
            size: 0,
            path: String::new(),
        };
    };
    let width = code.width();
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run[0] == Color::Dark {
                // Writing to a String does not fail.
                let _ = write!(path, "M{x} {y}h{0}v1h-{0}z", run.len());
            }
            x += run.len();
        }
    }
    QrCode {
        size: u32::try_from(width).unwrap_or(u32::MAX),
        path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts the path's runs back onto a grid.
    fn modules(code: &QrCode) -> Vec<Vec<bool>> {
        let size = code.size as usize;
        let mut grid = vec![vec![false; size]; size];
        for run in code.path.split('M').skip(1) {
            let (place, rest) = run.split_once('h').expect("a run");
            let (x, y) = place.split_once(' ').expect("two coordinates");
            let length = rest.split_once('v').expect("a height").0;
            let [x, y, length] =
                [x, y, length].map(|text| text.parse::<usize>().expect("a number"));
            grid[y][x..x + length].fill(true);
        }
        grid
    }

    #[test]
    fn the_path_draws_exactly_the_dark_modules() {
        let text = "http://192.168.1.5:4748/demo#token=abc";
        let drawn = draw(text);
        let code = qrcode::QrCode::with_error_correction_level(text, EcLevel::M).expect("a code");
        let expected: Vec<Vec<bool>> = code
            .to_colors()
            .chunks(code.width())
            .map(|row| row.iter().map(|color| *color == Color::Dark).collect())
            .collect();
        assert_eq!(modules(&drawn), expected);
        // The finder pattern: a dark square of seven in the corner.
        assert!(drawn.path.starts_with("M0 0h7v1h-7z"));
    }

    #[test]
    fn what_no_code_can_hold_is_an_empty_one() {
        assert_eq!(draw(&"x".repeat(10_000)).size, 0);
    }
}
