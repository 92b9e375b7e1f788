//! The commands of a shell line, as far as hints need them: split at `&&`, `||`, `;`, `|` and line
//! ends outside of quotes. It is no shell: substitutions stay inside their word.

/// One command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Without variables that are set before it, and without `sudo`.
    pub words: Vec<String>,
    /// It reads what another command writes.
    pub is_piped_into: bool,
    pub with_sudo: bool,
}

impl Command {
    /// The program's name without its folder.
    pub fn program(&self) -> &str {
        let word = self.words.first().map_or("", String::as_str);
        word.rsplit('/').next().unwrap_or(word)
    }

    /// Whether one of the arguments is this one.
    pub fn has(&self, argument: &str) -> bool {
        self.words.iter().skip(1).any(|word| word == argument)
    }

    /// The arguments that are no options.
    pub fn operands(&self) -> impl Iterator<Item = &str> {
        self.words
            .iter()
            .skip(1)
            .map(String::as_str)
            .filter(|word| !word.starts_with('-') && !word.contains(['>', '<']))
    }

    /// Whether it is this program with this first operand, such as `apt-get install`.
    pub fn runs(&self, program: &str, operand: &str) -> bool {
        self.program() == program && self.operands().next() == Some(operand)
    }
}

/// Splits a script.
pub fn commands(script: &str) -> Vec<Command> {
    let mut out = Vec::new();
    let mut now = Building::default();
    let mut chars = script.chars().peekable();
    let mut quote = None;
    let mut depth = 0_u32;
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some(open), _) if char == open => {
                quote = None;
            }
            (Some('"') | None, '\\') => {
                // A continued line is one blank.
                match chars.next() {
                    Some('\n') => now.blank(),
                    Some(next) => now.word.push(next),
                    None => {}
                }
            }
            (Some(_), _) => now.word.push(char),
            (None, '"' | '\'') => {
                quote = Some(char);
                now.begun = true;
            }
            (None, '(') if now.word.ends_with('$') || depth > 0 => {
                depth += 1;
                now.word.push(char);
            }
            (None, ')') if depth > 0 => {
                depth -= 1;
                now.word.push(char);
            }
            (None, _) if depth > 0 => now.word.push(char),
            (None, '#') if now.word.is_empty() && !now.begun => {
                while chars.peek().is_some_and(|char| *char != '\n') {
                    chars.next();
                }
            }
            (None, '&') if now.word.ends_with('>') => now.word.push(char),
            (None, '&' | ';' | '\n') => {
                chars.next_if_eq(&char);
                now.end(&mut out, false);
            }
            (None, '|') => {
                let is_or = chars.next_if_eq(&'|').is_some();
                now.end(&mut out, !is_or);
            }
            (None, ')') => now.end(&mut out, false),
            (None, '(' | '{' | '}') if now.word.is_empty() => {
                now.end(&mut out, false);
            }
            (None, char) if char.is_whitespace() => now.blank(),
            (None, char) => now.word.push(char),
        }
    }
    now.end(&mut out, false);
    out
}

#[derive(Default)]
struct Building {
    words: Vec<String>,
    word: String,
    /// A quote began a word that may be empty.
    begun: bool,
    piped: bool,
}

impl Building {
    fn blank(&mut self) {
        if !self.word.is_empty() || self.begun {
            self.words.push(std::mem::take(&mut self.word));
        }
        self.begun = false;
    }

    fn end(&mut self, out: &mut Vec<Command>, pipes_on: bool) {
        self.blank();
        let mut words = std::mem::take(&mut self.words);
        let is_piped_into = std::mem::replace(&mut self.piped, pipes_on);
        let is_assignment = |word: &String| {
            word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty()
                    && name
                        .chars()
                        .all(|char| char.is_ascii_alphanumeric() || char == '_')
            })
        };
        let is_before = |word: &String| {
            is_assignment(word)
                || matches!(
                    word.as_str(),
                    "if" | "then" | "else" | "do" | "!" | "time" | "exec" | "env"
                )
        };
        let mut with_sudo = false;
        while let Some(first) = words.first() {
            if first == "sudo" {
                with_sudo = true;
            } else if !is_before(first) {
                break;
            }
            words.remove(0);
        }
        if !words.is_empty() {
            out.push(Command {
                words,
                is_piped_into,
                with_sudo,
            });
        }
    }
}
