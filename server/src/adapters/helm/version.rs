//! Which helm is here and whether it is one with known faults.

use std::ffi::OsString;
use std::time::Duration;

use crate::process::CommandSpec;

/// The helm to use: the one on `PATH`, or another one named in `SLIPWAY_HELM`.
pub fn program() -> OsString {
    std::env::var_os("SLIPWAY_HELM")
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| "helm".into())
}

/// Asks for the version.
pub fn version(program: impl Into<OsString>) -> CommandSpec {
    CommandSpec::new(program)
        .args(["version", "--template", "{{.Version}}"])
        .deadline(Duration::from_secs(8))
        .grace(Duration::from_secs(1))
}

/// A version as helm prints it: `v3.21.4` or `v4.2.4+g3900f43`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HelmVersion {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl HelmVersion {
    /// From here on 3 and 4 have the fixes Slipway relies on; older ones work with a warning.
    pub fn floor(major: u32) -> Self {
        let (minor, patch) = if major >= 4 { (1, 4) } else { (20, 2) };
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Helm 2 worked through a server-side part and is another tool.
    pub fn is_usable(self) -> bool {
        self.major >= 3
    }

    pub fn is_below_floor(self) -> bool {
        self < Self::floor(self.major)
    }
}

impl std::fmt::Display for HelmVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Reads the output of [`version`].
pub fn parse_version(stdout: &str) -> Option<HelmVersion> {
    let text = stdout.trim().strip_prefix('v')?;
    let core = text.split(['+', '-']).next()?;
    let mut numbers = core.split('.').map(|part| part.parse::<u32>().ok());
    let version = HelmVersion {
        major: numbers.next()??,
        minor: numbers.next()??,
        patch: numbers.next()??,
    };
    numbers.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_major_has_its_own_floor() {
        let below = |text: &str| parse_version(text).map(HelmVersion::is_below_floor);
        assert_eq!(below("v3.21.4+g813176c\n"), Some(false));
        assert_eq!(below("v3.20.1"), Some(true));
        assert_eq!(below("v4.2.4"), Some(false));
        assert_eq!(below("v4.1.3"), Some(true));
        assert_eq!(below("v4.1.4"), Some(false));
        assert_eq!(below("4.1.4"), None);
        assert_eq!(below("v4.x"), None);
        assert!(!parse_version("v2.17.0").expect("parses").is_usable());
    }
}
