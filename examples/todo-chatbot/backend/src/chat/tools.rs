//! The five things the model may do, always to the asking visitor's own list.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    errors::ApiError,
    store::{
        Store,
        todos::{Title, Todo},
    },
    visitors::Visitor,
};

/// What was done to the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// What it was.
    pub kind: ActionKind,
    /// Number of the todo.
    pub id: i64,
    /// Its title at that time.
    pub title: String,
}

/// What can be done to a todo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// Written down.
    Added,
    /// Ticked off.
    Completed,
    /// Given another title.
    Edited,
    /// Removed.
    Deleted,
}

impl Action {
    fn new(kind: ActionKind, todo: &Todo) -> Self {
        Self {
            kind,
            id: todo.id,
            title: todo.title.clone(),
        }
    }
}

/// The tools as the provider wants them described.
pub fn described() -> Value {
    let by_id = json!({
        "type": "object",
        "properties": {"id": {"type": "integer", "description": "The todo's number from list_todos"}},
        "required": ["id"],
        "additionalProperties": false
    });
    let nothing = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let title = json!({
        "type": "object",
        "properties": {"title": {"type": "string", "description": "What is to be done, one line"}},
        "required": ["title"],
        "additionalProperties": false
    });
    let edit = json!({
        "type": "object",
        "properties": {
            "id": {"type": "integer", "description": "The todo's number from list_todos"},
            "title": {"type": "string", "description": "The new title, one line"}
        },
        "required": ["id", "title"],
        "additionalProperties": false
    });
    let tool = |name: &str, description: &str, parameters: &Value| {
        json!({"type": "function", "function": {
            "name": name, "description": description, "parameters": parameters
        }})
    };
    json!([
        tool("add_todo", "Add a todo to the visitor's list", &title),
        tool("list_todos", "List all todos with their numbers", &nothing),
        tool("complete_todo", "Mark a todo as done", &by_id),
        tool("edit_todo", "Change the title of a todo", &edit),
        tool("delete_todo", "Delete a todo for good", &by_id),
    ])
}

/// Runs one tool. A wrong name, wrong arguments or a missing todo is an answer to the model, which
/// can then try again; only a database problem ends the turn.
pub async fn run(
    store: &Store,
    visitor: &Visitor,
    name: &str,
    arguments: &str,
) -> Result<(Value, Option<Action>), ApiError> {
    let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
    let refused = |why: &str| Ok((json!({"error": why}), None));
    let done = |kind, todo: Option<Todo>| match todo {
        Some(todo) => Ok((json!({"todo": todo}), Some(Action::new(kind, &todo)))),
        None => refused("there is no todo with this id"),
    };
    match name {
        "list_todos" => Ok((json!({"todos": store.todos(visitor).await?}), None)),
        "add_todo" => {
            let added = match Title::parse(arguments["title"].as_str().unwrap_or_default()) {
                Ok(title) => store.add_todo(visitor, &title).await,
                Err(error) => Err(error),
            };
            match added {
                Ok(todo) => done(ActionKind::Added, Some(todo)),
                Err(ApiError::Invalid(why)) => refused(&why),
                Err(error) => Err(error),
            }
        }
        "complete_todo" => match number(&arguments["id"]) {
            Some(id) => done(
                ActionKind::Completed,
                store.change_todo(visitor, id, None, Some(true)).await?,
            ),
            None => refused("id must be a whole number"),
        },
        "edit_todo" => {
            let title = Title::parse(arguments["title"].as_str().unwrap_or_default());
            match (number(&arguments["id"]), title) {
                (None, _) => refused("id must be a whole number"),
                (_, Err(why)) => refused(&why.to_string()),
                (Some(id), Ok(title)) => done(
                    ActionKind::Edited,
                    store.change_todo(visitor, id, Some(&title), None).await?,
                ),
            }
        }
        "delete_todo" => match number(&arguments["id"]) {
            Some(id) => done(ActionKind::Deleted, store.delete_todo(visitor, id).await?),
            None => refused("id must be a whole number"),
        },
        _ => refused("there is no such tool"),
    }
}

/// Models write numbers as text now and then.
fn number(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}
