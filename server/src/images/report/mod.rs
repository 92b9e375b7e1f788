//! What there is to say about an image: what is inside, what its Dockerfile could do better.

pub mod dockerfile;
pub mod hints;
pub mod secret_like;
