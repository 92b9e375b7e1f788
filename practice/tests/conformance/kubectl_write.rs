//! What kubectl changes.

use serde_json::{Value, json};

use crate::cluster::{KUBECTLS, Place, config_map};
use crate::run;

pub async fn applying_tells_created_from_configured_and_unchanged(place: Place) {
    for version in KUBECTLS {
        let name = format!("applied-{}", version.replace('.', "-"));
        let apply = async |args: &[&str], object: &Value| {
            let mut all = args.to_vec();
            all.extend(["-f", "-"]);
            let command = place.kubectl_command(version, &all);
            run::finish(command, Some(&object.to_string())).await
        };
        let first = config_map(&name, "1");
        apply(&["apply"], &first).await.says("created").code(0);
        apply(&["apply"], &first).await.says("unchanged").code(0);
        apply(&["diff"], &first).await.code(0);
        let second = config_map(&name, "2");
        apply(&["diff"], &second)
            .await
            .code(1)
            .says("+  key: \"2\"");
        apply(&["apply"], &second).await.says("configured").code(0);
        // What the configuration no longer names goes.
        let empty = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        apply(&["apply"], &empty).await.says("configured").code(0);
        let data = format!("cm/{name}");
        assert_eq!(
            place
                .kubectl(&["get", &data, "-o", "jsonpath={.data}"])
                .await
                .ok(),
            ""
        );
        apply(&["replace"], &first).await.says("replaced").code(0);
        apply(&["create"], &first).await.refused("(AlreadyExists)");
    }
}

pub async fn server_side_apply_names_conflicts_and_can_force(place: Place) {
    for version in KUBECTLS {
        let name = format!("owned-{}", version.replace('.', "-"));
        let apply = async |args: &[&str], value: &str| {
            let mut all = vec!["apply", "--server-side", "-f", "-"];
            all.extend(args);
            let command = place.kubectl_command(version, &all);
            run::finish(command, Some(&config_map(&name, value).to_string())).await
        };
        let said = apply(&["--field-manager=one"], "1").await;
        said.says("serverside-applied").code(0);
        let refused = apply(&["--field-manager=two"], "2").await;
        refused
            .code(1)
            .says("Apply failed with 1 conflict: conflict with \"one\": .data.key");
        apply(&["--field-manager=two", "--force-conflicts"], "2")
            .await
            .ok();
        let object = format!("cm/{name}");
        let owners = "jsonpath={.metadata.managedFields[*].manager}";
        let owners = place
            .kubectl(&["get", &object, "--show-managed-fields", "-o", owners])
            .await
            .ok();
        assert!(owners.contains("two"), "{owners}");
        let value = place
            .kubectl(&["get", &object, "-o", "jsonpath={.data.key}"])
            .await;
        assert_eq!(value.ok(), "2");
    }
}

pub async fn a_dry_run_leaves_nothing(place: Place) {
    let object = config_map("dry", "1");
    for args in [
        vec!["create", "--dry-run=server", "-f", "-"],
        vec!["apply", "--dry-run=server", "-f", "-"],
        vec!["apply", "--server-side", "--dry-run=server", "-f", "-"],
    ] {
        place
            .kubectl_with(&args, &object)
            .await
            .says("(server dry run)")
            .code(0);
    }
    place
        .kubectl(&["get", "cm", "dry"])
        .await
        .refused("not found");
    place.apply(&[object]).await;
    let patch = r#"{"data":{"key":"2"}}"#;
    place
        .kubectl(&["patch", "cm", "dry", "--dry-run=server", "-p", patch])
        .await
        .ok();
    place
        .kubectl(&["delete", "cm", "dry", "--dry-run=server"])
        .await
        .ok();
    let value = place
        .kubectl(&["get", "cm", "dry", "-o", "jsonpath={.data.key}"])
        .await;
    assert_eq!(value.ok(), "1");
}

