//! A TOML document read strictly: every key must be asked for, every mistake keeps its place.
//! Mistakes are collected, so that one reading reports all of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use app::model::{Finding, NextAction};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake and where it is.
#[derive(Debug)]
pub struct Problem {
    pub code: &'static str,
    pub what: String,
    pub why: String,
    pub advice: String,
    pub span: Range<usize>,
}

/// Collects the mistakes of one text.
#[derive(Debug)]
pub struct Report<'t> {
    path: String,
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Report<'t> {
    pub fn new(path: &Path, text: &'t str) -> Self {
        Self {
            path: path.display().to_string(),
            text,
            problems: RefCell::default(),
        }
    }

    pub fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub fn wrong_value(&self, span: Range<usize>, what: String, why: String, advice: &str) {
        self.add(Problem {
            code: "PROJECT_WRONG_VALUE",
            what,
            why,
            advice: advice.to_owned(),
            span,
        });
    }

    /// All mistakes as one finding: the first in the file leads, the others are listed as evidence.
    pub fn finish(&self) -> Result<(), Finding> {
        let mut problems = self.problems.take();
        problems.sort_by_key(|problem| problem.span.start);
        let Some(first) = problems.first() else {
            return Ok(());
        };
        let (line, column) = place(self.text, first.span.start);
        let mut finding = Finding::new(
            first.code,
            first.what.clone(),
            format!("{} ({}:{line}:{column})", first.why, self.path),
        )
        .next(NextAction::advice(first.advice.clone()))
        .evidence(
            format!("{}:{line}:{column}", self.path),
            excerpt(self.text, &first.span),
        );
        for other in problems.iter().skip(1) {
            let (line, column) = place(self.text, other.span.start);
            finding = finding.evidence(
                format!("{}:{line}:{column}", self.path),
                format!("{}. {} {}.", other.what, other.why, other.advice),
            );
        }
        Err(finding)
    }
}

/// Line and column of a byte, both from 1; columns count characters.
pub fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

/// The line with a caret under the place.
fn excerpt(text: &str, span: &Range<usize>) -> String {
    let (line, column) = place(text, span.start);
    let source = text.lines().nth(line - 1).unwrap_or_default();
    let width = text
        .get(span.clone())
        .map_or(1, |part| {
            part.lines().next().unwrap_or_default().chars().count()
        })
        .max(1);
    let carets = "^".repeat(width.min(80));
    let gutter = line.to_string();
    let pad = " ".repeat(gutter.len());
    let before = " ".repeat(column - 1);
    format!("{gutter} | {source}\n{pad} | {before}{carets}")
}

