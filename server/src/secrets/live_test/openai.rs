//! An OpenAI-compatible API: lists the models, then asks one of them for a single token, because
//! only that shows an exhausted quota.

use app::model::Finding;
use http::Method;
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::http::{Answer, Ask, Web};
use super::{Steps, words};

/// Where a key is meant for: what the app itself will use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAiTarget {
    /// `https://api.openai.com/v1`
    pub base_url: String,
    /// The model the app asks for; one of the list when the project names none.
    pub model: Option<String>,
    pub organization: Option<String>,
}

pub(super) async fn test(
    target: &OpenAiTarget,
    key: &str,
    steps: &mut Steps,
) -> Result<(), Finding> {
    let base = target.base_url.trim_end_matches('/');
    let url = match Url::parse(base) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => url,
        _ => return Err(steps.fail("URL", words::bad_base_url())),
    };
    let mut web = Web::open(&url, steps).await?;
    let authorization = Zeroizing::new(format!("Bearer {key}"));
    let headers = || {
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(
            target
                .organization
                .as_deref()
                .map(|organization| ("openai-organization", organization)),
        );
        headers
    };
    let prefix = url.path().trim_end_matches('/').to_owned();
    let models = web
        .ask(Ask {
            method: Method::GET,
            path: &format!("{prefix}/models"),
            headers: headers(),
            body: None,
        })
        .await;
    let models = match models {
        Ok(answer) => listed(&answer).map_err(|finding| steps.fail("Models", finding))?,
        Err(finding) => return Err(steps.fail("Models", finding)),
    };
    steps.pass(
        "Models",
        match models.len() {
            1 => "The key is accepted; it may use 1 model".to_owned(),
            many => format!("The key is accepted; it may use {many} models"),
        },
    );
    let wanted = target.model.as_deref().filter(|model| !model.is_empty());
    if let Some(wanted) = wanted
        && !models.is_empty()
        && !models.iter().any(|model| model == wanted)
    {
        return Err(steps.fail("Model", words::no_such_model(wanted)));
    }
    let Some(model) = wanted.map(str::to_owned).or_else(|| cheap(&models)) else {
        steps.note("No model to ask was found, so the quota is not known.");
        return Ok(());
    };
    if !web.is_open() {
        // Some servers close after every answer; that is known to work by now.
        web = Web::open(&url, &mut Steps::new(key)).await?;
    }
    let answer = web
        .ask(Ask {
            method: Method::POST,
            path: &format!("{prefix}/chat/completions"),
            headers: headers(),
            body: Some(json!({
                "model": model,
                "messages": [{"role": "user", "content": "ping"}],
                "max_completion_tokens": 1,
            })),
        })
        .await
        .map_err(|finding| steps.fail("Quota", finding))?;
    let code = answer.status.as_u16();
    match code {
        200..=299 => steps.pass("Quota", format!("{model} answered")),
        // It does not like the question, and it did not mind the key or the bill.
        400 | 404 | 405 | 422 => {
            steps.pass("Quota", "Nothing was said about a quota");
            steps.note(format!(
                "{model} did not answer the small question (HTTP {code}); the app may ask it differently."
            ));
        }
        _ => return Err(steps.fail("Quota", refused(&answer))),
    }
    Ok(())
}

/// The models in an answer, or why there are none.
fn listed(answer: &Answer) -> Result<Vec<String>, Finding> {
    if !answer.status.is_success() {
        return Err(refused(answer));
    }
    let json: Value = serde_json::from_slice(&answer.body).map_err(|_| words::not_compatible())?;
    let data = json["data"].as_array().ok_or_else(words::not_compatible)?;
    Ok(data
        .iter()
        .filter_map(|model| model["id"].as_str().map(str::to_owned))
        .collect())
}

/// The reason behind a refusal, by its status and its error's code.
fn refused(answer: &Answer) -> Finding {
    let status = answer.status.as_u16();
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &json["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (code, kind, message) = (
        text(&error["code"]),
        text(&error["type"]),
        text(&error["message"]),
    );
    let low = message.to_ascii_lowercase();
    let finding = match status {
        _ if code.contains("organization")
            || (matches!(status, 401 | 403 | 404) && low.contains("organization")) =>
        {
            words::wrong_organization()
        }
        401 if low.contains("ip not authorized") || code == "ip_not_authorized" => {
            words::address_not_allowed()
        }
        401 => words::key_refused(),
        403 if low.contains("country") || low.contains("region") => words::region(),
        403 => words::key_may_not(),
        402 => words::api_quota(),
        429 if code == "insufficient_quota"
            || kind == "insufficient_quota"
            || low.contains("quota") =>
        {
            words::api_quota()
        }
        429 => words::rate_limited(),
        404 => words::not_compatible(),
        300..=399 => words::redirected(status),
        500.. => words::server_broken(status),
        _ => words::api_refused(status),
    };
    match message.is_empty() {
        true => finding,
        false => finding.evidence(format!("HTTP {status}"), message),
    }
}

/// A small chat model of the list.
fn cheap(models: &[String]) -> Option<String> {
    let is_chat = |model: &&String| {
        ![
            "embed",
            "whisper",
            "tts",
            "dall",
            "image",
            "audio",
            "realtime",
            "moderation",
            "transcribe",
            "sora",
        ]
        .iter()
        .any(|other| model.contains(other))
    };
    let chat = || models.iter().filter(is_chat);
    chat()
        .find(|model| model.contains("nano"))
        .or_else(|| chat().find(|model| model.contains("mini")))
        .or_else(|| chat().next())
        .cloned()
}
