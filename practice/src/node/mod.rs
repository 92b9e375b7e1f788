//! The practice cluster's one node: a kubelet that runs pods as real processes.
