//! This machine: its family of operating systems, its memory and its disks.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Decides how something is installed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OsFamily {
    Debian,
    Fedora,
    Arch,
    Alpine,
    /// Linux inside Windows; docker and minikube may live on the other side.
    Wsl,
    MacOs,
    OtherLinux,
}

impl OsFamily {
    /// Looks at this machine.
    pub fn detect() -> Self {
        if cfg!(target_os = "macos") {
            return Self::MacOs;
        }
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self::from_files(&read("/etc/os-release"), &read("/proc/version"))
    }

    /// From the text of `/etc/os-release` and `/proc/version`.
    fn from_files(os_release: &str, proc_version: &str) -> Self {
        if proc_version.to_ascii_lowercase().contains("microsoft") {
            return Self::Wsl;
        }
        let ids: Vec<String> = os_release
            .lines()
            .filter_map(|line| {
                line.strip_prefix("ID=")
                    .or_else(|| line.strip_prefix("ID_LIKE="))
            })
            .flat_map(|value| value.trim_matches('"').split_whitespace())
            .map(str::to_owned)
            .collect();
        let is = |names: &[&str]| ids.iter().any(|id| names.contains(&id.as_str()));
        if is(&["debian", "ubuntu"]) {
            Self::Debian
        } else if is(&["fedora", "rhel", "centos"]) {
            Self::Fedora
        } else if is(&["arch"]) {
            Self::Arch
        } else if is(&["alpine", "postmarketos"]) {
            Self::Alpine
        } else {
            Self::OtherLinux
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Debian => "Debian or Ubuntu",
            Self::Fedora => "Fedora",
            Self::Arch => "Arch",
            Self::Alpine => "Alpine",
            Self::Wsl => "Windows (WSL)",
            Self::MacOs => "macOS",
            Self::OtherLinux => "Linux",
        }
    }
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub total: u64,
    pub available: u64,
}

/// The machine's memory; none where the system does not say.
pub fn memory() -> Option<Memory> {
    parse_meminfo(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn parse_meminfo(text: &str) -> Option<Memory> {
    let kib = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
    };
    Some(Memory {
        total: kib("MemTotal")? * 1024,
        available: kib("MemAvailable")? * 1024,
    })
}

/// Free bytes for this user on the file system of a path.
pub fn free_disk(path: &Path) -> Option<u64> {
    let stats = statvfs(path).ok()?;
    // The fields' width differs between systems.
    #[expect(clippy::useless_conversion, reason = "they are narrower on macOS")]
    let free = u64::from(stats.blocks_available()).checked_mul(u64::from(stats.fragment_size()));
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_read_from_os_release() {
        let cases = [
            ("ID=debian\n", "Linux", OsFamily::Debian),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                "",
                OsFamily::Debian,
            ),
            ("ID=fedora\n", "", OsFamily::Fedora),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                "",
                OsFamily::Fedora,
            ),
            ("ID=manjaro\nID_LIKE=arch\n", "", OsFamily::Arch),
            ("ID=alpine\n", "", OsFamily::Alpine),
            ("ID=nixos\n", "", OsFamily::OtherLinux),
            ("", "", OsFamily::OtherLinux),
            (
                "ID=ubuntu\n",
                "Linux version 5.15-microsoft-standard-WSL2",
                OsFamily::Wsl,
            ),
        ];
        for (release, version, family) in cases {
            assert_eq!(OsFamily::from_files(release, version), family, "{release}");
        }
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let text = "MemTotal:  16000000 kB\nMemFree: 1 kB\nMemAvailable:   8000000 kB\n";
        let memory = parse_meminfo(text).expect("both are there");
        assert_eq!(memory.available, 8_192_000_000);
        assert_eq!(parse_meminfo("MemTotal: x kB"), None);
    }

    #[test]
    fn the_disk_of_this_folder_is_known() {
        assert!(free_disk(Path::new("/")).is_some());
        assert_eq!(free_disk(Path::new("/no/such/folder")), None);
    }
}
