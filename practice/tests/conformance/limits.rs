//! Quotas and limit ranges.

use serde_json::json;

use crate::cluster::{Place, config_map};

pub async fn quotas_refuse_what_goes_beyond_them(place: Place) {
    let hard = "--hard=secrets=1,count/deployments.apps=1,requests.cpu=1,pods=1";
    place
        .kubectl(&["create", "quota", "tight", hard])
        .await
        .ok();
    place
        .kubectl(&["create", "secret", "generic", "one"])
        .await
        .ok();
    place.kubectl(&["create", "secret", "generic", "two"]).await.refused(
        "secrets \"two\" is forbidden: exceeded quota: tight, requested: secrets=1, used: secrets=1, limited: secrets=1",
    );
    let pod = |cpu: Option<&str>| {
        let mut pod = place.pod("greedy", &json!({"name": "app", "image": "web:1"}));
        if let Some(cpu) = cpu {
            pod["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": cpu}});
        }
        pod
    };
    let create = ["create", "-f", "-"];
    place
        .kubectl_with(&create, &pod(None))
        .await
        .refused("failed quota: tight: must specify requests.cpu for: app");
    place
        .kubectl_with(&["create", "--dry-run=server", "-f", "-"], &pod(Some("2")))
        .await
        .refused("exceeded quota: tight, requested: requests.cpu=2, used: requests.cpu=0, limited: requests.cpu=1");
    place.kubectl_with(&create, &pod(Some("500m"))).await.ok();
    let used = async || {
        let shown =
            "jsonpath={.status.used.requests\\.cpu} {.status.used.secrets} {.status.used.pods}";
        place
            .kubectl(&["get", "quota", "tight", "-o", shown])
            .await
            .ok()
    };
    place
        .until("the quota's count", async || used().await == "500m 1 1")
        .await;
    place
        .kubectl(&["delete", "pod", "greedy", "--now"])
        .await
        .ok();
    place
        .until("the quota's count", async || used().await == "0 1 0")
        .await;
    place
        .kubectl(&["describe", "quota", "tight"])
        .await
        .says("requests.cpu");
}

pub async fn limit_ranges_fill_in_and_refuse(place: Place) {
    place
        .apply(&[json!({
            "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "range"},
            "spec": {"limits": [{
                "type": "Container", "default": {"memory": "64Mi"},
                "defaultRequest": {"memory": "32Mi"}, "max": {"memory": "128Mi"}
            }]}
        })])
        .await;
    let mut pod = place.pod("sized", &json!({"name": "app", "image": "web:1"}));
    let dry = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    let made = place.kubectl_with(&dry, &pod).await.ok();
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let resources = &made["spec"]["containers"][0]["resources"];
    assert_eq!(resources["limits"]["memory"], "64Mi");
    assert_eq!(resources["requests"]["memory"], "32Mi");
    pod["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "1Gi"}});
    place.kubectl_with(&dry, &pod).await.refused(
        "pods \"sized\" is forbidden: maximum memory usage per Container is 128Mi, but limit is 1Gi",
    );
    place.apply(&[config_map("free", "1")]).await;
}
