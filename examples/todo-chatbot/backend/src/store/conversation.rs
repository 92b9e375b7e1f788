//! What was said, per visitor: what the page shows and what the model is reminded of.

use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::{DatabaseProblem, Store, now_ms};
use crate::{chat::tools::Action, visitors::Visitor};

/// As many messages as a page shows and a model is reminded of.
pub const REMEMBERED: i64 = 40;

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The visitor.
    User,
    /// The model.
    Assistant,
    /// This backend, about the assistant: it has no key, or the provider failed.
    Notice,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Notice => "notice",
        }
    }

    fn parse(name: &str) -> Self {
        match name {
            "user" => Self::User,
            "assistant" => Self::Assistant,
            _ => Self::Notice,
        }
    }
}

/// One line of the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Number, in the order of writing.
    pub id: i64,
    /// Who said it.
    pub role: Role,
    /// Plain text.
    pub content: String,
    /// What was done to the list along with it.
    pub actions: Vec<Action>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

impl Store {
    /// The latest messages, oldest first.
    pub async fn conversation(&self, visitor: &Visitor) -> Result<Vec<Message>, DatabaseProblem> {
        let rows = sqlx::query(
            "SELECT id, role, content, actions, created_at FROM messages
             WHERE visitor = $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(visitor.id.as_str())
        .bind(REMEMBERED)
        .fetch_all(self.ready_pool()?)
        .await?;
        let mut messages = Vec::with_capacity(rows.len());
        for row in rows.iter().rev() {
            let role: String = row.try_get("role")?;
            let actions: String = row.try_get("actions")?;
            messages.push(Message {
                id: row.try_get("id")?,
                role: Role::parse(&role),
                content: row.try_get("content")?,
                // Chips under a message are worth less than the message.
                actions: serde_json::from_str(&actions).unwrap_or_default(),
                created_at: row.try_get("created_at")?,
            });
        }
        Ok(messages)
    }

    /// Writes one message down.
    pub async fn remember(
        &self,
        visitor: &Visitor,
        role: Role,
        content: &str,
        actions: &[Action],
    ) -> Result<(), DatabaseProblem> {
        let actions = serde_json::to_string(actions).unwrap_or_else(|_| "[]".to_owned());
        sqlx::query(
            "INSERT INTO messages (visitor, role, content, actions, created_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(visitor.id.as_str())
        .bind(role.name())
        .bind(content.replace('\0', ""))
        .bind(actions)
        .bind(now_ms())
        .execute(self.ready_pool()?)
        .await?;
        Ok(())
    }

    /// Forgets the whole conversation; the todos stay.
    pub async fn forget(&self, visitor: &Visitor) -> Result<(), DatabaseProblem> {
        sqlx::query("DELETE FROM messages WHERE visitor = $1")
            .bind(visitor.id.as_str())
            .execute(self.ready_pool()?)
            .await?;
        Ok(())
    }
}
