//! What a visitor does on the page: every form, with and without JavaScript.
//! A plain form is answered with a redirect to the page, the script's fetch with the page itself.

use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{
        Html, IntoResponse, Response,
        sse::{KeepAlive, Sse},
    },
};
use serde::Deserialize;

use crate::{
    app::App,
    backend::{Asking, Backend, BackendError, Board},
    cookie, page,
    requests::Trace,
    turn,
};

/// The script names itself, so it is spared the redirect.
const FETCH: &str = "x-requested-with";

/// `POST /todos`
#[derive(Debug, Deserialize)]
#[serde(tag = "intent", rename_all = "lowercase")]
pub enum TodoForm {
    /// Write one down.
    Add {
        /// What is to be done.
        title: String,
    },
    /// Tick one off.
    Complete {
        /// Its number, as forms send it: text.
        id: String,
    },
    /// Open one again.
    Reopen {
        /// Its number.
        id: String,
    },
    /// Delete one.
    Delete {
        /// Its number.
        id: String,
    },
}

/// `POST /chat`
#[derive(Debug, Deserialize)]
#[serde(tag = "intent", rename_all = "lowercase")]
pub enum ChatForm {
    /// Say something.
    Say {
        /// The words.
        message: String,
    },
    /// Start afresh.
    Forget,
}

/// `POST /session`
#[derive(Deserialize)]
#[serde(tag = "intent", rename_all = "kebab-case")]
pub enum SessionForm {
    /// Take a name, or come back to it.
    SignIn {
        /// The name.
        name: String,
        /// Its PIN.
        pin: String,
    },
    /// Become somebody new.
    SignOut,
}

impl std::fmt::Debug for SessionForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionForm(hidden)")
    }
}

/// `GET /`: always 200, because a probe of this page asks about the frontend.
pub async fn home(
    State(app): State<App>,
    Extension(trace): Extension<Trace>,
    headers: HeaderMap,
) -> Response {
    match Visit::begin(&app.backend, &headers, &trace).await {
        Ok(visit) => visit.page(None),
        Err(error) => down(&error),
    }
}

/// `POST /todos`
pub async fn todos(
    State(app): State<App>,
    Extension(trace): Extension<Trace>,
    headers: HeaderMap,
    Form(form): Form<TodoForm>,
) -> Response {
    let visit = match Visit::begin(&app.backend, &headers, &trace).await {
        Ok(visit) => visit,
        Err(error) => return down(&error),
    };
    let asking = visit.asking(&trace);
    let number = |id: &str| id.parse::<i64>().map_err(|_| BackendError::Strange);
    let done = match &form {
        TodoForm::Add { title } => app.backend.add(asking, title).await,
        TodoForm::Complete { id } => match number(id) {
            Ok(id) => app.backend.complete(asking, id, true).await,
            Err(error) => Err(error),
        },
        TodoForm::Reopen { id } => match number(id) {
            Ok(id) => app.backend.complete(asking, id, false).await,
            Err(error) => Err(error),
        },
        TodoForm::Delete { id } => match number(id) {
            Ok(id) => app.backend.delete(asking, id).await,
            Err(error) => Err(error),
        },
    };
    visit.answer(&app.backend, &trace, &headers, done).await
}

/// `POST /chat`
pub async fn chat(
    State(app): State<App>,
    Extension(trace): Extension<Trace>,
    headers: HeaderMap,
    Form(form): Form<ChatForm>,
) -> Response {
    let visit = match Visit::begin(&app.backend, &headers, &trace).await {
        Ok(visit) => visit,
        Err(error) => return down(&error),
    };
    let asking = visit.asking(&trace);
    let done = match &form {
        ChatForm::Say { message } => app.backend.chat(asking, message).await,
        ChatForm::Forget => app.backend.forget(asking).await,
    };
    visit.answer(&app.backend, &trace, &headers, done).await
}

