//! Keyed fingerprints: they tell whether a value is the one that was entered, and nothing else.
//! Without the key, which never leaves this machine, not even a short value can be guessed from one.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::reads::SecretRead;

/// On pod templates: stands for the secret values the pods start with.
pub const FINGERPRINT_ANNOTATION: &str = "slipway.dev/secret-fingerprint";

const FILE: &str = "fingerprint.key";
const KEY_BYTES: usize = 32;
/// Hex digits shown and stored: enough to tell values apart.
const DIGITS: usize = 12;

/// The per-install key.
#[derive(Clone)]
pub struct FingerprintKey(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

impl FingerprintKey {
    /// The key of this state folder, made at first use, readable by its owner only.
    pub fn open(state_dir: &Path) -> std::io::Result<Self> {
        let path = state_dir.join(FILE);
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match created {
            Ok(mut file) => {
                let key = Self::random();
                file.write_all(key.0.as_slice())?;
                file.sync_all()?;
                Ok(key)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let mut key = Zeroizing::new([0; KEY_BYTES]);
                let mut file = std::fs::File::open(&path)?;
                match file.read_exact(key.as_mut_slice()) {
                    Ok(()) => Ok(Self(key)),
                    // Cut off by a crash while it was written: nothing can have been made with it.
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                        std::fs::remove_file(&path)?;
                        Self::open(state_dir)
                    }
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    pub fn random() -> Self {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(key.as_mut_slice());
        Self(key)
    }

    /// The fingerprint of a value under its name; the same value under another name has another.
    pub fn of(&self, key: &str, value: &[u8]) -> String {
        let mut mac = self.mac();
        mac.update(key.as_bytes());
        mac.update(&[0]);
        mac.update(value);
        short(mac)
    }

    /// One fingerprint for everything a pod reads from the Secret `secret`; none when it reads
    /// nothing of it.
    pub fn of_reads(
        &self,
        secret: &str,
        reads: &[SecretRead],
        fingerprints: &BTreeMap<String, String>,
    ) -> Option<String> {
        let reads: Vec<&SecretRead> = reads.iter().filter(|read| read.secret == secret).collect();
        if reads.is_empty() {
            return None;
        }
        let all = reads.iter().any(|read| read.key.is_none());
        let mut mac = self.mac();
        for (key, fingerprint) in fingerprints {
            if all || reads.iter().any(|read| read.key.as_ref() == Some(key)) {
                mac.update(key.as_bytes());
                mac.update(&[0]);
                mac.update(fingerprint.as_bytes());
                mac.update(&[0]);
            }
        }
        Some(short(mac))
    }

    /// A key for another purpose, from which nothing can be learned about this one.
    pub fn derived(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut mac = self.mac();
        mac.update(b"derived\0");
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC takes a key of any length")
    }
}

fn short(mac: Hmac<Sha256>) -> String {
    let mut text = hex::encode(mac.finalize().into_bytes());
    text.truncate(DIGITS);
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_fingerprint_depends_on_value_name_and_install() {
        let (one, two) = (FingerprintKey::random(), FingerprintKey::random());
        assert_eq!(one.of("A", b"x"), one.of("A", b"x"));
        assert_ne!(one.of("A", b"x"), one.of("A", b"y"));
        assert_ne!(one.of("A", b"x"), one.of("B", b"x"));
        assert_ne!(one.of("A", b"x"), two.of("A", b"x"));
        assert_ne!(one.of("A", b"bx"), one.of("Ab", b"x"));
        assert_eq!(one.of("A", b"x").len(), DIGITS);
    }

    #[test]
    fn the_key_survives_a_restart_and_a_crash_while_it_was_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = FingerprintKey::open(dir.path()).expect("made");
        let again = FingerprintKey::open(dir.path()).expect("read");
        assert_eq!(first.of("A", b"x"), again.of("A", b"x"));
        let path = dir.path().join(FILE);
        let mode = std::fs::metadata(&path)
            .expect("exists")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, b"short").expect("written");
        assert!(FingerprintKey::open(dir.path()).is_ok());
    }

    #[test]
    fn only_keys_that_are_read_count() {
        let key = FingerprintKey::random();
        let read = |name: Option<&str>| SecretRead {
            secret: "s".into(),
            key: name.map(str::to_owned),
            optional: false,
        };
        let with = |b: &str| {
            BTreeMap::from([
                ("A".to_owned(), "1".to_owned()),
                ("B".to_owned(), b.to_owned()),
            ])
        };
        let of = |reads: &[SecretRead], b: &str| key.of_reads("s", reads, &with(b));
        assert_eq!(of(&[read(Some("A"))], "2"), of(&[read(Some("A"))], "3"));
        assert_ne!(of(&[read(None)], "2"), of(&[read(None)], "3"));
        assert_eq!(of(&[], "2"), None);
        assert_eq!(key.of_reads("other", &[read(None)], &with("2")), None);
    }
}
