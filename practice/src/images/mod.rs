//! The practice cluster's images: a content-addressed store shared by several processes, import of
//! OCI and docker-save archives, unpacking to root file systems, and the daemonless pack builder.

mod config;
mod elf;
mod import;
mod layers;
pub mod pack;
mod reference;
mod rootfs;
mod store;

pub use config::ImageConfig;
pub use import::ImportError;
pub use layers::{LayerError, resolve_in_root};
pub use pack::{PackError, PackFile, PackSpec, PackedImage, content_tag, pack};
pub use reference::{normalize, repository};
pub use rootfs::{CopyMode, RootfsError, copy_rootfs};
pub use store::{ImageRecord, ImageStore, LayerRecord, StoreError};
