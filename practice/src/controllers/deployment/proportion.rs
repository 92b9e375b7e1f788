//! Scaling in the middle of a rollout: the change is spread over the sets by their sizes, so that
//! a bad new template does not get a larger share than it had.

use k8s_openapi::api::apps::v1::ReplicaSet;

use super::sets;

/// The new sizes of the `active` sets (positions in `all`, which is sorted oldest first), so that
/// together they have `allowed` pods. `max_replicas` is the most the Deployment may have now,
/// `observed_total` what it has, for sets that do not remember the former most.
pub fn distribute(
    all: &[ReplicaSet],
    active: &[usize],
    allowed: i32,
    to_zero: bool,
    max_replicas: i32,
    observed_total: i32,
) -> Vec<(usize, i32)> {
    let total: i32 = active.iter().map(|at| sets::wanted(&all[*at])).sum();
    let to_add = allowed - total;
    let mut order = active.to_vec();
    // Large ones first; of equal ones the newer grows first and the older shrinks first.
    if to_add >= 0 {
        order.reverse();
    }
    order.sort_by_key(|at| std::cmp::Reverse(sets::wanted(&all[*at])));

    let mut added = 0;
    let mut sizes: Vec<(usize, i32)> = Vec::with_capacity(order.len());
    for at in order {
        let set = &all[at];
        let size = sets::wanted(set);
        let share = if to_add == 0 || to_add == added || size == 0 {
            0
        } else {
            let fraction = if to_zero {
                -size
            } else {
                let former = sets::max_annotation(set).unwrap_or(observed_total);
                fraction(size, max_replicas, former)
            };
            let left = to_add - added;
            if to_add > 0 {
                fraction.min(left)
            } else {
                fraction.max(left)
            }
        };
        added += share;
        sizes.push((at, size + share));
    }
    // What rounding leaves over goes to the largest.
    if let Some((_, size)) = sizes.first_mut() {
        *size = (*size + to_add - added).max(0);
    }
    sizes
}

/// How many pods a set of this size gains (or loses) when the whole changes from `former`.
fn fraction(size: i32, max_replicas: i32, former: i32) -> i32 {
    if former <= 0 {
        return 0;
    }
    let exact = f64::from(size) * f64::from(max_replicas) / f64::from(former);
    // The result is far inside the range: both factors are pod counts.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded, and bounded by pod counts"
    )]
    let rounded = exact.round() as i32;
    rounded - size
}
