//! Names with a PIN: just enough to find one's list again on another device.

use hmac::Hmac;
use sha2::Sha256;
use sqlx::Row;

use super::{DatabaseProblem, Store, now_ms};
use crate::{errors::ApiError, secret::Secret, visitors::Visitor};

/// Work for one check of a PIN, so that stolen hashes are not read at once.
const ITERATIONS: u32 = 60_000;
/// So many wrong PINs in a row close a name for [`CLOSED_MS`].
const MAX_FAILURES: i64 = 5;
const CLOSED_MS: i64 = 60_000;

/// A name of one to 40 characters; upper and lower case are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    folded: String,
    shown_as: String,
}

impl Name {
    /// Trims and folds white space, then checks the length.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let shown_as = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown_as: String = shown_as.chars().filter(|c| !c.is_control()).collect();
        match shown_as.chars().count() {
            1..=40 => Ok(Self {
                folded: shown_as.to_lowercase(),
                shown_as,
            }),
            _ => Err(ApiError::Invalid(
                "a name has 1 to 40 characters".to_owned(),
            )),
        }
    }
}

/// A PIN of 4 to 64 characters.
#[derive(Clone, Debug)]
pub struct Pin(Secret);

impl Pin {
    /// Checks the length; the value is never part of an error.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        match text.chars().count() {
            4..=64 => Ok(Self(Secret::new(text))),
            _ => Err(ApiError::Invalid("a PIN has 4 to 64 characters".to_owned())),
        }
    }

    async fn hash(&self, salt: String) -> String {
        let pin = self.0.clone();
        // Takes a tenth of a second on purpose, so not on a thread that serves others.
        let hash = tokio::task::spawn_blocking(move || {
            let mut out = [0_u8; 32];
            pbkdf2::pbkdf2::<Hmac<Sha256>>(
                pin.reveal().as_bytes(),
                salt.as_bytes(),
                ITERATIONS,
                &mut out,
            )
            .expect("HMAC takes a key of any length");
            hex::encode(out)
        });
        hash.await.expect("hashing does not panic")
    }
}

impl Store {
    /// The name of a visitor who signed in.
    pub async fn name_of(&self, visitor: &Visitor) -> Result<Option<String>, DatabaseProblem> {
        let row = sqlx::query("SELECT shown_as FROM accounts WHERE visitor = $1")
            .bind(visitor.id.as_str())
            .fetch_optional(self.ready_pool()?)
            .await?;
        Ok(row.map(|row| row.try_get("shown_as")).transpose()?)
    }

    /// The visitor of this name. A new name is given to `now`, with the list they already have,
    /// unless they have a name; then to `fresh`.
    pub async fn sign_in(
        &self,
        name: &Name,
        pin: &Pin,
        now: Option<Visitor>,
        fresh: Visitor,
    ) -> Result<Visitor, ApiError> {
        if let Some(visitor) = self.known(name, pin).await? {
            return Ok(visitor);
        }
        let visitor = match now {
            Some(now) if self.name_of(&now).await?.is_none() => now,
            _ => fresh,
        };
        let mut salt = [0_u8; 16];
        getrandom::fill(&mut salt).map_err(|_| ApiError::NoRandomness)?;
        let salt = hex::encode(salt);
        let hash = pin.hash(salt.clone()).await;
        let added = sqlx::query(
            "INSERT INTO accounts
             (name, shown_as, visitor, salt, pin_hash, failures, failed_at, created_at)
             VALUES ($1, $2, $3, $4, $5, 0, 0, $6) ON CONFLICT DO NOTHING",
        )
        .bind(name.folded.as_str())
        .bind(name.shown_as.as_str())
        .bind(visitor.id.as_str())
        .bind(salt)
        .bind(hash)
        .bind(now_ms())
        .execute(self.ready_pool()?)
        .await
        .map_err(DatabaseProblem::from)?;
        if added.rows_affected() == 1 {
            return Ok(visitor);
        }
        // Somebody was quicker by a moment; the PIN decides whether it was the same person.
        self.known(name, pin).await?.ok_or(ApiError::WrongPin)
    }

    /// None when nobody has this name.
    async fn known(&self, name: &Name, pin: &Pin) -> Result<Option<Visitor>, ApiError> {
        let row = sqlx::query(
            "SELECT visitor, salt, pin_hash, failures, failed_at FROM accounts WHERE name = $1",
        )
        .bind(name.folded.as_str())
        .fetch_optional(self.ready_pool()?)
        .await
        .map_err(DatabaseProblem::from)?;
        let Some(row) = row else { return Ok(None) };
        let read = |error: sqlx::Error| ApiError::from(DatabaseProblem::from(error));
        let failures: i64 = row.try_get("failures").map_err(read)?;
        let failed_at: i64 = row.try_get("failed_at").map_err(read)?;
        if failures >= MAX_FAILURES && now_ms() - failed_at < CLOSED_MS {
            return Err(ApiError::TooManyTries);
        }
        let salt: String = row.try_get("salt").map_err(read)?;
        let hash: String = row.try_get("pin_hash").map_err(read)?;
        let right = pin.hash(salt).await == hash;
        let (failures, failed_at) = if right {
            (0, 0)
        } else {
            (failures + 1, now_ms())
        };
        sqlx::query("UPDATE accounts SET failures = $1, failed_at = $2 WHERE name = $3")
            .bind(failures)
            .bind(failed_at)
            .bind(name.folded.as_str())
            .execute(self.ready_pool()?)
            .await
            .map_err(DatabaseProblem::from)?;
        if !right {
            return Err(ApiError::WrongPin);
        }
        let id = row.try_get("visitor").map_err(read)?;
        Ok(Some(Visitor { id }))
    }
}
