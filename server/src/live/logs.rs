//! The last lines of a container: bounded, redacted and without escape sequences.

use app::model::LogQuery;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, LogParams};

use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::engine::Redactor;
use crate::process::strip_escapes;

const MOST_LINES: u32 = 2_000;
const MOST_BYTES: i64 = 1_000_000;
const LONGEST_LINE: usize = 4_000;

/// The last lines, or none when they cannot be had: evidence, never the point.
pub async fn last_lines(
    client: &Client,
    namespace: &str,
    query: &LogQuery,
    redactor: &Redactor,
) -> Vec<String> {
    read(client, namespace, query, redactor)
        .await
        .unwrap_or_default()
}

async fn read(
    client: &Client,
    namespace: &str,
    query: &LogQuery,
    redactor: &Redactor,
) -> Result<Vec<String>, KubeError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = LogParams {
        container: (!query.container.is_empty()).then(|| query.container.clone()),
        previous: query.previous,
        tail_lines: Some(i64::from(query.tail.clamp(1, MOST_LINES))),
        limit_bytes: Some(MOST_BYTES),
        ..LogParams::default()
    };
    let text = within(REQUEST_LIMIT, api.logs(&query.pod, &params)).await?;
    Ok(clean(&text, redactor))
}

/// Redacted as a whole first, so that a value of several lines is found too.
fn clean(text: &str, redactor: &Redactor) -> Vec<String> {
    let plain = strip_escapes(text);
    redactor
        .redact(&plain)
        .lines()
        .map(|line| match line.char_indices().nth(LONGEST_LINE) {
            Some((at, _)) => format!("{}…", &line[..at]),
            None => line.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_plain_redacted_and_bounded() {
        let redactor = Redactor::default();
        redactor.learn("hunter2-hunter2");
        let long = "x".repeat(LONGEST_LINE + 10);
        let text = format!("\u{1b}[31mred\u{1b}[0m\nkey=hunter2-hunter2\n{long}\n");
        let lines = clean(&text, &redactor);
        assert_eq!(lines[0], "red");
        assert!(!lines[1].contains("hunter2"));
        assert_eq!(lines[2].chars().count(), LONGEST_LINE + 1);
    }
}
