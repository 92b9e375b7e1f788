//! Todos in the database. Every statement names the visitor, so nobody reaches another's.

use serde::Serialize;
use sqlx::{Row, any::AnyRow};

use super::{DatabaseProblem, Store, now_ms};
use crate::{errors::ApiError, visitors::Visitor};

/// More than this and a list is no longer a list; it also bounds what a page shows.
const MAX_TODOS: i64 = 200;
const MAX_TITLE: usize = 200;

/// One todo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Todo {
    /// Number, unique over all visitors.
    pub id: i64,
    /// What is to be done.
    pub title: String,
    /// Whether it is done.
    pub completed: bool,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// A title of one to 200 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// Trims and folds white space, then checks the length.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Postgres stores no NUL, and no control character belongs on a list.
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        match text.chars().count() {
            0 => Err(ApiError::Invalid("a todo needs a title".to_owned())),
            1..=MAX_TITLE => Ok(Self(text)),
            _ => Err(ApiError::Invalid(
                "a title has at most 200 characters".to_owned(),
            )),
        }
    }
}

fn todo(row: &AnyRow) -> Result<Todo, sqlx::Error> {
    let completed_at: Option<i64> = row.try_get("completed_at")?;
    Ok(Todo {
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        completed: completed_at.is_some(),
        created_at: row.try_get("created_at")?,
    })
}

impl Store {
    /// The visitor's todos: open ones first, each group in the order it was written down.
    pub async fn todos(&self, visitor: &Visitor) -> Result<Vec<Todo>, DatabaseProblem> {
        let rows = sqlx::query(
            "SELECT id, title, created_at, completed_at FROM todos WHERE visitor = $1
             ORDER BY CASE WHEN completed_at IS NULL THEN 0 ELSE 1 END, id",
        )
        .bind(visitor.id.as_str())
        .fetch_all(self.ready_pool()?)
        .await?;
        Ok(rows.iter().map(todo).collect::<Result<_, _>>()?)
    }

    /// Writes one down.
    pub async fn add_todo(&self, visitor: &Visitor, title: &Title) -> Result<Todo, ApiError> {
        // One statement counts and inserts, so two requests at once cannot both take the last place.
        let row = sqlx::query(
            "INSERT INTO todos (visitor, title, created_at)
             SELECT $1, $2, $3 WHERE (SELECT COUNT(*) FROM todos WHERE visitor = $4) < $5
             RETURNING id, title, created_at, completed_at",
        )
        .bind(visitor.id.as_str())
        .bind(title.0.as_str())
        .bind(now_ms())
        .bind(visitor.id.as_str())
        .bind(MAX_TODOS)
        .fetch_optional(self.ready_pool()?)
        .await
        .map_err(DatabaseProblem::from)?;
        match row {
            Some(row) => Ok(todo(&row).map_err(DatabaseProblem::from)?),
            None => Err(ApiError::Invalid(
                "the list is full; delete something first".to_owned(),
            )),
        }
    }

    /// Changes title, completion or both; none when there is no such todo of this visitor.
    pub async fn change_todo(
        &self,
        visitor: &Visitor,
        id: i64,
        title: Option<&Title>,
        completed: Option<bool>,
    ) -> Result<Option<Todo>, DatabaseProblem> {
        // Numbers instead of nulls: what stays is said by a flag, so every parameter has one type.
        let row = sqlx::query(
            "UPDATE todos SET
                title = CASE WHEN $1 = 1 THEN $2 ELSE title END,
                completed_at = CASE
                    WHEN $3 = 1 THEN COALESCE(completed_at, $4)
                    WHEN $5 = 0 THEN NULL
                    ELSE completed_at END
             WHERE visitor = $6 AND id = $7
             RETURNING id, title, created_at, completed_at",
        )
        .bind(i32::from(title.is_some()))
        .bind(title.map_or("", |title| title.0.as_str()))
        .bind(completed.map_or(-1, i32::from))
        .bind(now_ms())
        .bind(completed.map_or(-1, i32::from))
        .bind(visitor.id.as_str())
        .bind(id)
        .fetch_optional(self.ready_pool()?)
        .await?;
        Ok(row.as_ref().map(todo).transpose()?)
    }

    /// Deletes one and returns it; none when there is no such todo of this visitor.
    pub async fn delete_todo(
        &self,
        visitor: &Visitor,
        id: i64,
    ) -> Result<Option<Todo>, DatabaseProblem> {
        let row = sqlx::query(
            "DELETE FROM todos WHERE visitor = $1 AND id = $2
             RETURNING id, title, created_at, completed_at",
        )
        .bind(visitor.id.as_str())
        .bind(id)
        .fetch_optional(self.ready_pool()?)
        .await?;
        Ok(row.as_ref().map(todo).transpose()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_line_of_reasonable_length() {
        assert_eq!(
            Title::parse("  Buy \n oat\tmilk ").unwrap().0,
            "Buy oat milk"
        );
        assert_eq!(Title::parse("nul\0here").unwrap().0, "nulhere");
        assert!(Title::parse(" \n ").is_err());
        assert!(Title::parse(&"ä".repeat(200)).is_ok());
        assert!(Title::parse(&"ä".repeat(201)).is_err());
    }
}
