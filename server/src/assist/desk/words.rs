//! What is said about the desk.

use std::time::Duration;

use app::model::{AssistantId, Finding, NextAction};

pub fn cannot_be_asked(id: AssistantId) -> Finding {
    Finding::new(
        "ASSISTANT_CANNOT_BE_ASKED",
        format!("{} cannot be asked from here", id.title()),
        "It answers in a terminal of its own only, or this Slipway does not know it.",
    )
    .attention()
    .next(NextAction::advice(
        "Copy its command, or ask another assistant",
    ))
}

pub fn no_terminal(id: AssistantId) -> Finding {
    Finding::new(
        "ASSISTANT_HAS_NO_TERMINAL",
        format!("{} does not answer in a terminal", id.title()),
        "Only Gordon does; the others are asked, and answer here. Nothing was started.",
    )
    .attention()
    .next(NextAction::advice("Ask it"))
}

pub fn no_key(id: AssistantId, variable: &str) -> Finding {
    Finding::new(
        "ASSISTANT_KEY_MISSING",
        format!("{} has no key", id.title()),
        format!("None was entered, and the variable {variable} is not set."),
    )
    .attention()
    .next(NextAction::advice(
        "Enter the key here: it is kept in memory until Slipway ends",
    ))
    .next(NextAction::advice(
        "Or start Slipway from a terminal in which the variable is set",
    ))
}

pub fn does_not_answer(id: AssistantId) -> Finding {
    Finding::new(
        "ASSISTANT_SILENT",
        format!("{} does not answer", id.title()),
        "Looking how it stands took too long.",
    )
    .attention()
    .next(NextAction::advice("Look again"))
}

pub fn too_slow(id: AssistantId, limit: Duration) -> Finding {
    Finding::new(
        "ASSISTANT_TOO_SLOW",
        format!("{} did not finish its answer", id.title()),
        format!("It was stopped after {} minutes.", limit.as_secs() / 60),
    )
    .next(NextAction::advice(
        "Ask something smaller, or leave parts out",
    ))
}

pub fn busy() -> Finding {
    Finding::new(
        "ASSISTANT_BUSY",
        "A question is being answered",
        "One is answered at a time.",
    )
    .attention()
    .next(NextAction::advice("Wait for its end, or stop it"))
}

pub fn not_seen(id: AssistantId) -> Finding {
    Finding::new(
        "ASSISTANT_UNSEEN",
        "Nothing was sent",
        format!(
            "What goes to {} leaves this machine, and what would be sent has not been looked at since Slipway started.",
            id.title()
        ),
    )
    .attention()
    .next(NextAction::advice("Read what will be sent, then send it"))
}

pub fn nothing_asked() -> Finding {
    Finding::new(
        "QUESTION_EMPTY",
        "There is no question",
        "The field is empty.",
    )
    .attention()
    .next(NextAction::advice(
        "Write a question, or take one of those that are offered",
    ))
}

pub fn too_long(most: usize) -> Finding {
    Finding::new(
        "QUESTION_TOO_LONG",
        "The question is too long",
        format!("A question has at most {most} characters; logs and objects go with it as parts."),
    )
    .attention()
    .next(NextAction::advice("Shorten it"))
}

pub fn bad_prompt(longest_title: usize, longest: usize) -> Finding {
    Finding::new(
        "PROMPT_BAD",
        "The prompt cannot be saved like this",
        format!(
            "It needs a title of one line with at most {longest_title} characters, and a text with at most {longest}."
        ),
    )
    .attention()
    .next(NextAction::advice("Change it and save it again"))
}

pub fn too_many_prompts(most: usize) -> Finding {
    Finding::new(
        "PROMPTS_FULL",
        "There are too many saved prompts",
        format!("A project keeps {most} of them."),
    )
    .attention()
    .next(NextAction::advice("Remove one that is not needed any more"))
}

pub fn bad_key() -> Finding {
    Finding::new(
        "ASSISTANT_KEY_BAD",
        "The key cannot be used",
        "It is very long or has a line break in it.",
    )
    .next(NextAction::advice(
        "Copy the key alone, without spaces and line breaks",
    ))
}

pub fn bad_choice() -> Finding {
    Finding::new(
        "ASSISTANT_CHOICE_BAD",
        "The setting was not kept",
        "A provider, model or agent is one word of letters, digits and signs that does not begin with a dash.",
    )
    .next(NextAction::advice("Write it as the provider lists it"))
}

pub fn secret_in_choice() -> Finding {
    Finding::new(
        "ASSISTANT_CHOICE_SECRET",
        "The setting was not kept",
        "The value of a secret stands in a field that is written down.",
    )
    .next(NextAction::advice(
        "Put keys into the key field only: it is kept in memory",
    ))
}

pub fn bad_address() -> Finding {
    Finding::new(
        "ASSISTANT_ADDRESS_BAD",
        "This is no address of an endpoint",
        "It is something like http://127.0.0.1:11434/v1 or https://api.openai.com/v1, without a password, question mark or hash.",
    )
    .next(NextAction::advice("Correct the address"))
}

pub fn unencrypted() -> Finding {
    Finding::new(
        "ASSISTANT_ADDRESS_UNENCRYPTED",
        "This address would be asked without encryption",
        "Plain http is for this machine alone; on a network everybody could read along.",
    )
    .next(NextAction::advice(
        "Use https, or a tunnel that ends on this machine",
    ))
}
