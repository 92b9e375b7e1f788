//! Tokens of ServiceAccounts: signed by this cluster, for a while, and only as long as the account
//! exists.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;

use super::super::kinds;
use super::super::objects::seconds_text;
use super::super::request::Target;
use super::super::serve::ApiServer;
use super::super::status::{FieldError, StatusError};
use super::Identity;

/// The cluster's name for itself in tokens.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const DEFAULT_SECONDS: i64 = 3600;
const SHORTEST_SECONDS: i64 = 600;

/// The key that signs tokens.
pub struct TokenKey([u8; 32]);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

impl TokenKey {
    /// Reads the key kept in this file, or makes and keeps a new one.
    pub fn open(file: &Path) -> std::io::Result<Self> {
        if let Ok(kept) = std::fs::read(file)
            && let Ok(key) = kept.try_into()
        {
            return Ok(Self(key));
        }
        let key: [u8; 32] = rand::random();
        super::super::certs::write_private(file, &key)?;
        Ok(Self(key))
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(text.as_bytes());
        mac
    }

    fn sign(&self, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(self.mac(&signed).finalize().into_bytes());
        format!("{signed}.{signature}")
    }

    /// The claims of a token we signed.
    fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(signed).verify_slice(&signature).ok()?;
        let (_, claims) = signed.split_once('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

/// The token a request carries.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::trim)
}

/// The ServiceAccount of a valid token.
pub fn authenticate(api: &ApiServer, token: &str) -> Option<Identity> {
    let claims = api.tokens.verify(token)?;
    if claims["exp"].as_i64()? <= Timestamp::now().as_second() {
        return None;
    }
    let about = &claims["kubernetes.io"];
    let namespace = about["namespace"].as_str()?;
    let account = &about["serviceaccount"];
    let (name, uid) = (account["name"].as_str()?, account["uid"].as_str()?);
    let kind = kinds::by_kind("", "ServiceAccount")?;
    let stored = api.store.get(kind, namespace, name)?;
    // A recreated account is another one.
    (stored["metadata"]["uid"] == uid)
        .then(|| Identity::service_account(namespace, name, Some(uid)))
}

/// Answers a TokenRequest for a ServiceAccount.
pub fn create(api: &ApiServer, target: &Target, request: &Value) -> Result<Value, StatusError> {
    let name = target.name()?;
    let account = api
        .store
        .get(target.kind, target.ns(), name)
        .ok_or_else(|| StatusError::not_found(&target.kind.resource(), name))?;
    let spec = &request["spec"];
    let seconds = spec["expirationSeconds"]
        .as_i64()
        .unwrap_or(DEFAULT_SECONDS);
    if seconds < SHORTEST_SECONDS {
        let error = FieldError::invalid(
            "spec.expirationSeconds",
            &seconds.into(),
            "may not specify a duration less than 10 minutes",
        );
        return Err(StatusError::invalid(
            "authentication.k8s.io",
            "TokenRequest",
            "",
            &[error],
        ));
    }
    let audiences = match &spec["audiences"] {
        Value::Array(list) if !list.is_empty() => Value::Array(list.clone()),
        _ => json!([ISSUER]),
    };
    let now = Timestamp::now();
    // Beyond a century nothing is promised.
    let until = now + SignedDuration::from_secs(seconds.min(100 * 366 * 24 * 3600));
    let token = api.tokens.sign(&json!({
        "aud": audiences, "exp": until.as_second(), "iat": now.as_second(), "nbf": now.as_second(),
        "iss": ISSUER, "jti": uuid::Uuid::new_v4().to_string(),
        "kubernetes.io": {
            "namespace": target.ns(),
            "serviceaccount": {"name": name, "uid": account["metadata"]["uid"]}
        },
        "sub": format!("system:serviceaccount:{}:{name}", target.ns()),
    }));
    Ok(json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": name, "namespace": target.ns(), "creationTimestamp": seconds_text(now)
        },
        "spec": {
            "audiences": audiences, "expirationSeconds": seconds,
            "boundObjectRef": spec["boundObjectRef"]
        },
        "status": {"token": token, "expirationTimestamp": seconds_text(until)}
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_unchanged_tokens_are_read() {
        let (ours, other) = (TokenKey([1; 32]), TokenKey([2; 32]));
        let token = ours.sign(&json!({"sub": "robot"}));
        assert_eq!(ours.verify(&token), Some(json!({"sub": "robot"})));
        assert_eq!(other.verify(&token), None);
        assert_eq!(ours.verify(&token[1..]), None);
        assert_eq!(ours.verify(""), None);
    }

    #[test]
    fn the_key_is_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("token.key");
        let first = TokenKey::open(&file).expect("made").sign(&json!({}));
        assert!(
            TokenKey::open(&file)
                .expect("read")
                .verify(&first)
                .is_some()
        );
    }
}
