//! Parts that know no domain: how things look and behave, in one place.

mod button;
mod card;
mod code;
mod copy_button;
mod dialog;
mod empty;
mod field;
mod icon;
mod key_value;
mod log_view;
mod modal;
mod notice;
mod progress;
mod select;
mod skip_link;
mod status_badge;
mod tabs;
mod tone;

pub use button::{Button, ButtonKind, LinkButton};
pub use card::Card;
pub use code::CommandBlock;
pub use copy_button::CopyButton;
pub use dialog::{ConfirmDialog, DialogAct, DialogNote};
pub use empty::{EmptyMessage, Skeleton};
pub use field::TextField;
pub use icon::{Icon, IconShape};
pub use key_value::KeyValue;
pub use log_view::{LogRow, LogView};
pub use modal::Modal;
pub use notice::Notice;
pub use progress::{Meter, Progress};
pub use select::SelectField;
pub use skip_link::SkipLink;
pub use status_badge::{StatusBadge, StatusIcon};
pub use tabs::{TabPanel, Tabs};
pub use tone::Tone;
