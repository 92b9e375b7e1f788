//! The form for a new minikube cluster, filled with what suits this machine and the project.

use leptos::prelude::*;

use super::minikube_card::minikube_is_busy;
use super::{FailureNote, wish};
use crate::api::minikube::create_cluster;
use crate::live::Live;
use crate::model::{ClusterOffer, Driver, NewCluster, Slice};
use crate::ui::{Button, ButtonKind, SelectField, TextField};

/// What was typed, as text: it may be wrong for a while.
#[derive(Clone, Copy)]
struct Typed {
    profile: RwSignal<String>,
    driver: RwSignal<String>,
    cpus: RwSignal<String>,
    memory: RwSignal<String>,
    disk: RwSignal<String>,
    kubernetes: RwSignal<String>,
}

impl Typed {
    fn from(offer: &ClusterOffer) -> Self {
        let driver = offer.drivers.first().copied().unwrap_or(Driver::Auto);
        Self {
            profile: RwSignal::new(offer.profile.to_string()),
            driver: RwSignal::new(driver.flag().unwrap_or_default().to_owned()),
            cpus: RwSignal::new(offer.cpus.to_string()),
            memory: RwSignal::new(offer.memory_mb.to_string()),
            disk: RwSignal::new(offer.disk_mb.to_string()),
            kubernetes: RwSignal::new(String::new()),
        }
    }

    /// What is asked for, or what is wrong with it.
    fn read(self) -> Result<NewCluster, String> {
        let number = |signal: RwSignal<String>, what: &str| {
            signal.with(|text| {
                text.trim()
                    .parse::<u32>()
                    .map_err(|_| format!("Write {what} as a whole number"))
            })
        };
        let kubernetes = self.kubernetes.with(|text| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some),
        });
        let driver = self.driver.with(|flag| {
            Driver::ALL
                .into_iter()
                .find(|driver| driver.flag().unwrap_or_default() == flag)
        });
        let profile = self.profile.with(|text| text.trim().parse());
        let new = NewCluster {
            profile: profile.map_err(|error: crate::model::InvalidName| error.to_string())?,
            driver: driver.unwrap_or(Driver::Auto),
            cpus: number(self.cpus, "the processors")?,
            memory_mb: number(self.memory, "the memory")?,
            disk_mb: number(self.disk, "the disk")?,
            kubernetes: kubernetes.map_err(|error: crate::model::InvalidName| error.to_string())?,
        };
        match new.problem() {
            Some(problem) => Err(problem),
            None => Ok(new),
        }
    }
}

/// Drawn anew when the offer changes: another name is free then.
#[component]
pub fn NewClusterForm() -> impl IntoView {
    let live = Live::expect();
    let offer = live.memo(&[Slice::Minikube], |state| {
        state.minikube.as_ref().map(|view| view.offer.clone())
    });
    move || offer.get().map(|offer| view! { <Fields offer /> })
}

#[component]
fn Fields(offer: ClusterOffer) -> impl IntoView {
    let typed = Typed::from(&offer);
    let create = wish(create_cluster);
    let busy = minikube_is_busy();
    let problem = Memo::new(move |_| typed.read().err());
    let drivers = offer
        .drivers
        .iter()
        .map(|driver| {
            let flag = driver.flag().unwrap_or_default().to_owned();
            (flag, driver.title().to_owned())
        })
        .collect::<Vec<_>>();
    let submit = move |()| {
        if let Ok(new) = typed.read() {
            create.send(new);
        }
    };
    let cannot = Signal::derive(move || busy.get().or_else(|| problem.get()));
    view! {
        <form
            class="profile-form"
            aria-label="New cluster"
            autocomplete="off"
            on:submit=move |event| {
                event.prevent_default();
                submit(());
            }
        >
            <div class="profile-fields">
                <TextField id="new-profile" label="Name" value=typed.profile />
                <SelectField id="new-driver" label="Driver" options=drivers value=typed.driver />
                <TextField
                    id="new-cpus"
                    label="Processors"
                    hint=format!("of {}", offer.most_cpus)
                    value=typed.cpus
                />
                <TextField
                    id="new-memory"
                    label="Memory in MB"
                    hint=format!("of {}", offer.most_memory_mb)
                    value=typed.memory
                />
                <TextField id="new-disk" label="Disk in MB" value=typed.disk />
                <TextField
                    id="new-kubernetes"
                    label="Kubernetes version"
                    hint="Empty: minikube's default"
                    value=typed.kubernetes
                />
            </div>
            <p class="fine-print">
                {offer.why}
                " One node with the docker runtime, so that images are built right inside it. The first start downloads about 1 GB."
            </p>
            <div class="profile-submit">
                <Button
                    kind=ButtonKind::Primary
                    busy=create.is_pending()
                    disabled_why=cannot
                    on_press=submit
                >
                    "Create and start"
                </Button>
            </div>
            <FailureNote failure=create.failure() />
        </form>
    }
    .into_any()
}
