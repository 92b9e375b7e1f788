//! Who is asking: an anonymous visitor with a token signed by this backend.
//! The frontend keeps the token in a cookie and hands it back in the `x-visitor` header.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{app::App, errors::ApiError, secret::Secret};

/// The header that carries the visitor token.
pub const VISITOR_HEADER: &str = "x-visitor";

/// An identified visitor; todos and conversation belong to this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// 32 hexadecimal digits.
    pub id: String,
}

/// Issues and checks visitor tokens: `v1.<id>.<signature>`.
#[derive(Clone, Debug)]
pub struct Signer(Secret);

impl Signer {
    /// Signs with `secret`; tokens signed with another one are refused.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    fn mac(&self, id: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.reveal().as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(b"visitor/v1/");
        mac.update(id.as_bytes());
        mac
    }

    /// A token for a new random visitor.
    pub fn issue(&self) -> Result<String, getrandom::Error> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)?;
        let id = hex::encode(bytes);
        let signature = hex::encode(self.mac(&id).finalize().into_bytes());
        Ok(format!("v1.{id}.{signature}"))
    }

    /// The visitor of a token, if this backend signed it.
    pub fn check(&self, token: &str) -> Option<Visitor> {
        let (id, signature) = token.strip_prefix("v1.")?.split_once('.')?;
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let signature = hex::decode(signature).ok()?;
        self.mac(id).verify_slice(&signature).ok()?;
        Some(Visitor { id: id.to_owned() })
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        parts
            .headers
            .get(VISITOR_HEADER)
            .and_then(|value| value.to_str().ok())
            .and_then(|token| app.signer.check(token))
            .ok_or(ApiError::NoSession)
    }
}

/// `POST /api/session`: a token for a new visitor.
pub async fn create(State(app): State<App>) -> (StatusCode, Json<Value>) {
    match app.signer.issue() {
        Ok(token) => (StatusCode::CREATED, Json(json!({"token": token}))),
        Err(error) => {
            tracing::error!(%error, "the system gave no random numbers");
            let message = "no session could be made";
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                Json(json!({"error": {"code": "internal", "message": message}})),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_only_valid_under_its_own_secret_and_unchanged() {
        let signer = Signer::new(Secret::new("a".repeat(32)));
        let token = signer.issue().unwrap();
        let visitor = signer.check(&token).unwrap();
        assert_eq!(visitor.id.len(), 32);
        assert_eq!(Signer::new(Secret::new("b".repeat(32))).check(&token), None);
        let other = token.replace(&visitor.id, &"0".repeat(32));
        assert_eq!(signer.check(&other), None);
        for junk in ["", "v1.", "v1..", "v2.x.y", &token[..token.len() - 1]] {
            assert_eq!(signer.check(junk), None, "{junk}");
        }
    }
}
