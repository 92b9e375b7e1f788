//! What the build put into the binary: the built web assets (release builds) and the example project.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