pub async fn patches_of_every_type_change_objects(place: Place) {
    place
        .apply(&[place.deployment("web", 0, &json!({"name": "app", "image": "web:1"}))])
        .await;
    let strategic =
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s:1"}]}}}}"#;
    let json = r#"[{"op":"replace","path":"/spec/revisionHistoryLimit","value":3}]"#;
    for (kind, patch) in [
        ("strategic", strategic),
        ("merge", r#"{"metadata":{"annotations":{"note":"hi"}}}"#),
        ("json", json),
    ] {
        let args = ["patch", "deploy/web", "--type", kind, "-p", patch];
        place.kubectl(&args).await.says("patched").code(0);
    }
    place
        .kubectl(&["set", "image", "deploy/web", "app=web:2"])
        .await
        .ok();
    place
        .kubectl(&["label", "deploy/web", "tier=front"])
        .await
        .ok();
    place
        .kubectl(&["label", "deploy/web", "tier=back"])
        .await
        .refused("--overwrite is false");
    place
        .kubectl(&["annotate", "deploy/web", "note-"])
        .await
        .ok();
    place
        .kubectl(&[
            "scale",
            "deploy/web",
            "--replicas=0",
            "--current-replicas=0",
        ])
        .await
        .ok();
    let shown = "jsonpath={.spec.template.spec.containers[?(@.name==\"side\")].image} {.spec.template.spec.containers[?(@.name==\"app\")].image} {.spec.revisionHistoryLimit} {.metadata.labels.tier}";
    let shown = place
        .kubectl(&["get", "deploy/web", "-o", shown])
        .await
        .ok();
    assert_eq!(shown, "s:1 web:2 3 front");
}

pub async fn an_editor_changes_an_object(place: Place) {
    place.apply(&[config_map("edited", "before")]).await;
    let mut command = place.kubectl_command("1.35", &["edit", "cm", "edited"]);
    command.env("KUBE_EDITOR", "sed -i s/before/after/");
    run::finish(command, None)
        .await
        .says("configmap/edited edited")
        .code(0);
    let value = place
        .kubectl(&["get", "cm", "edited", "-o", "jsonpath={.data.key}"])
        .await;
    assert_eq!(value.ok(), "after");
}

pub async fn deletion_cascades_as_asked(place: Place) {
    let idle = json!({"name": "app", "image": "web:1"});
    for name in ["background", "foreground", "orphan"] {
        place.apply(&[place.deployment(name, 0, &idle)]).await;
        let label = format!("app={name}");
        let sets = async || {
            let said = place
                .kubectl(&["get", "rs", "-l", &label, "-o", "name"])
                .await;
            said.ok().lines().count()
        };
        place
            .until("the replica set", async || sets().await == 1)
            .await;
        let cascade = format!("--cascade={name}");
        let object = format!("deploy/{name}");
        place
            .kubectl(&["delete", &object, &cascade, "--wait"])
            .await
            .ok();
        match name {
            "orphan" => {
                assert_eq!(sets().await, 1);
                let owners = "jsonpath={.items[*].metadata.ownerReferences}";
                let owners = place
                    .kubectl(&["get", "rs", "-l", &label, "-o", owners])
                    .await;
                assert_eq!(owners.ok(), "");
            }
            "foreground" => assert_eq!(sets().await, 0),
            _ => {
                place
                    .until("the replica set to go", async || sets().await == 0)
                    .await
            }
        }
    }
}

pub async fn waiting_ends_on_conditions_values_and_deletion(place: Place) {
    let idle = json!({"name": "app", "image": "web:1"});
    let wait = async |args: &[&str]| {
        let mut all = vec!["wait", "--timeout=20s"];
        all.extend(args);
        place.kubectl(&all).await
    };
    let (waited, ()) = tokio::join!(wait(&["--for=create", "deploy/late"]), async {
        place.apply(&[place.deployment("late", 0, &idle)]).await;
    });
    waited.says("condition met").code(0);
    wait(&["--for=condition=Available", "deploy/late"])
        .await
        .ok();
    wait(&["--for=jsonpath={.spec.replicas}=0", "deploy/late"])
        .await
        .ok();
    let (waited, deleted) = tokio::join!(
        wait(&["--for=delete", "deploy/late"]),
        place.kubectl(&["delete", "deploy/late"]),
    );
    waited.ok();
    deleted.ok();
    place.apply(&[config_map("never", "1")]).await;
    place
        .kubectl(&[
            "wait",
            "--timeout=1s",
            "--for=jsonpath={.data.key}=2",
            "cm/never",
        ])
        .await
        .refused("timed out waiting for the condition");
}

pub async fn objects_are_created_by_generators(place: Place) {
    for args in [
        "deployment web --image=web:1 --replicas=0 --port=80",
        "service clusterip web --tcp=80:8080",
        "configmap settings --from-literal=a=b",
        "secret generic keys --from-literal=a=b",
        "serviceaccount robot",
        "role reader --verb=get --resource=pods",
        "rolebinding reader --role=reader --serviceaccount=default:robot",
        "job once --image=web:1 --dry-run=server",
        "cronjob nightly --image=web:1 --schedule=@yearly",
        "ingress front --rule=web.local/*=web:80",
        "quota small --hard=pods=100",
        "poddisruptionbudget web --selector=app=web --min-available=1",
    ] {
        let mut all = vec!["create"];
        all.extend(args.split(' '));
        place.kubectl(&all).await.says("created").code(0);
    }
    place
        .kubectl(&["expose", "deploy/web", "--name=other", "--port=81"])
        .await
        .ok();
    place
        .kubectl(&["autoscale", "deploy/web", "--min=1", "--max=2"])
        .await
        .ok();
    place
        .kubectl(&["create", "job", "now", "--from=cronjob/nightly"])
        .await
        .ok();
    place
        .kubectl(&["run", "one", "--image=web:1", "--dry-run=server"])
        .await
        .ok();
    place
        .kubectl(&["get", "all"])
        .await
        .says("deployment.apps/web")
        .says("service/other");
    place
        .kubectl(&["delete", "svc", "--all", "--wait"])
        .await
        .ok();
}
