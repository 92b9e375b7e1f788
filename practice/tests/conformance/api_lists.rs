//! Lists and watches: pages, versions, bookmarks and renderings.

use serde_json::{Value, json};

use crate::cluster::{Place, config_map};

async fn four(place: &Place) -> String {
    let all: Vec<Value> = ["a", "b", "c", "d"]
        .map(|name| config_map(name, "1"))
        .into();
    place.apply(&all).await;
    format!("{}?labelSelector=app", place.path("api/v1", "configmaps"))
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().into_iter().flatten();
    items
        .filter_map(|item| item["metadata"]["name"].as_str())
        .collect()
}

pub async fn lists_come_in_pages(place: Place) {
    let path = four(&place).await;
    let (_, first) = place.get(&format!("{path}&limit=3")).await;
    assert_eq!(names(&first), ["a", "b", "c"]);
    let token = first["metadata"]["continue"]
        .as_str()
        .expect("there is more");
    let (_, rest) = place.get(&format!("{path}&limit=3&continue={token}")).await;
    assert_eq!(names(&rest), ["d"]);
    assert!(
        rest["metadata"]["continue"]
            .as_str()
            .unwrap_or("")
            .is_empty()
    );
    assert_eq!(
        first["metadata"]["resourceVersion"],
        rest["metadata"]["resourceVersion"]
    );
    let (code, body) = place
        .get(&format!("{path}&limit=3&continue=nonsense"))
        .await;
    assert_eq!((code, &body["reason"]), (400, &json!("BadRequest")));
}

/// The events of a watch that ends by itself.
async fn watch(place: &Place, query: &str) -> (u16, Vec<Value>) {
    let path = format!(
        "{}?watch=1&timeoutSeconds=1&{query}",
        place.path("api/v1", "configmaps")
    );
    let (code, _, body) = place.request(("GET", &path), &[], &Value::Null).await;
    let text = match body {
        Value::String(text) => text,
        one => one.to_string(),
    };
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    (code, events.collect())
}

pub async fn watches_begin_with_the_state_and_a_bookmark(place: Place) {
    four(&place).await;
    let query = "labelSelector=app&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let (code, events) = watch(&place, query).await;
    assert_eq!(code, 200);
    let types: Vec<&str> = events
        .iter()
        .filter_map(|e| e["type"].as_str())
        .take(5)
        .collect();
    assert_eq!(types, ["ADDED", "ADDED", "ADDED", "ADDED", "BOOKMARK"]);
    let annotations = &events[4]["object"]["metadata"]["annotations"];
    assert_eq!(annotations["k8s.io/initial-events-end"], "true");
    let (_, body) = place
        .get(&format!(
            "{}?watch=1&sendInitialEvents=true",
            place.path("api/v1", "configmaps")
        ))
        .await;
    assert_eq!(body["reason"], "Invalid", "{body}");
}

pub async fn versions_from_the_future_are_refused(place: Place) {
    four(&place).await;
    let maps = place.path("api/v1", "configmaps");
    let future = format!("{maps}?resourceVersion=9223372036854775000");
    // Asked by kubectl: the client library of the other cases would try again and again.
    place
        .kubectl(&["get", "--raw", &future])
        .await
        .refused("Too large resource version: 9223372036854775000");
}

pub async fn tables_and_metadata_are_rendered(place: Place) {
    let path = four(&place).await;
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let (_, headers, body) = place.request(("GET", &path), &table, &Value::Null).await;
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(body["kind"], "Table");
    let columns = body["columnDefinitions"].as_array().expect("columns");
    let names: Vec<&str> = columns.iter().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, ["Name", "Data", "Age"]);
    assert_eq!(body["rows"][0]["cells"][0], "a");
    assert_eq!(body["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let slim = [(
        "accept",
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    )];
    let (_, _, body) = place.request(("GET", &path), &slim, &Value::Null).await;
    assert_eq!(body["kind"], "PartialObjectMetadataList");
    assert!(body["items"][0].get("data").is_none());
}
