//! Files that Slipway could write because there are none: each chosen by itself, and read before.

use leptos::prelude::*;

use super::Desk;
use crate::model::{NewFile, Offer};
use crate::ui::{Card, CopyButton};

#[component]
pub fn Offers(desk: Desk) -> impl IntoView {
    let preview = desk.preview();
    // The texts change with every edit; the list only when there is another offer.
    let ids = Memo::new(move |_| {
        preview.with(|preview| {
            let offers = preview.as_ref().map(|preview| preview.offers.as_slice());
            let ids = offers.unwrap_or_default().iter();
            ids.map(|offer| offer.id.clone()).collect::<Vec<_>>()
        })
    });
    let offer = move |id: &str| {
        preview.with(|preview| {
            let offers = &preview.as_ref()?.offers;
            offers.iter().find(|offer| offer.id == id).cloned()
        })
    };
    view! {
        <Show when=move || ids.with(|ids| !ids.is_empty())>
            <Card
                title="Files that are missing"
                hint="Slipway can write these. Read them, and choose each by itself"
            >
                <ul class="adopt-offers">
                    <For
                        each=move || ids.get()
                        key=String::clone
                        children=move |id| {
                            let of = id.clone();
                            let offer = Memo::new(move |_| offer(&of));
                            view! { <OfferRow desk id offer /> }
                        }
                    />
                </ul>
            </Card>
        </Show>
    }
    .into_any()
}

#[component]
fn OfferRow(desk: Desk, id: String, offer: Memo<Option<Offer>>) -> impl IntoView {
    let wish = desk.wish;
    let id = StoredValue::new(id);
    let is_chosen =
        Memo::new(move |_| wish.with(|wish| id.with_value(|id| wish.chosen.contains(id))));
    let choose = move |chosen: bool| {
        wish.update(|wish| {
            let id = id.get_value();
            wish.chosen.retain(|other| *other != id);
            if chosen {
                wish.chosen.push(id);
            }
        });
    };
    let field = format!("offer-{}", id.get_value());
    let title = move || offer.get().map(|offer| offer.title);
    let why = move || offer.get().map(|offer| offer.why);
    let files = move || offer.get().map(|offer| offer.files).unwrap_or_default();
    let paths = move || {
        let paths: Vec<String> = files().into_iter().map(|file| file.path).collect();
        paths
    };
    view! {
        <li class="adopt-offer">
            <div class="adopt-head">
                <input
                    id=field.clone()
                    type="checkbox"
                    class="adopt-tick"
                    prop:checked=move || is_chosen.get()
                    on:change:target=move |event| choose(event.target().checked())
                />
                <label class="adopt-name" for=field>
                    {title}
                </label>
                <p class="adopt-why">{why}</p>
            </div>
            <For
                each=paths
                key=String::clone
                children=move |path| {
                    let of = path.clone();
                    let text = Memo::new(move |_| {
                        let file = files().into_iter().find(|file| file.path == of);
                        file.map(|file: NewFile| file.text).unwrap_or_default()
                    });
                    view! {
                        <details class="adopt-file">
                            <summary>
                                <code>{path.clone()}</code>
                            </summary>
                            <div class="adopt-file-acts">
                                <CopyButton what=path text=move |()| text.get_untracked() />
                            </div>
                            <pre class="adopt-text" tabindex="0">
                                {move || text.get()}
                            </pre>
                        </details>
                    }
                }
            />
        </li>
    }
    .into_any()
}
