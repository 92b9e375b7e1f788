//! The one page: the list on one side, the conversation on the other.
//! All addresses are relative, so the page also works below the path of a proxy.

use maud::{DOCTYPE, Markup, html};

use crate::backend::{Action, Assistant, Board, Message, Todo};

/// Shown in an empty conversation; each is a button that says it.
const IDEAS: [&str; 3] = [
    "Add buy oat milk",
    "What is on my list?",
    "Add call Grandma on Sunday",
];

/// The whole document. Without a board only the frame and the banner are shown.
pub fn page(board: Option<&Board>, said: Option<&str>) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Todos, with someone to talk to" }
                link rel="icon" href="assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="assets/todo.css";
                script src="assets/todo.js" defer {}
            }
            body {
                a.skip href="#message" { "Skip to the message box" }
                header.top {
                    h1 { span.mark aria-hidden="true" { (tick()) } "Todos" }
                    div.side { (status(board)) (account(board)) }
                }
                div #banner { (banner(board, said)) }
                main {
                    (list(board))
                    (talk(board))
                }
            }
        }
    }
    .into_string()
}

fn status(board: Option<&Board>) -> Markup {
    let (tone, text) = match board.map(|board| &board.assistant) {
        None => ("down", "No data right now".to_owned()),
        Some(Assistant::Offline) => ("offline", "Assistant offline".to_owned()),
        Some(Assistant::Configured { model }) => ("online", format!("Assistant: {model}")),
    };
    html! { p.status data-tone=(tone) #status { span.dot aria-hidden="true" {} (text) } }
}

/// Signing in needs no script: a `details` opens and closes by itself.
fn account(board: Option<&Board>) -> Markup {
    html! {
        div #account {
            @match board.map(|board| board.name.as_deref()) {
                None => {}
                Some(Some(name)) => form.signed method="post" action="session" {
                    input type="hidden" name="intent" value="sign-out";
                    span.name dir="auto" { (name) }
                    button.quiet type="submit" { "Sign out" }
                },
                Some(None) => details.sign {
                    summary { "Sign in" }
                    form.panel method="post" action="session" {
                        input type="hidden" name="intent" value="sign-in";
                        label for="name" { "Name" }
                        input #name type="text" name="name" maxlength="40" required autocomplete="username";
                        label for="pin" { "PIN" }
                        input #pin type="password" name="pin" minlength="4" maxlength="64" required autocomplete="current-password";
                        p.hint { "A new name keeps this list; a known one brings its own." }
                        button.primary type="submit" { "Sign in" }
                    }
                },
            }
        }
    }
}

fn banner(board: Option<&Board>, said: Option<&str>) -> Markup {
    html! {
        @if let Some(said) = said {
            div.banner role="alert" {
                p { (said) }
                @if board.is_none() { a.again href="./" { "Try again" } }
            }
        }
    }
}

fn list(board: Option<&Board>) -> Markup {
    let todos = board.map_or(&[][..], |board| &board.todos);
    html! {
        section.list aria-labelledby="todos-title" {
            div.title {
                h2 #todos-title { "Your list" }
                p.count #count { (count_of(todos)) }
            }
            form.add method="post" action="todos" data-keep="title" {
                input type="hidden" name="intent" value="add";
                label.away for="title" { "New todo" }
                input #title type="text" name="title" maxlength="200" required autocomplete="off"
                    placeholder="Write something down";
                button.primary type="submit" { "Add" }
            }
            ul #todos role="list" aria-label="Todos" {
                (items(todos))
            }
            div #empty {
                @if todos.is_empty() && board.is_some() {
                    p.empty { strong { "Nothing to do." } " Write something down, or ask the assistant to do it." }
                }
            }
        }
    }
}

fn items(todos: &[Todo]) -> Markup {
    html! { @for todo in todos { (item(todo)) } }
}

/// The inside of the list alone.
pub fn todos(todos: &[Todo]) -> String {
    items(todos).into_string()
}

/// How many are open, in words.
pub fn count_of(todos: &[Todo]) -> String {
    let open = todos.iter().filter(|todo| !todo.completed).count();
    count(open, todos.len())
}

fn count(open: usize, all: usize) -> String {
    match (open, all) {
        (_, 0) => String::new(),
        (0, _) => "all done".to_owned(),
        (open, _) => format!("{open} open"),
    }
}

