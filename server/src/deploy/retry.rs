//! Refusals that heal by themselves: tried again with growing pauses, and visibly.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::adapters::kube::apply::conflicts;
use crate::adapters::kube::client::KubeError;

/// How long the pauses are, and when it is known that it does not heal by itself.
struct Pauses {
    first: Duration,
    longest: Duration,
    in_all: Duration,
}

const PAUSES: Pauses = Pauses {
    first: Duration::from_millis(250),
    longest: Duration::from_secs(5),
    in_all: Duration::from_secs(60),
};

/// Why a refusal may be over in a moment; none when it will not be.
pub fn heals(error: &KubeError) -> Option<&'static str> {
    if error.is_unreachable() {
        return Some("the API server does not answer");
    }
    let status = error.status()?;
    match status.code {
        // Conflicts over fields stay; a lost race over the whole object does not.
        409 if conflicts(error).is_none() && status.reason != "AlreadyExists" => {
            Some("somebody wrote it at the same moment")
        }
        429 => Some("the API server asks for patience"),
        500..=504 if status.message.contains("webhook") => {
            Some("an admission webhook does not answer")
        }
        500..=504 => Some("the API server is not ready"),
        _ => None,
    }
}

/// Asks until it works, or will not, or has taken too long. `say` is told before each pause.
pub async fn patiently<T, F, Fut>(
    cancelled: &CancellationToken,
    say: impl FnMut(String),
    ask: F,
) -> Result<T, KubeError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, KubeError>>,
{
    with(&PAUSES, cancelled, say, ask).await
}

async fn with<T, F, Fut>(
    pauses: &Pauses,
    cancelled: &CancellationToken,
    mut say: impl FnMut(String),
    mut ask: F,
) -> Result<T, KubeError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, KubeError>>,
{
    let give_up = Instant::now() + pauses.in_all;
    let mut pause = pauses.first;
    let mut tries = 1;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let Some(why) = heals(&error).filter(|_| Instant::now() + pause < give_up) else {
            return Err(error);
        };
        tries += 1;
        say(format!("{why}; try {tries} in {} ms", pause.as_millis()));
        tokio::select! {
            () = cancelled.cancelled() => return Err(error),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(pauses.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn status(code: u16, reason: &str, message: &str) -> KubeError {
        KubeError::Kube(kube::Error::Api(Box::new(
            kube::core::Status::failure(message, reason).with_code(code),
        )))
    }

    #[test]
    fn what_heals_is_told_from_what_stays() {
        for (error, expected) in [
            (
                status(409, "Conflict", "the object has been modified"),
                true,
            ),
            (status(409, "AlreadyExists", "it exists"), false),
            (status(429, "TooManyRequests", "slow down"), true),
            (
                status(500, "InternalError", "failed calling webhook \"x\""),
                true,
            ),
            (status(503, "ServiceUnavailable", ""), true),
            (status(504, "Timeout", "Too large resource version"), true),
            (status(422, "Invalid", "field is immutable"), false),
            (status(403, "Forbidden", "exceeded quota"), false),
            (status(404, "NotFound", "namespaces \"t\" not found"), false),
            (KubeError::Silent(Duration::from_secs(1)), true),
        ] {
            assert_eq!(heals(&error).is_some(), expected, "{error:?}");
        }
    }

    const SHORT: Pauses = Pauses {
        first: Duration::from_millis(2),
        longest: Duration::from_millis(5),
        in_all: Duration::from_millis(60),
    };

    #[tokio::test]
    async fn it_is_tried_again_until_it_works_and_each_pause_is_told() {
        let asked = Cell::new(0);
        let mut told = Vec::new();
        let answer = with(
            &SHORT,
            &CancellationToken::new(),
            |text| told.push(text),
            || {
                asked.set(asked.get() + 1);
                let worked = asked.get() == 3;
                async move {
                    match worked {
                        true => Ok(7),
                        false => Err(status(503, "ServiceUnavailable", "")),
                    }
                }
            },
        )
        .await;
        assert_eq!(answer.ok(), Some(7));
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("try 2"));
    }

    #[tokio::test]
    async fn it_ends_in_time_and_at_once_when_nothing_heals() {
        let token = CancellationToken::new();
        let never = || async { Err::<(), _>(status(503, "ServiceUnavailable", "")) };
        assert!(with(&SHORT, &token, |_| {}, never).await.is_err());
        let mut told = 0;
        let invalid = || async { Err::<(), _>(status(422, "Invalid", "")) };
        assert!(with(&SHORT, &token, |_| told += 1, invalid).await.is_err());
        assert_eq!(told, 0);
    }
}
