//! Todos over REST: list, add, change, delete. Always the asking visitor's own.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    errors::ApiError,
    store::todos::{Title, Todo},
    visitors::Visitor,
};

/// A body that is not the JSON we asked for becomes our own error shape.
pub(crate) fn body<T>(parsed: Result<Json<T>, JsonRejection>) -> Result<T, ApiError> {
    parsed
        .map(|Json(value)| value)
        .map_err(|rejection| ApiError::Invalid(rejection.body_text()))
}

/// `GET /api/todos`
pub async fn list(State(app): State<App>, visitor: Visitor) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({"todos": app.store.todos(&visitor).await?})))
}

/// Body of `POST /api/todos`.
#[derive(Debug, Deserialize)]
pub struct NewTodo {
    title: String,
}

/// `POST /api/todos`
pub async fn add(
    State(app): State<App>,
    visitor: Visitor,
    new: Result<Json<NewTodo>, JsonRejection>,
) -> Result<(StatusCode, Json<Todo>), ApiError> {
    let title = Title::parse(&body(new)?.title)?;
    let todo = app.store.add_todo(&visitor, &title).await?;
    Ok((StatusCode::CREATED, Json(todo)))
}

/// Body of `PATCH /api/todos/{id}`; what is absent stays as it is.
#[derive(Debug, Deserialize)]
pub struct TodoChange {
    title: Option<String>,
    completed: Option<bool>,
}

/// `PATCH /api/todos/{id}`
pub async fn change(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<i64>,
    change: Result<Json<TodoChange>, JsonRejection>,
) -> Result<Json<Todo>, ApiError> {
    let change = body(change)?;
    let title = change.title.as_deref().map(Title::parse).transpose()?;
    let todo = app
        .store
        .change_todo(&visitor, id, title.as_ref(), change.completed)
        .await?;
    todo.map(Json).ok_or(ApiError::NotFound)
}

/// `DELETE /api/todos/{id}`
pub async fn delete(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    match app.store.delete_todo(&visitor, id).await? {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(ApiError::NotFound),
    }
}
