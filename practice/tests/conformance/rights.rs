//! Who may do what.

use serde_json::json;

use crate::cluster::Place;

async fn robot(place: &Place) -> String {
    place.kubectl(&["create", "sa", "robot"]).await.ok();
    let args = [
        "create",
        "role",
        "reader",
        "--verb=get,list,watch",
        "--resource=pods,configmaps",
    ];
    place.kubectl(&args).await.ok();
    let account = format!("--serviceaccount={}:robot", place.namespace);
    let args = [
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        account.as_str(),
    ];
    place.kubectl(&args).await.ok();
    place
        .kubectl(&["create", "token", "robot", "--duration=10m"])
        .await
        .ok()
}

pub async fn a_token_is_its_service_account(place: Place) {
    let token = robot(&place).await;
    assert_eq!(token.split('.').count(), 3, "a JSON web token");
    let user = format!("system:serviceaccount:{}:robot", place.namespace);
    let spec = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
    let (code, review) = place
        .post("/apis/authentication.k8s.io/v1/tokenreviews", &spec)
        .await;
    assert_eq!(code, 201);
    assert_eq!(review["status"]["authenticated"], true, "{review}");
    assert_eq!(review["status"]["user"]["username"], user.as_str());
    place
        .kubectl(&["auth", "whoami", "--as", &user])
        .await
        .says(&user);
    place
        .kubectl(&["create", "token", "robot", "--duration=1m"])
        .await
        .refused("10 minutes");
    place
        .kubectl(&["create", "token", "nobody"])
        .await
        .refused("serviceaccounts \"nobody\" not found");
    // Without its account the token is worth nothing.
    place.kubectl(&["delete", "sa", "robot"]).await.ok();
    let (_, review) = place
        .post("/apis/authentication.k8s.io/v1/tokenreviews", &spec)
        .await;
    assert_ne!(review["status"]["authenticated"], true);
}

pub async fn roles_decide_what_an_account_may_do(place: Place) {
    robot(&place).await;
    let user = format!("system:serviceaccount:{}:robot", place.namespace);
    let ask = async |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(["--as", user.as_str()]);
        place.kubectl(&all).await
    };
    ask(&["get", "pods"]).await.code(0);
    ask(&["get", "cm", "kube-root-ca.crt"]).await.code(0);
    ask(&["get", "secrets"]).await.refused(&format!(
        "Error from server (Forbidden): secrets is forbidden: User \"{user}\" cannot list resource \"secrets\" in API group \"\" in the namespace \"{}\"",
        place.namespace
    ));
    ask(&["delete", "cm", "kube-root-ca.crt"])
        .await
        .refused("configmaps \"kube-root-ca.crt\" is forbidden")
        .says("cannot delete resource \"configmaps\"");
    ask(&["get", "nodes"]).await.refused("at the cluster scope");
    ask(&["logs", "any"]).await.refused("");
    assert_eq!(ask(&["auth", "can-i", "list", "pods"]).await.ok(), "yes");
    ask(&["auth", "can-i", "get", "pods", "--subresource=log"])
        .await
        .code(1)
        .says("no");
    ask(&["auth", "can-i", "create", "deployments"])
        .await
        .code(1)
        .says("no");
    ask(&["auth", "can-i", "--list"]).await.says("pods").code(0);
    ask(&["get", "pods", "-A"])
        .await
        .refused("at the cluster scope");
}
