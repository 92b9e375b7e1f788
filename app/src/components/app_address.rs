//! How a component is opened from this machine: the way that works and why that one, and the ports
//! that are forwarded to it.

use leptos::prelude::*;

use super::{FailureNote, ask, wish, words};
use crate::api::forwards::{close_forward, open_forward};
use crate::live::Live;
use crate::model::{ComponentLive, ForwardView, ServiceRow, Slice};
use crate::ui::{
    Button, ButtonKind, CopyButton, Icon, IconShape, LinkButton, StatusBadge, Tone, WordButton,
};

/// The main button of a component: to its address, or, where no way leads there, by a new forward.
#[component]
pub fn OpenButton(row: Memo<Option<ComponentLive>>) -> impl IntoView {
    let live = Live::expect();
    let service = service_of(row);
    let url = Memo::new(move |_| service.with(|service| service.as_ref()?.open_url.clone()));
    let name = Memo::new(move |_| {
        row.with(|row| {
            row.as_ref()
                .map_or_else(String::new, |row| row.component.to_string())
        })
    });
    // Of several ports the first is the app's.
    let wanted = Memo::new(move |_| {
        service.with(|service| {
            let service = service.as_ref()?;
            let is_meant_to_be_opened = !service.ways.is_empty();
            (is_meant_to_be_opened && service.open_url.is_none())
                .then(|| Some((service.name.clone(), *service.ports.first()?)))?
        })
    });
    let open = ask(|(service, port): (String, u16)| open_forward(service, port));
    Effect::new(move |_| {
        if let Some(forward) = open.answer().get() {
            // Where the browser does not let it, the address stands on the card.
            let _ = window().open_with_url_and_target_and_features(
                &forward.url(),
                "_blank",
                "noopener",
            );
        }
    });
    let press = move |()| {
        if let Some(wanted) = wanted.get_untracked() {
            open.send(wanted);
        }
    };
    view! {
        {move || {
            url.get()
                .map(|url| {
                    view! {
                        <LinkButton kind=ButtonKind::Primary href=url outside=true>
                            {format!("Open {}", name.get())}
                            <Icon shape=IconShape::External />
                        </LinkButton>
                    }
                })
        }}
        <Show when=move || live.is_operator() && wanted.with(Option::is_some)>
            <Button kind=ButtonKind::Primary busy=open.is_pending() on_press=press>
                {move || format!("Open {}", name.get())}
                <Icon shape=IconShape::External />
            </Button>
        </Show>
        <FailureNote failure=open.failure() />
    }
    .into_any()
}

/// Which way leads to it and why, and what is forwarded; for operators also a forward for every port.
#[component]
pub fn Reach(row: Memo<Option<ComponentLive>>) -> impl IntoView {
    let live = Live::expect();
    let service = service_of(row);
    let name = Memo::new(move |_| {
        service.with(|service| service.as_ref().map(|service| service.name.clone()))
    });
    let forwards = live.memo(&[Slice::Forwards, Slice::Components], move |state| {
        let name = name.get();
        let of_service = |forward: &&ForwardView| Some(&forward.service) == name.as_ref();
        state
            .forwards
            .iter()
            .filter(of_service)
            .cloned()
            .collect::<Vec<_>>()
    });
    let words = Memo::new(move |_| {
        service.with(|service| {
            let service = service.as_ref()?;
            let by_forward = || {
                let why = service.why_forward()?;
                let is_used = forwards.with(|all| !all.is_empty());
                is_used.then(|| format!("By a forward: {why}"))
            };
            service.way_in_words().or_else(by_forward)
        })
    });
    let open = wish(|(service, port): (String, u16)| open_forward(service, port));
    let unforwarded = Memo::new(move |_| {
        let Some(service) = service.get() else {
            return Vec::new();
        };
        let is_open =
            |port: u16| forwards.with(|all| all.iter().any(|each| each.is_of(&service.name, port)));
        let mut ports: Vec<_> = service
            .ports
            .iter()
            .filter(|port| !is_open(**port))
            .map(|port| (service.name.clone(), *port))
            .collect();
        ports.dedup();
        ports
    });
    view! {
        {move || words.get().map(|words| view! { <p class="reach">{words}</p> })}
        <Show when=move || live.is_operator()>
            <Show when=move || forwards.with(|all| !all.is_empty())>
                <ul class="forwards">
                    {move || {
                        forwards.get().into_iter().map(|forward| view! { <One forward /> }).collect_view()
                    }}
                </ul>
            </Show>
            {move || {
                unforwarded
                    .get()
                    .into_iter()
                    .map(|(service, port)| {
                        let label = format!("Forward port {port} of {service}");
                        view! {
                            <WordButton
                                word=format!("Forward port {port}")
                                label
                                look="reach-forward"
                                on_press=move |()| open.send((service.clone(), port))
                            />
                        }
                    })
                    .collect_view()
            }}
            <FailureNote failure=open.failure() />
        </Show>
    }
    .into_any()
}

#[component]
fn One(forward: ForwardView) -> impl IntoView {
    let live = Live::expect();
    let close = wish(|(service, port): (String, u16)| close_forward(service, port));
    let url = forward.url();
    let (copied, href) = (url.clone(), url.clone());
    let (service, port) = (forward.service.clone(), forward.port);
    let label = format!("Forward of {service} port {port}");
    let stop = format!("Stop forwarding port {port} of {service}");
    let said = match forward.problem {
        None => (Tone::Ok, "Forwarding".to_owned()),
        Some(_) => (Tone::Attention, "Waiting for a pod".to_owned()),
    };
    // The server holds the port, whatever the cluster's watch says.
    let shown = Memo::new(move |_| words::last_known(said.clone(), live.stream_is_fresh()));
    let note = match (&forward.problem, &forward.pod) {
        (Some(problem), _) => format!("Port {port}: {problem}"),
        (None, Some(pod)) => format!("Port {port}, last to {pod}"),
        (None, None) => format!("Port {port}, to whichever pod is ready"),
    };
    view! {
        <li class="forward" aria-label=label>
            <div class="forward-line">
                <StatusBadge
                    tone=Signal::derive(move || shown.get().0)
                    word=Signal::derive(move || shown.get().1)
                />
                <a class="forward-url" href=href target="_blank" rel="noopener noreferrer external">
                    {url}
                </a>
                <span class="forward-acts">
                    <CopyButton what="URL" text=move |()| copied.clone() />
                    <Button
                        kind=ButtonKind::Quiet
                        label=Some(stop)
                        busy=close.is_pending()
                        on_press=move |()| close.send((service.clone(), port))
                    >
                        "Stop"
                    </Button>
                </span>
            </div>
            <p class="forward-note" dir="auto">
                {note}
            </p>
            <FailureNote failure=close.failure() />
        </li>
    }
    .into_any()
}

fn service_of(row: Memo<Option<ComponentLive>>) -> Memo<Option<ServiceRow>> {
    Memo::new(move |_| row.with(|row| row.as_ref()?.service.clone()))
}