/// `POST /session`
pub async fn session(
    State(app): State<App>,
    Extension(trace): Extension<Trace>,
    headers: HeaderMap,
    Form(form): Form<SessionForm>,
) -> Response {
    let cookie = match form {
        SessionForm::SignOut => Some(cookie::clear()),
        SessionForm::SignIn { name, pin } => {
            let visit = match Visit::begin(&app.backend, &headers, &trace).await {
                Ok(visit) => visit,
                Err(error) => return down(&error),
            };
            let asking = visit.asking(&trace);
            match app.backend.sign_in(asking, &name, &pin).await {
                Ok(token) => cookie::set(&token),
                Err(error) => {
                    return visit
                        .answer(&app.backend, &trace, &headers, Err(error))
                        .await;
                }
            }
        }
    };
    let mut response = home_again();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// `POST /chat/stream`: a turn as it goes on, for the script. Lists come as the page's own markup.
pub async fn chat_stream(
    State(app): State<App>,
    Extension(trace): Extension<Trace>,
    headers: HeaderMap,
    Form(form): Form<ChatForm>,
) -> Response {
    let (Some(token), ChatForm::Say { message }) = (cookie::read(&headers), form) else {
        // A visitor without a cookie yet uses the plain form, which makes one.
        return StatusCode::CONFLICT.into_response();
    };
    let asking = Asking {
        token: Some(&token),
        trace: &trace,
    };
    match app.backend.chat_stream(asking, &message).await {
        Ok(body) => Sse::new(turn::events(body))
            .keep_alive(KeepAlive::default())
            .into_response(),
        Err(BackendError::NoSession) => StatusCode::CONFLICT.into_response(),
        Err(error) => (error.status(), error.message()).into_response(),
    }
}

/// A visitor with a token the backend accepts, and the page's data.
struct Visit {
    token: String,
    fresh: bool,
    board: Board,
}

impl Visit {
    /// Uses the cookie's token; a missing or refused one is replaced by a new one.
    async fn begin(
        backend: &Backend,
        headers: &HeaderMap,
        trace: &Trace,
    ) -> Result<Self, BackendError> {
        if let Some(token) = cookie::read(headers) {
            match backend
                .board(Asking {
                    token: Some(&token),
                    trace,
                })
                .await
            {
                Ok(board) => {
                    return Ok(Self {
                        token,
                        fresh: false,
                        board,
                    });
                }
                Err(BackendError::NoSession) => {}
                Err(error) => return Err(error),
            }
        }
        let token = backend.session(trace).await?;
        let board = backend
            .board(Asking {
                token: Some(&token),
                trace,
            })
            .await?;
        Ok(Self {
            token,
            fresh: true,
            board,
        })
    }

    fn asking<'a>(&'a self, trace: &'a Trace) -> Asking<'a> {
        Asking {
            token: Some(&self.token),
            trace,
        }
    }

    /// After a form: back to the page, or the page at once when something has to be said.
    async fn answer(
        self,
        backend: &Backend,
        trace: &Trace,
        headers: &HeaderMap,
        done: Result<(), BackendError>,
    ) -> Response {
        match done {
            Ok(()) if !headers.contains_key(FETCH) => self.with_cookie(home_again()),
            done => {
                let board = backend.board(self.asking(trace)).await;
                match board {
                    Ok(board) => {
                        let said = done.err().map(|error| error.message());
                        Self { board, ..self }.page(said.as_deref())
                    }
                    Err(error) => down(&error),
                }
            }
        }
    }

    fn page(&self, said: Option<&str>) -> Response {
        let html = page::page(Some(&self.board), said);
        self.with_cookie(Html(html).into_response())
    }

    fn with_cookie(&self, mut response: Response) -> Response {
        if let Some(value) = self.fresh.then(|| cookie::set(&self.token)).flatten() {
            response.headers_mut().insert(header::SET_COOKIE, value);
        }
        response
    }
}

/// Relative, so it also fits below the path of a proxy.
fn home_again() -> Response {
    let home = [(header::LOCATION, HeaderValue::from_static("./"))];
    (StatusCode::SEE_OTHER, home).into_response()
}

/// The page without data, with a banner that says why.
fn down(error: &BackendError) -> Response {
    Html(page::page(None, Some(&error.message()))).into_response()
}
