//! Reading objects sent as Kubernetes protobuf, along the field numbers of the schema. Answers are
//! always JSON, which every client that may send protobuf also reads.

use serde_json::{Map, Value, json};

use super::schema::{self, Type};
use super::status::StatusError;

/// The media type of the envelope.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// Four bytes in front of every envelope.
const MAGIC: &[u8] = b"k8s\0";

/// Decodes an enveloped object.
pub fn decode(bytes: &[u8]) -> Result<Value, StatusError> {
    read_envelope(bytes).ok_or_else(|| {
        StatusError::bad_request("the body of the request is no Kubernetes protobuf")
    })
}

fn read_envelope(bytes: &[u8]) -> Option<Value> {
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in fields(bytes.strip_prefix(MAGIC)?)? {
        match (field.number, field.wire) {
            (1, Wire::Bytes(meta)) => {
                for field in fields(meta)? {
                    match (field.number, field.wire) {
                        (1, Wire::Bytes(text)) => api_version = utf8(text)?,
                        (2, Wire::Bytes(text)) => kind = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(body)) => raw = body,
            _ => {}
        }
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    // Options such as DeleteOptions are sent in the version of the resource they are for.
    let of_meta = kind.ends_with("Options");
    let name = if of_meta {
        format!("meta.v1.{kind}")
    } else {
        schema::of_group_version_kind(group, version, &kind)
    };
    schema::get(&name)?;
    let mut object = read_struct(&name, raw)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    Some(Value::Object(object))
}

/// Fields whose zero means that they are not set. Elsewhere (replicas, for one) zero is a choice.
const ZERO_IS_ABSENT: &[&str] = &[
    "generation",
    "stdin",
    "stdinOnce",
    "tty",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostPort",
    "paused",
    "minReadySeconds",
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
    "nodePort",
    "healthCheckNodePort",
    "readOnly",
    "publishNotReadyAddresses",
    "unschedulable",
    "observedGeneration",
    "count",
];

#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
}

struct Field<'a> {
    number: u32,
    wire: Wire<'a>,
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn fields(mut bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let number = u32::try_from(tag >> 3).ok()?;
        let wire = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => {
                let (now, rest) = bytes.split_first_chunk::<8>()?;
                bytes = rest;
                Wire::Eight(*now)
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (now, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Wire::Bytes(now)
            }
            _ => return None,
        };
        out.push(Field { number, wire });
    }
    Some(out)
}

fn utf8(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn read_struct(name: &str, bytes: &[u8]) -> Option<Map<String, Value>> {
    let mut out = Map::new();
    read_into(name, bytes, 0, &mut out)?;
    Some(out)
}

/// `outer` is the number of the embedded message that is being read, times 1000.
fn read_into(name: &str, bytes: &[u8], outer: u32, out: &mut Map<String, Value>) -> Option<()> {
    let known = schema::get(name)?;
    for field in fields(bytes)? {
        if let Some(found) = known
            .fields
            .iter()
            .find(|f| f.number == outer + field.number)
        {
            add(&found.name, &found.ty, field.wire, out)?;
        } else if outer == 0
            && known.fields.iter().any(|f| f.number / 1000 == field.number)
            && let Wire::Bytes(embedded) = field.wire
        {
            read_into(name, embedded, field.number * 1000, out)?;
        }
    }
    Some(())
}

fn add(name: &str, ty: &Type, wire: Wire<'_>, out: &mut Map<String, Value>) -> Option<()> {
    match ty {
        Type::AtomicList(item) | Type::Set(item) | Type::KeyedList(_, item) => {
            let list = out.entry(name).or_insert_with(|| json!([]));
            list.as_array_mut()?.push(read(item, wire)?);
        }
        Type::Map(item) | Type::AtomicMap(item) => {
            let Wire::Bytes(entry) = wire else {
                return None;
            };
            let (mut key, mut value) = (String::new(), empty(item));
            for field in fields(entry)? {
                match (field.number, field.wire) {
                    (1, Wire::Bytes(text)) => key = utf8(text)?,
                    (2, wire) => value = read(item, wire)?,
                    _ => {}
                }
            }
            let map = out.entry(name).or_insert_with(|| json!({}));
            map.as_object_mut()?.insert(key, value);
        }
        _ => {
            let value = read(ty, wire)?;
            // Protobuf writes empty values that JSON leaves out.
            let zero = (value == 0 || value == false) && ZERO_IS_ABSENT.contains(&name);
            if value != "" && !value.is_null() && !zero {
                out.insert(name.to_owned(), value);
            }
        }
    }
    Some(())
}

fn empty(ty: &Type) -> Value {
    match ty {
        Type::Struct(_) => json!({}),
        _ => json!(""),
    }
}

fn read(ty: &Type, wire: Wire<'_>) -> Option<Value> {
    Some(match (ty, wire) {
        (Type::String, Wire::Bytes(text)) => utf8(text)?.into(),
        (Type::Bytes, Wire::Bytes(raw)) => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(raw).into()
        }
        (Type::Integer, Wire::Number(number)) => number.cast_signed().into(),
        (Type::Boolean, Wire::Number(number)) => (number != 0).into(),
        (Type::Number, Wire::Eight(raw)) => f64::from_le_bytes(raw).into(),
        (Type::Quantity, Wire::Bytes(message)) => match fields(message)?.first().map(|f| f.wire) {
            Some(Wire::Bytes(text)) => utf8(text)?.into(),
            _ => json!("0"),
        },
        (Type::IntOrString, Wire::Bytes(message)) => int_or_string(message)?,
        (Type::Time | Type::MicroTime, Wire::Bytes(message)) => time(ty, message)?,
        (Type::Any, Wire::Bytes(message)) => match fields(message)?.first().map(|f| f.wire) {
            Some(Wire::Bytes(raw)) => serde_json::from_slice(raw).ok()?,
            _ => Value::Null,
        },
        (Type::Struct(name), Wire::Bytes(message)) => Value::Object(read_struct(name, message)?),
        _ => return None,
    })
}

fn int_or_string(message: &[u8]) -> Option<Value> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    for field in fields(message)? {
        match (field.number, field.wire) {
            (1, Wire::Number(n)) => is_text = n == 1,
            (2, Wire::Number(n)) => number = n.cast_signed(),
            (3, Wire::Bytes(t)) => text = utf8(t)?,
            _ => {}
        }
    }
    Some(if is_text { text.into() } else { number.into() })
}

