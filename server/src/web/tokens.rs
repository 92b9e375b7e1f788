//! The tokens of one start: whoever holds the operator's may act, whoever holds the viewer's may look.

use std::fmt;

use app::model::Role;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use rand::TryRngCore;
use rand::rngs::OsRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Two random tokens of 256 bits.
pub struct Tokens {
    operator: Zeroizing<String>,
    viewer: Zeroizing<String>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(…)")
    }
}

/// What a request's `Authorization` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// No such header.
    None,
    /// Something that is not one of the tokens.
    Wrong,
    Role(Role),
}

/// What decides who a request is from.
pub trait Keys: fmt::Debug + Send + Sync {
    /// Takes the same time however wrong a token is.
    fn bearer(&self, headers: &HeaderMap) -> Bearer;
}

/// The token a request presents; none without the header, an error for a header that is no such thing.
pub(super) fn presented(headers: &HeaderMap) -> Result<Option<&[u8]>, NotAToken> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match value.as_bytes().split_at_checked(7) {
        Some((scheme, token))
            if scheme.eq_ignore_ascii_case(b"bearer ") && values.next().is_none() =>
        {
            Ok(Some(token))
        }
        _ => Err(NotAToken),
    }
}

/// The header is there and holds no bearer token, or is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAToken;

impl Tokens {
    /// Makes new ones. Fails only when the system has no randomness to give.
    pub fn generate() -> std::io::Result<Self> {
        Ok(Self {
            operator: random_token()?,
            viewer: random_token()?,
        })
    }

    pub fn operator(&self) -> &str {
        &self.operator
    }

    pub fn viewer(&self) -> &str {
        &self.viewer
    }
}

impl Keys for Tokens {
    fn bearer(&self, headers: &HeaderMap) -> Bearer {
        let token = match presented(headers) {
            Ok(None) => return Bearer::None,
            Ok(Some(token)) => token,
            Err(NotAToken) => return Bearer::Wrong,
        };
        let is_operator = token.ct_eq(self.operator.as_bytes());
        let is_viewer = token.ct_eq(self.viewer.as_bytes());
        match (bool::from(is_operator), bool::from(is_viewer)) {
            (true, _) => Bearer::Role(Role::Operator),
            (_, true) => Bearer::Role(Role::Viewer),
            _ => Bearer::Wrong,
        }
    }
}

pub(super) fn random_token() -> std::io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    OsRng
        .try_fill_bytes(bytes.as_mut_slice())
        .map_err(std::io::Error::other)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_tokens_count() {
        let tokens = Tokens::generate().expect("randomness");
        let bearer = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
            tokens.bearer(&headers)
        };
        let operator = tokens.operator();
        assert_eq!(
            bearer(&format!("Bearer {operator}")),
            Bearer::Role(Role::Operator)
        );
        assert_eq!(
            bearer(&format!("bearer {}", tokens.viewer())),
            Bearer::Role(Role::Viewer)
        );
        for wrong in [
            String::new(),
            "Bearer ".to_owned(),
            operator.to_owned(),
            format!("Basic {operator}"),
            format!("Bearer {}", &operator[..operator.len() - 1]),
            format!("Bearer {operator}x"),
        ] {
            assert_eq!(bearer(&wrong), Bearer::Wrong);
        }
        assert_eq!(tokens.bearer(&HeaderMap::new()), Bearer::None);
        assert_ne!(operator, tokens.viewer());
        assert_eq!(operator.len(), 43);
    }
}
