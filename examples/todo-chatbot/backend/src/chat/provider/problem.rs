//! Every way the provider can fail, as a case of its own.

use axum::http::StatusCode;
use serde_json::Value;

/// Why the provider gave no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderProblem {
    /// 401 or 403.
    #[error("The AI provider refused the key. Check OPENAI_API_KEY.")]
    BadKey,
    /// 429 with `insufficient_quota`.
    #[error("The AI provider says this account's quota is used up. Check its plan and billing.")]
    Quota,
    /// Any other 429.
    #[error("The AI provider is asked too often right now. Try again in a moment.")]
    RateLimited,
    /// 404: no such model, or a wrong base address.
    #[error(
        "The AI provider does not know this model or address. Check OPENAI_MODEL and OPENAI_BASE_URL."
    )]
    NotFound,
    /// 5xx.
    #[error("The AI provider has trouble of its own. Try again in a moment.")]
    Broken,
    /// Any other refusal.
    #[error("The AI provider refused the request.")]
    Refused,
    /// No connection.
    #[error("The AI provider cannot be reached. Check OPENAI_BASE_URL and the network.")]
    Unreachable,
    /// No answer before the deadline.
    #[error("The AI provider took too long to answer. Try again in a moment.")]
    Timeout,
    /// An answer that is not a chat completion.
    #[error("The AI provider answered with something that is not a chat message.")]
    Malformed,
    /// The model kept calling tools and never came to an end.
    #[error("The assistant did not come to an end. What it did so far is on your list.")]
    NoEnd,
}

impl ProviderProblem {
    /// A stable name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadKey => "bad_key",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::NotFound => "not_found",
            Self::Broken => "provider_error",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::NoEnd => "no_end",
        }
    }
}

/// What a refusal means. Its text is not passed on: some providers quote the key in it.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> ProviderProblem {
    match status.as_u16() {
        401 | 403 => ProviderProblem::BadKey,
        404 => ProviderProblem::NotFound,
        408 => ProviderProblem::Timeout,
        429 => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let error = &body["error"];
            let quota = Value::from("insufficient_quota");
            if error["code"] == quota || error["type"] == quota {
                ProviderProblem::Quota
            } else {
                ProviderProblem::RateLimited
            }
        }
        500..=599 => ProviderProblem::Broken,
        _ => ProviderProblem::Refused,
    }
}
