//! Deploy: the plan, the apply and the rollout.
