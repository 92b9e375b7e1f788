//! From the emulator's pens to the 16 colors a page has rules for.

use app::model::{TextMark, TextStyle};
use avt::{Color, Pen, Rgb};

/// The 16 as xterm has them; only for finding the nearest one.
const PALETTE: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];
/// The steps of the 6 × 6 × 6 cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

pub fn style(pen: &Pen) -> TextStyle {
    TextStyle {
        foreground: pen.foreground().map(nearest),
        background: pen.background().map(nearest),
        marks: 0,
    }
    .with(TextMark::Bold, pen.is_bold())
    .with(TextMark::Faint, pen.is_faint())
    .with(TextMark::Italic, pen.is_italic())
    .with(TextMark::Underline, pen.is_underline())
    .with(TextMark::Struck, pen.is_strikethrough())
    .with(TextMark::Inverse, pen.is_inverse())
}

fn nearest(color: Color) -> u8 {
    let Rgb { r, g, b } = match color {
        Color::Indexed(index @ 0..=15) => return index,
        Color::Indexed(index @ 16..=231) => {
            let cube = usize::from(index - 16);
            Rgb::new(STEPS[cube / 36], STEPS[cube / 6 % 6], STEPS[cube % 6])
        }
        Color::Indexed(index @ 232..=255) => {
            let grey = 8 + (index - 232) * 10;
            Rgb::new(grey, grey, grey)
        }
        Color::RGB(rgb) => rgb,
    };
    let distance = |other: (u8, u8, u8)| {
        let part = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        // The eye sees green best and blue worst.
        3 * part(r, other.0) + 6 * part(g, other.1) + part(b, other.2)
    };
    let all = (0_u8..16).zip(PALETTE);
    all.min_by_key(|(_, other)| distance(*other))
        .map_or(7, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_color_becomes_one_of_the_sixteen() {
        assert_eq!(nearest(Color::Indexed(9)), 9);
        assert_eq!(nearest(Color::Indexed(16)), 0);
        assert_eq!(nearest(Color::Indexed(196)), 9);
        assert_eq!(nearest(Color::Indexed(231)), 15);
        assert_eq!(nearest(Color::Indexed(244)), 8);
        assert_eq!(nearest(Color::rgb(20, 190, 30)), 2);
        for index in 0..=255 {
            assert!(nearest(Color::Indexed(index)) < 16);
        }
    }
}
