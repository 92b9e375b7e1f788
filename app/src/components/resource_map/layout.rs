//! Where the objects of the map stand: columns by kind, and every Deployment's objects side by side.

use std::collections::BTreeMap;

use crate::model::{MapEdge, MapLink, ObjectKind, ResourceMap};

/// As `.map-node` is wide and high.
pub const WIDTH: i32 = 180;
pub const HEIGHT: i32 = 96;
const GAP_X: i32 = 44;
const GAP_Y: i32 = 14;
/// Between one group and the next.
const GAP_GROUP: i32 = 18;

/// The upper left corner of every node, and how large the picture is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    pub places: Vec<(i32, i32)>,
    pub width: i32,
    pub height: i32,
}

/// What is read stands left of what reads it, Services right of the pods they lead to.
fn column(kind: ObjectKind) -> usize {
    match kind {
        ObjectKind::Secret
        | ObjectKind::ConfigMap
        | ObjectKind::PersistentVolumeClaim
        | ObjectKind::ServiceAccount => 0,
        ObjectKind::ReplicaSet => 2,
        ObjectKind::Pod => 3,
        ObjectKind::Service | ObjectKind::EndpointSlice | ObjectKind::Ingress => 4,
        _ => 1,
    }
}

pub fn layout(map: &ResourceMap) -> Layout {
    let columns: Vec<usize> = map
        .nodes
        .iter()
        .map(|node| column(node.key.kind()))
        .collect();
    let mut used: Vec<usize> = columns.clone();
    used.sort_unstable();
    used.dedup();
    let x = |column: usize| {
        let at = used.iter().position(|used| *used == column).unwrap_or(0);
        i32::try_from(at).unwrap_or(0) * (WIDTH + GAP_X)
    };
    let mut places = vec![(0, 0); map.nodes.len()];
    let mut top = 0;
    for group in groups(map) {
        let mut by_column: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for node in group {
            by_column.entry(columns[node]).or_default().push(node);
        }
        let rows = |count: usize| i32::try_from(count).unwrap_or(0) * (HEIGHT + GAP_Y) - GAP_Y;
        let height = by_column
            .values()
            .map(|nodes| rows(nodes.len()))
            .max()
            .unwrap_or(0);
        for (column, nodes) in by_column {
            // Few stand at the middle of many.
            let mut y = top + (height - rows(nodes.len())) / 2;
            for node in nodes {
                places[node] = (x(column), y);
                y += HEIGHT + GAP_Y;
            }
        }
        top += height + GAP_Y + GAP_GROUP;
    }
    let columns = i32::try_from(used.len()).unwrap_or(0);
    Layout {
        places,
        width: (columns * (WIDTH + GAP_X) - GAP_X).max(0),
        height: (top - GAP_Y - GAP_GROUP).max(0),
    }
}

/// The nodes that hang together by ownership or by leading there; what several read stands with the
/// first of them, or all would be one group.
fn groups(map: &ResourceMap) -> Vec<Vec<usize>> {
    let mut group: Vec<usize> = (0..map.nodes.len()).collect();
    let mut join = |a: usize, b: usize| {
        let (from, to) = (group[a].max(group[b]), group[a].min(group[b]));
        group
            .iter_mut()
            .filter(|group| **group == from)
            .for_each(|group| *group = to);
    };
    let mut read = Vec::new();
    for edge in &map.edges {
        if edge.link != MapLink::Reads {
            join(edge.from, edge.to);
        } else if !read.contains(&edge.to) {
            read.push(edge.to);
            join(edge.from, edge.to);
        }
    }
    let mut all: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (node, group) in group.into_iter().enumerate() {
        all.entry(group).or_default().push(node);
    }
    all.into_values().collect()
}

/// The line of an edge, from one side of a node to the nearer side of the other.
pub fn path(layout: &Layout, edge: MapEdge) -> String {
    let ((from_x, from_y), (to_x, to_y)) = (layout.places[edge.from], layout.places[edge.to]);
    let middle = HEIGHT / 2;
    let (start, end) = match from_x < to_x {
        true => (from_x + WIDTH, to_x),
        false => (from_x, to_x + WIDTH),
    };
    let half = (start + end) / 2;
    format!(
        "M{start} {} C{half} {}, {half} {}, {end} {}",
        from_y + middle,
        from_y + middle,
        to_y + middle,
        to_y + middle
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MapNode, MapState, UnixMillis};

    fn map(keys: &[&str], edges: &[(usize, usize, MapLink)]) -> ResourceMap {
        ResourceMap {
            nodes: keys
                .iter()
                .map(|key| MapNode {
                    key: key.parse().expect("a key"),
                    state: MapState::Well("Ready".into()),
                    note: String::new(),
                })
                .collect(),
            edges: edges
                .iter()
                .map(|(from, to, link)| MapEdge {
                    from: *from,
                    to: *to,
                    link: *link,
                })
                .collect(),
            read: UnixMillis(0),
        }
    }

    #[test]
    fn no_two_objects_stand_on_each_other_and_all_are_in_the_picture() {
        use MapLink::{Owns, Reads, Selects};
        let map = map(
            &[
                "Deployment/a",
                "Secret/s",
                "ReplicaSet/a-1",
                "Pod/a-1-x",
                "Pod/a-1-y",
                "Deployment/b",
                "Service/a",
            ],
            &[
                (0, 1, Reads),
                (0, 2, Owns),
                (2, 3, Owns),
                (2, 4, Owns),
                (5, 1, Reads),
                (6, 3, Selects),
                (6, 4, Selects),
            ],
        );
        let found = layout(&map);
        for (at, (x, y)) in found.places.iter().enumerate() {
            assert!(*x >= 0 && x + WIDTH <= found.width, "{found:?}");
            assert!(*y >= 0 && y + HEIGHT <= found.height, "{found:?}");
            for (other_x, other_y) in &found.places[at + 1..] {
                assert!(x != other_x || (y - other_y).abs() >= HEIGHT, "{found:?}");
            }
        }
        // The second Deployment stands below the first one's pods, though both read the Secret.
        assert!(found.places[5].1 >= found.places[4].1 + HEIGHT);
        assert_eq!(found.places[0].1, found.places[2].1);
        assert!(path(&found, map.edges[5]).starts_with(&format!("M{}", found.places[6].0)));
        assert_eq!(layout(&ResourceMap::default()), Layout::default());
    }
}
