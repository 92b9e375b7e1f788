//! One module per screen; each says what its step proves and puts the next act first.

mod adopt;
mod assist;
mod demo;
mod deploy;
pub(crate) mod home;
mod images;
pub(crate) mod live;
mod not_found;
mod parts;
mod secrets;
mod setup;

pub use adopt::AdoptPage;
pub use assist::AssistPage;
pub use demo::DemoPage;
pub use deploy::DeployPage;
pub use home::HomePage;
pub use images::ImagesPage;
pub use live::LivePage;
pub use not_found::NotFoundPage;
pub use parts::{
    AdoptRoute, AssistRoute, DemoRoute, DeployRoute, ImagesRoute, LiveRoute, SecretsRoute,
    SetupRoute, load_all, load_page,
};
pub use secrets::SecretsPage;
pub use setup::SetupPage;