fn time(ty: &Type, message: &[u8]) -> Option<Value> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in fields(message)? {
        match (field.number, field.wire) {
            (1, Wire::Number(n)) => seconds = n.cast_signed(),
            (2, Wire::Number(n)) => nanos = i32::try_from(n.cast_signed()).ok()?,
            _ => {}
        }
    }
    if seconds == 0 && nanos == 0 {
        return Some(Value::Null);
    }
    let moment = jiff::Timestamp::new(seconds, nanos).ok()?;
    Some(match ty {
        Type::MicroTime => moment.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into(),
        _ => super::objects::seconds_text(moment).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(number: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(body.len()).expect("short")];
        out.extend_from_slice(body);
        out
    }

    fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [
            message(1, api_version.as_bytes()),
            message(2, kind.as_bytes()),
        ]
        .concat();
        [MAGIC.to_vec(), message(1, &meta), message(2, raw)].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let metadata = message(1, &message(1, b"cfg"));
        let entry = message(2, &[message(1, b"A"), message(2, b"1")].concat());
        let object =
            decode(&envelope("v1", "ConfigMap", &[metadata, entry].concat())).expect("reads");
        assert_eq!(
            object,
            json!({"metadata": {"name": "cfg"}, "data": {"A": "1"}, "apiVersion": "v1", "kind": "ConfigMap"})
        );
    }

    #[test]
    fn embedded_messages_are_flat() {
        let http = message(
            2,
            &[message(1, b"/x"), message(2, &[8, 0, 16, 80])].concat(),
        );
        let probe = [message(1, &http), vec![2 << 3, 5]].concat();
        let read = read_struct("core.v1.Probe", &probe).expect("reads");
        assert_eq!(
            Value::Object(read),
            json!({"httpGet": {"path": "/x", "port": 80}, "initialDelaySeconds": 5})
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
            let _ = decode(&envelope("v1", "Pod", &bytes));
        }
    }
}