fn item(todo: &Todo) -> Markup {
    let intent = if todo.completed { "reopen" } else { "complete" };
    html! {
        li data-done[todo.completed] {
            form.check method="post" action="todos" {
                input type="hidden" name="intent" value=(intent);
                input type="hidden" name="id" value=(todo.id);
                button type="submit" role="checkbox" aria-checked=(todo.completed)
                    aria-labelledby={ "todo-" (todo.id) } data-focus={ "check-" (todo.id) } { (tick()) }
            }
            span.what #{ "todo-" (todo.id) } dir="auto" { (todo.title) }
            form.delete method="post" action="todos" {
                input type="hidden" name="intent" value="delete";
                input type="hidden" name="id" value=(todo.id);
                button type="submit" aria-label={ "Delete " (todo.title) } { (cross()) }
            }
        }
    }
}

fn talk(board: Option<&Board>) -> Markup {
    let said = board.map_or(&[][..], |board| &board.conversation);
    html! {
        section.talk aria-labelledby="talk-title" {
            div.title {
                h2 #talk-title { "Assistant" }
                form #forget method="post" action="chat" hidden[said.is_empty()] {
                    input type="hidden" name="intent" value="forget";
                    button.quiet type="submit" { "Clear" }
                }
            }
            div.log #log role="log" aria-label="Conversation" tabindex="0" {
                @for message in said { (line(message)) }
            }
            div #ideas {
                @if said.is_empty() && board.is_some() {
                    p.empty { strong { "Say it in your own words." } " The assistant adds, changes, completes and deletes todos for you." }
                    div.ideas {
                        @for idea in IDEAS {
                            form method="post" action="chat" {
                                input type="hidden" name="intent" value="say";
                                input type="hidden" name="message" value=(idea);
                                button.idea type="submit" { (idea) }
                            }
                        }
                    }
                }
            }
            form.say method="post" action="chat" data-keep="message" {
                input type="hidden" name="intent" value="say";
                label.away for="message" { "Message" }
                input #message type="text" name="message" maxlength="2000" required autocomplete="off"
                    placeholder="Tell the assistant…";
                button.primary type="submit" { "Send" }
            }
        }
    }
}

fn line(message: &Message) -> Markup {
    let (role, who) = match message.role.as_str() {
        "user" => ("user", "You"),
        "assistant" => ("assistant", "Assistant"),
        _ => ("notice", "Notice"),
    };
    html! {
        article.line data-role=(role) {
            p.who { (who) }
            p.words dir="auto" { (message.content) }
            @if !message.actions.is_empty() {
                ul.actions role="list" { @for action in &message.actions { (chip(action)) } }
            }
        }
    }
}

fn chip(action: &Action) -> Markup {
    let (sign, word) = match action.kind.as_str() {
        "added" => ("+", "Added"),
        "completed" => ("✓", "Completed"),
        "edited" => ("~", "Changed to"),
        "deleted" => ("−", "Deleted"),
        _ => ("·", "Changed"),
    };
    html! {
        li data-kind=(action.kind) { span aria-hidden="true" { (sign) } " " (word) ": " span dir="auto" { (action.title) } }
    }
}

fn tick() -> Markup {
    html! {
        svg viewBox="0 0 16 16" aria-hidden="true" focusable="false" { path d="M3.5 8.5l3 3 6-7" {} }
    }
}

fn cross() -> Markup {
    html! {
        svg viewBox="0 0 16 16" aria-hidden="true" focusable="false" { path d="M4.5 4.5l7 7m0-7l-7 7" {} }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_visitors_write_is_text_and_never_markup() {
        let evil = "<img src=x onerror=alert(1)>\"'&";
        let board = Board {
            name: Some(evil.to_owned()),
            assistant: Assistant::Configured {
                model: evil.to_owned(),
            },
            todos: vec![Todo {
                id: 1,
                title: evil.to_owned(),
                completed: false,
            }],
            conversation: vec![Message {
                role: "user".to_owned(),
                content: evil.to_owned(),
                actions: vec![Action {
                    kind: "added".to_owned(),
                    title: evil.to_owned(),
                }],
            }],
        };
        let html = page(Some(&board), Some(evil));
        assert!(!html.contains("<img"), "{html}");
        assert_eq!(html.matches("&lt;img src=x").count(), 7);
    }

    #[test]
    fn the_count_is_a_word_when_nothing_is_open() {
        assert_eq!(count(0, 0), "");
        assert_eq!(count(0, 3), "all done");
        assert_eq!(count(2, 3), "2 open");
    }
}
