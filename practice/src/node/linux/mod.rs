//! What the node does with Linux only: private roots, pod networking by seccomp notification, and
//! looking after processes through `/proc`.

pub(super) mod child;
pub(super) mod procfs;
pub(super) mod supervisor;
pub(super) mod sys;
pub(super) mod terminal;
