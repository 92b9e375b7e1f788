//! The `pod-template-hash`: a short, stable, label-safe name for a pod template.

use k8s_openapi::api::core::v1::PodTemplateSpec;

/// The label that tells the pods of one template from those of another.
pub const LABEL: &str = "pod-template-hash";

/// Letters and digits that cannot form words or be mistaken for each other.
const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The hash of a template. `collisions` counts how often the name it gives was found taken by
/// another template.
pub fn compute(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    // The generated types write their fields in a fixed order and their maps sorted, so equal
    // templates give equal bytes.
    let bytes = serde_json::to_vec(template).expect("a pod template is always valid JSON");
    let mut hash = fnv1a(0x811c_9dc5, &bytes);
    if let Some(collisions) = collisions {
        hash = fnv1a(hash, &collisions.to_le_bytes());
        hash = fnv1a(hash, &[0; 4]);
    }
    encode(&hash.to_string())
}

fn fnv1a(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| char::from(SAFE[usize::from(byte) % SAFE.len()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, PodSpec};

    use super::*;

    fn template(image: &str) -> PodTemplateSpec {
        let container = Container {
            image: Some(image.to_owned()),
            ..Container::default()
        };
        PodTemplateSpec {
            metadata: None,
            spec: Some(PodSpec {
                containers: vec![container],
                ..PodSpec::default()
            }),
        }
    }

    #[test]
    fn the_alphabet_is_the_one_of_the_real_controllers() {
        // "0".."9" are bytes 48..57: the encoding the names of real ReplicaSets show.
        assert_eq!(encode("0123456789"), "456789bcdf");
        assert_eq!(fnv1a(0x811c_9dc5, b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn the_hash_follows_the_template_and_the_collisions() {
        let hash = compute(&template("web:1"), None);
        assert_eq!(hash, compute(&template("web:1"), None));
        assert_ne!(hash, compute(&template("web:2"), None));
        assert_ne!(hash, compute(&template("web:1"), Some(1)));
        assert!(hash.bytes().all(|byte| SAFE.contains(&byte)));
    }
}
