//! Draws every page with made-up states to static HTML, to look at without a server:
//! `cargo run -p app --example gallery -- target/gallery`, then serve that folder.

mod builds;
mod deploys;
mod desks;
mod fixtures;
mod plans;
mod proposals;
mod report_fixtures;
mod setup_scenes;

use std::path::PathBuf;

use app::App;
use app::live::{Connection, Seed};
use app::model::{Access, PanelState, Role};
use leptos::prelude::*;
use leptos_router::location::RequestUrl;

const PAGES: [&str; 13] = [
    "/",
    "/adopt",
    "/setup",
    "/secrets",
    "/images",
    "/deploy",
    "/assist",
    "/live",
    "/demo?scene=walk",
    "/demo?scene=health",
    "/demo?scene=rollout",
    "/demo?scene=events",
    "/nowhere",
];

fn main() -> std::io::Result<()> {
    let out = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "target/gallery".to_owned()),
    );
    std::fs::create_dir_all(&out)?;
    for (name, state, connection, role) in scenes() {
        for page in PAGES {
            for theme in ["light", "dark"] {
                let html = draw(page, &state, connection, role);
                let page = page.trim_start_matches('/').replace("?scene=", "-");
                let file = format!("{name}-{page}-{theme}.html");
                std::fs::write(out.join(file), document(&html, theme))?;
            }
        }
    }
    for (name, page, state) in plans::scenes() {
        for theme in ["light", "dark"] {
            let html = draw(&page, &state, Connection::Live, Role::Operator);
            std::fs::write(
                out.join(format!("{name}-{theme}.html")),
                document(&html, theme),
            )?;
        }
    }
    let deploys = deploys::scenes()
        .into_iter()
        .map(|scene| ("/deploy?object=apps/v1/Deployment/todo/backend", scene));
    let desks = desks::scenes().into_iter().map(|scene| ("/assist", scene));
    for (page, (name, state, seeds)) in deploys.chain(desks) {
        for theme in ["light", "dark"] {
            let html = draw_with(page, &state, Connection::Live, Role::Operator, seeds);
            std::fs::write(
                out.join(format!("{name}-{theme}.html")),
                document(&html, theme),
            )?;
        }
    }
    Ok(())
}

fn document(html: &str, theme: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=en data-theme={theme}><meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'><link rel=stylesheet href=/slipway.css><body>{html}</body></html>"
    )
}

fn scenes() -> Vec<(&'static str, PanelState, Connection, Role)> {
    let lost = Connection::Reconnecting {
        since: fixtures::ago(14_000),
    };
    vec![
        (
            "healthy",
            fixtures::healthy(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "viewer",
            fixtures::healthy(),
            Connection::Live,
            Role::Viewer,
        ),
        ("stale", fixtures::healthy(), lost, Role::Operator),
        ("fresh", fixtures::fresh(), Connection::Live, Role::Operator),
        (
            "building",
            fixtures::building(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "build-failed",
            builds::failed(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "build-unchanged",
            builds::unchanged(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "build-lost",
            builds::lost(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "failed",
            fixtures::failed(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "proposals",
            proposals::all(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "setup-nothing",
            setup_scenes::nothing(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "setup-broken",
            setup_scenes::broken(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "setup-profiles",
            setup_scenes::profiles(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "setup-starting",
            setup_scenes::starting(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "setup-failed",
            setup_scenes::start_failed(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "looking",
            fixtures::far(Access::LookOnly),
            Connection::Live,
            Role::Operator,
        ),
        (
            "allowed",
            fixtures::far(Access::Allowed {
                since: fixtures::NOW,
            }),
            Connection::Live,
            Role::Operator,
        ),
        (
            "empty",
            PanelState::default(),
            Connection::Live,
            Role::Operator,
        ),
        (
            "refused",
            PanelState::default(),
            Connection::Refused,
            Role::Viewer,
        ),
    ]
}

fn draw(page: &str, state: &PanelState, connection: Connection, role: Role) -> String {
    draw_with(page, state, connection, role, || {})
}

/// `seeds` puts what the page would fetch into the context.
fn draw_with(
    page: &str,
    state: &PanelState,
    connection: Connection,
    role: Role,
    seeds: fn(),
) -> String {
    let owner = Owner::new_root(None);
    owner.with(|| {
        provide_context(RequestUrl::new(page));
        provide_context(plans::diffs());
        seeds();
        provide_context(Seed {
            state: state.clone(),
            connection,
            role,
            now: fixtures::NOW,
        });
        view! { <App /> }.to_html()
    })
}
