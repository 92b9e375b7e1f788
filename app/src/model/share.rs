//! Letting people on the network watch: what everyone may know of it, and the link itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::UnixMillis;

/// That a link for viewers is open, and how many watch through it. The link is not in here: only the
/// operator's page asks for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharingView {
    /// Where viewers connect: `192.168.1.5:4748`.
    pub address: String,
    pub since: UnixMillis,
    /// Pages connected through the link now.
    pub watching: u32,
}

/// A link that lets whoever has it watch. Its token is a secret: it is in no state and no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareLink {
    pub url: String,
    pub qr: QrCode,
}

impl fmt::Debug for ShareLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareLink(…)")
    }
}

/// A QR code to draw: dark modules as the data of one SVG path, in units of a module.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QrCode {
    /// Modules along one side, without the quiet zone.
    pub size: u32,
    pub path: String,
}

/// What it draws may be a secret.
impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QrCode(…)")
    }
}
