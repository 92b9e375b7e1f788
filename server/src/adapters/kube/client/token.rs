//! Tokens that do not last: of a file that is written anew, or of a login program.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::login::{Login, LoginError};

/// A file is read again after this long, as client-go does.
const FILE_LASTS: Duration = Duration::from_secs(60);
/// A token this near to its end is not used any more.
const BEFORE_END: Duration = Duration::from_secs(60);
/// After a refusal the program is not asked again sooner than this.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Where the token comes from, and the one in use.
#[derive(Debug)]
pub(super) struct TokenSource {
    from: From,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
enum From {
    File(PathBuf),
    Program(Box<Login>),
}

#[derive(Debug)]
struct Held {
    header: HeaderValue,
    fetched: Instant,
    /// By the wall clock, as the program said.
    ends: Option<Timestamp>,
    /// The API server refused it.
    stale: bool,
}

impl TokenSource {
    pub fn file(path: PathBuf) -> Self {
        Self {
            from: From::File(path),
            held: Mutex::default(),
        }
    }

    /// Of a program that just gave this token.
    pub fn program(login: Login, token: &str, ends: Option<Timestamp>) -> Result<Self, LoginError> {
        let held = Held::new(token, ends).ok_or_else(|| login.nonsense("its token is no text"))?;
        Ok(Self {
            from: From::Program(Box::new(login)),
            held: Mutex::new(Some(held)),
        })
    }

    /// The header of a token that is still good, fetching another one where needed.
    pub async fn header(&self) -> Result<HeaderValue, LoginError> {
        let mut held = self.held.lock().await;
        if let Some(held) = &*held
            && held.is_good(matches!(self.from, From::File(_)))
        {
            return Ok(held.header.clone());
        }
        let fresh = match &self.from {
            From::File(path) => self.read(path).await,
            From::Program(login) => self.ask(login).await,
        };
        match (fresh, &mut *held) {
            (Ok(fresh), held) => {
                let header = fresh.header.clone();
                *held = Some(fresh);
                Ok(header)
            }
            // Some remove the file after the start; the last one that was read goes on.
            (Err(_), Some(old)) if matches!(self.from, From::File(_)) => {
                old.fetched = Instant::now();
                Ok(old.header.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The API server did not take it.
    pub async fn is_stale(&self) {
        if let Some(held) = &mut *self.held.lock().await {
            held.stale = true;
        }
    }

    async fn read(&self, path: &PathBuf) -> Result<Held, LoginError> {
        let unreadable = |why: String| LoginError::TokenFile {
            path: path.display().to_string(),
            why,
        };
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        let text = Zeroizing::new(text);
        Held::new(text.trim(), None).ok_or_else(|| unreadable("it holds no token".to_owned()))
    }

    async fn ask(&self, login: &Login) -> Result<Held, LoginError> {
        let given = login.ask().await?;
        let token = given
            .token
            .ok_or_else(|| login.nonsense("it gave no token this time"))?;
        Held::new(&token, given.ends).ok_or_else(|| login.nonsense("its token is no text"))
    }
}

impl Held {
    fn new(token: &str, ends: Option<Timestamp>) -> Option<Self> {
        let text = Zeroizing::new(format!("Bearer {}", token.trim()));
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        (!token.trim().is_empty()).then(|| Self {
            header,
            fetched: Instant::now(),
            ends,
            stale: false,
        })
    }

    fn is_good(&self, is_file: bool) -> bool {
        let age = self.fetched.elapsed();
        if is_file {
            return age < FILE_LASTS && !(self.stale && age > ASK_AGAIN);
        }
        let has_ended = self
            .ends
            .is_some_and(|ends| Timestamp::now() + BEFORE_END >= ends);
        // A program that gives tokens which have ended already is not asked for every request.
        age < ASK_AGAIN || !(has_ended || self.stale)
    }
}