/// The known word that was probably meant.
pub fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&word.to_lowercase(), candidate),
                *candidate,
            )
        })
        .filter(|(score, candidate)| {
            *score >= 0.82 || strsim::damerau_levenshtein(word, candidate) <= 2
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// One table of the document.
#[derive(Debug, Clone, Copy)]
pub struct Section<'d, 'i, 't> {
    /// As a person writes it: `[[component]]`.
    pub title: &'static str,
    table: &'d DeTable<'i>,
    span: (usize, usize),
    report: &'d Report<'t>,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<'d, 'i, 't> Section<'d, 'i, 't> {
    pub fn new(
        title: &'static str,
        table: &'d DeTable<'i>,
        span: Range<usize>,
        report: &'d Report<'t>,
    ) -> Self {
        Self {
            title,
            table,
            span: (span.start, span.end),
            report,
        }
    }

    pub fn span(&self) -> Range<usize> {
        self.span.0..self.span.1
    }

    /// Every other key is a mistake.
    pub fn allow(&self, known: &[&str]) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let advice = match closest(name, known) {
                Some(meant) => format!("Did you mean `{meant}`?"),
                None => format!("Known keys of {} are {}", self.title, known.join(", ")),
            };
            self.report.add(Problem {
                code: "PROJECT_UNKNOWN_KEY",
                what: format!("slipway.toml has an unknown key `{name}`"),
                why: format!("{} has no key of that name.", self.title),
                advice,
                span: key.span(),
            });
        }
    }

    /// Whether the key is there, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'i>>> {
        self.table.get(key)
    }

    fn wrong_type(&self, key: &str, found: &Spanned<DeValue<'i>>, wanted: &str) {
        self.report.wrong_value(
            found.span(),
            format!("`{key}` in slipway.toml has the wrong type"),
            format!(
                "{} wants {wanted} there and found a {}.",
                self.title,
                found.get_ref().type_str()
            ),
            &format!("Write {wanted}"),
        );
    }

    /// Reports that a key must be there.
    pub fn missing(&self, key: &str, example: &str) {
        self.report.add(Problem {
            code: "PROJECT_MISSING_KEY",
            what: format!("slipway.toml lacks `{key}` in {}", self.title),
            why: format!("{} cannot do without it.", self.title),
            advice: format!("Add {example}"),
            span: self.span(),
        });
    }

    pub fn string(&self, key: &str) -> Option<Placed<String>> {
        let found = self.get(key)?;
        match found.get_ref().as_str() {
            Some(text) => Some(Placed {
                value: text.to_owned(),
                span: found.span(),
            }),
            None => {
                self.wrong_type(key, found, "a text in quotes");
                None
            }
        }
    }

    pub fn required_string(&self, key: &str, example: &str) -> Option<Placed<String>> {
        if self.get(key).is_none() {
            self.missing(key, example);
        }
        self.string(key)
    }

    /// A text that must follow a name's rule.
    pub fn name<T>(&self, key: &str) -> Option<Placed<T>>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.string(key)?;
        self.check_name(key, &text)
    }

    /// The text as a name; a mistake when it breaks the name's rule.
    pub fn check_name<T>(&self, key: &str, text: &Placed<String>) -> Option<Placed<T>>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        match text.value.parse() {
            Ok(value) => Some(Placed {
                value,
                span: text.span.clone(),
            }),
            Err(error) => {
                self.report.wrong_value(
                    text.span.clone(),
                    format!(
                        "`{key}` of {} in slipway.toml is not a valid name",
                        self.title
                    ),
                    format!("{error}."),
                    "Choose a name that follows the rule",
                );
                None
            }
        }
    }

    pub fn boolean(&self, key: &str) -> Option<bool> {
        let found = self.get(key)?;
        let value = found.get_ref().as_bool();
        if value.is_none() {
            self.wrong_type(key, found, "true or false");
        }
        value
    }

    /// A whole number in the range.
    pub fn number(&self, key: &str, range: Range<u32>) -> Option<Placed<u32>> {
        let found = self.get(key)?;
        let Some(integer) = found.get_ref().as_integer() else {
            self.wrong_type(key, found, "a whole number");
            return None;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number));
        if number.is_none() {
            self.report.wrong_value(
                found.span(),
                format!("`{key}` of {} in slipway.toml is out of range", self.title),
                format!(
                    "It is {} and must be from {} to {}.",
                    integer.as_str(),
                    range.start,
                    range.end - 1
                ),
                "Choose a number in that range",
            );
        }
        number.map(|value| Placed {
            value,
            span: found.span(),
        })
    }

    /// A list of texts; a missing key is an empty list.
    pub fn strings(&self, key: &str) -> Vec<Placed<String>> {
        let Some(found) = self.get(key) else {
            return Vec::new();
        };
        let wanted = "a list of texts, such as [\"a\", \"b\"]";
        let Some(array) = found.get_ref().as_array() else {
            self.wrong_type(key, found, wanted);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in array {
            match item.get_ref().as_str() {
                Some(text) => texts.push(Placed {
                    value: text.to_owned(),
                    span: item.span(),
                }),
                None => self.wrong_type(key, item, "texts in the list"),
            }
        }
        texts
    }

    /// One text, or a list of them.
    pub fn string_or_strings(&self, key: &str) -> Vec<Placed<String>> {
        match self.get(key) {
            Some(found) if found.get_ref().as_str().is_some() => {
                self.string(key).into_iter().collect()
            }
            _ => self.strings(key),
        }
    }

    /// A table of texts with free keys.
    pub fn string_map(&self, key: &str) -> BTreeMap<String, Placed<String>> {
        let Some(found) = self.get(key) else {
            return BTreeMap::new();
        };
        let Some(table) = found.get_ref().as_table() else {
            self.wrong_type(key, found, "a table, such as { a = \"b\" }");
            return BTreeMap::new();
        };
        let mut texts = BTreeMap::new();
        for (name, item) in table {
            match item.get_ref().as_str() {
                Some(text) => {
                    let placed = Placed {
                        value: text.to_owned(),
                        span: item.span(),
                    };
                    texts.insert(name.get_ref().to_string(), placed);
                }
                None => self.wrong_type(key, item, "texts in the table"),
            }
        }
        texts
    }

    /// A sub-table.
    pub fn section(&self, key: &str, title: &'static str) -> Option<Section<'d, 'i, 't>> {
        let found = self.get(key)?;
        match found.get_ref().as_table() {
            Some(table) => Some(Section::new(title, table, found.span(), self.report)),
            None => {
                self.wrong_type(key, found, "a table");
                None
            }
        }
    }

    /// An array of tables.
    pub fn sections(&self, key: &str, title: &'static str) -> Vec<Section<'d, 'i, 't>> {
        let Some(found) = self.get(key) else {
            return Vec::new();
        };
        let Some(array) = found.get_ref().as_array() else {
            self.report.wrong_value(
                found.span(),
                format!("`{key}` in slipway.toml has the wrong type"),
                format!("There can be several, so it is written with double brackets: {title}."),
                &format!("Write {title}"),
            );
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array {
            match item.get_ref().as_table() {
                Some(table) => {
                    sections.push(Section::new(title, table, item.span(), self.report));
                }
                None => self.wrong_type(key, item, "a table"),
            }
        }
        sections
    }

    pub fn report(&self) -> &'d Report<'t> {
        self.report
    }
}
