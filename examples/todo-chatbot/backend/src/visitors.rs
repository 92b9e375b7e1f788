//! Who is asking: a visitor with a token signed by this backend, anonymous until they sign in.
//! The frontend keeps the token in a cookie and hands it back in the `x-visitor` header.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    app::App,
    errors::ApiError,
    secret::Secret,
    store::accounts::{Name, Pin},
};

/// The header that carries the visitor token.
pub const VISITOR_HEADER: &str = "x-visitor";

/// An identified visitor; todos and conversation belong to this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// 32 hexadecimal digits.
    pub id: String,
}

impl Visitor {
    /// Somebody new.
    fn random() -> Result<Self, ApiError> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(|_| ApiError::NoRandomness)?;
        Ok(Self {
            id: hex::encode(bytes),
        })
    }
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

    /// A token for this visitor.
    pub fn issue(&self, visitor: &Visitor) -> String {
        let id = &visitor.id;
        let signature = hex::encode(self.mac(id).finalize().into_bytes());
        format!("v1.{id}.{signature}")
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

/// Body of `POST /api/session`; without one, an anonymous visitor is made.
#[derive(Debug, Deserialize)]
pub struct SignIn {
    name: String,
    pin: Secret,
}

/// `POST /api/session`: a token for a new visitor, or for the one of this name and PIN. A name
/// nobody has yet is given to the asking visitor.
pub async fn create(
    State(app): State<App>,
    asking: Result<Visitor, ApiError>,
    given: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let fresh = Visitor::random()?;
    let visitor = if given.is_empty() {
        fresh
    } else {
        // The parser's own words could quote the PIN.
        let given: SignIn = serde_json::from_slice(&given)
            .map_err(|_| ApiError::Invalid("a name and a PIN are needed".to_owned()))?;
        let name = Name::parse(&given.name)?;
        let pin = Pin::parse(given.pin.reveal())?;
        app.store.sign_in(&name, &pin, asking.ok(), fresh).await?
    };
    let token = app.signer.issue(&visitor);
    Ok((StatusCode::CREATED, Json(json!({"token": token}))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_only_valid_under_its_own_secret_and_unchanged() {
        let signer = Signer::new(Secret::new("a".repeat(32)));
        let token = signer.issue(&Visitor::random().unwrap());
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
