use proptest::prelude::*;
use serde_json::json;

use super::*;

fn class(line: &str) -> Result<Class, Denied> {
    classify_line(line, "todo")
}

fn changed(line: &str) -> Command {
    match class(line) {
        Ok(Class::Change(command)) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn denied(line: &str) -> String {
    match class(line) {
        Err(denied) => denied.to_string(),
        Ok(class) => panic!("{line} is let through as {class:?}"),
    }
}

#[test]
fn what_may_be_proposed_is_understood_whole() {
    let scale = changed("kubectl scale deploy/backend --replicas=2 -n todo");
    assert_eq!(scale.verb, Verb::Scale { replicas: 2 });
    assert_eq!(scale.targets[0].to_string(), "Deployment backend");
    assert_eq!(
        scale.argv("practice"),
        [
            "kubectl",
            "--context=practice",
            "--namespace=todo",
            "scale",
            "deployment/backend",
            "--replicas=2"
        ]
    );
    let undo = changed("kubectl -n todo rollout undo deployment backend --to-revision 3");
    assert_eq!(undo.verb, Verb::Undo { revision: Some(3) });
    assert_eq!(
        undo.words.last().map(String::as_str),
        Some("--to-revision=3")
    );
    let image = changed("kubectl set image deployment/backend backend=todo-backend:abc");
    assert_eq!(image.verb, Verb::SetImage);
    assert_eq!(image.flags, ["backend=todo-backend:abc"]);
    let patch = changed(
        r#"kubectl patch service backend --type=merge -p '{"spec":{"selector":{"app":"backend"}}}'"#,
    );
    assert_eq!(
        patch.verb,
        Verb::Patch {
            patch: json!({"spec": {"selector": {"app": "backend"}}}),
            kind: PatchType::Merge
        }
    );
    for line in [
        "kubectl rollout restart deployment/backend",
        "kubectl rollout pause deployment/backend",
        "kubectl rollout resume deployment/backend",
        "kubectl set env deployment/backend LOG_LEVEL=debug OLD-",
        "kubectl set resources deployment backend -c backend --limits=memory=256Mi",
        "kubectl label pod backend-0 team=blue old- --overwrite",
        "kubectl annotate deployment backend example.com/note='a b'",
        "kubectl delete pod backend-7d9f-x2 backend-7d9f-x3",
    ] {
        changed(line);
    }
}

#[test]
fn what_only_looks_needs_no_yes() {
    for line in [
        "kubectl get pods",
        "kubectl get pods -o wide",
        "kubectl get deploy,svc",
        "kubectl describe deployment/backend",
        "kubectl logs backend-7d9f-x2 --tail=50 --previous",
        "kubectl rollout status deployment/backend",
        "kubectl -n todo events",
    ] {
        assert_eq!(class(line), Ok(Class::Look), "{line}");
    }
}

/// Ways in which something was got to run elsewhere, and a few more.
const DENIED: [(&str, &str); 96] = [
    // Other programs, and more than one.
    ("", "no command"),
    ("rm -rf /", "only kubectl"),
    ("/usr/bin/kubectl delete pod a", "only kubectl"),
    ("./kubectl delete pod a", "only kubectl"),
    ("sh -c 'kubectl get pods'", "only kubectl"),
    ("sudo kubectl delete pod a", "only kubectl"),
    ("env KUBECONFIG=/tmp/k kubectl delete pod a", "only kubectl"),
    ("KUBECONFIG=/tmp/k kubectl delete pod a", "only kubectl"),
    ("kubectl-evil get pods", "only kubectl"),
    ("kubectl get pods; rm -rf /", "shell"),
    ("kubectl get pods && rm x", "shell"),
    ("kubectl get pods || rm x", "shell"),
    ("kubectl get pods | sh", "shell"),
    ("kubectl get pods > /etc/passwd", "shell"),
    ("kubectl get pods < /etc/passwd", "shell"),
    ("kubectl get pods $(rm x)", "shell"),
    ("kubectl get pods `rm x`", "shell"),
    ("kubectl delete pod \"$(rm x)\"", "shell"),
    ("kubectl delete pod $HOME", "shell"),
    ("kubectl delete pod a &", "shell"),
    ("kubectl delete pod a\nkubectl delete ns b", "line break"),
    ("kubectl delete pod *", "shell"),
    ("kubectl delete pod {a,b}", "shell"),
    ("kubectl delete pod 'a", "not closed"),
    ("kubectl delete pod a # harmless", "shell"),
    // What a person cannot see.
    ("kubectl delete pod a\u{200b}b", "U+200B"),
    ("kubectl delete pod \u{202e}a", "U+202E"),
    ("kubectl delete p\u{043e}d a", "U+043E"),
    ("kubectl delete\u{00a0}pod a", "U+00A0"),
    ("kubectl\tdelete pod a", "U+0009"),
    ("kubectl delete pod a\u{1b}[2K", "U+001B"),
    // Verbs that are never run.
    ("kubectl exec backend -- sh", "reaches into pods"),
    ("kubectl attach backend", "reaches into pods"),
    ("kubectl debug backend", "reaches into pods"),
    ("kubectl cp backend:/etc/passwd .", "reaches into pods"),
    ("kubectl run x --image=evil", "reaches into pods"),
    ("kubectl port-forward backend 80", "reaches into pods"),
    ("kubectl proxy", "reaches into pods"),
    ("kubectl config use-context prod", "kubectl itself"),
    ("kubectl config view --raw", "kubectl itself"),
    ("kubectl plugin list", "kubectl itself"),
    ("kubectl auth reconcile -f x", "rights"),
    ("kubectl certificate approve x", "rights"),
    ("kubectl drain node1", "nodes"),
    ("kubectl taint nodes n a=b:NoSchedule", "nodes"),
    ("kubectl apply -f x.yaml", "manifests"),
    ("kubectl create deployment x --image=y", "manifests"),
    ("kubectl replace --force -f x", "manifests"),
    ("kubectl edit deployment backend", "editor"),
    ("kubectl expose deployment backend", "new objects"),
    ("kubectl ai", "not a verb"),
    ("kubectl krew install x", "not a verb"),
    ("kubectl", "no command"),
    // Flags that lead elsewhere.
    ("kubectl get --raw /api/v1/secrets", "--raw"),
    (
        "kubectl --kubeconfig=/tmp/k delete pod a",
        "another cluster",
    ),
    ("kubectl --context prod delete pod a", "another cluster"),
    (
        "kubectl delete pod a --server=https://evil",
        "another cluster",
    ),
    ("kubectl delete pod a -s https://evil", "another cluster"),
    ("kubectl delete pod a --token=x", "another cluster"),
    ("kubectl delete pod a --as=system:admin", "somebody else"),
    (
        "kubectl delete pod a --as-group=system:masters",
        "somebody else",
    ),
    ("kubectl delete pods --all", "not named"),
    ("kubectl delete pods -l app=a", "not named"),
    ("kubectl scale deployment --all --replicas=0", "not named"),
    ("kubectl get pods -A", "other namespaces"),
    ("kubectl delete pod a -f evil.yaml", "somewhere else"),
    (
        "kubectl patch deployment a --patch-file=x",
        "somewhere else",
    ),
    (
        "kubectl set env deployment/a --from=secret/s",
        "somewhere else",
    ),
    ("kubectl delete pod a --force", "make it safe"),
    ("kubectl delete pod a --grace-period=0", "make it safe"),
    (
        "kubectl delete deployment a --cascade=orphan",
        "make it safe",
    ),
    ("kubectl delete pod a --dry-run=none", "Slipway's part"),
    ("kubectl delete pod a --cache-dir=/tmp", "kubectl itself"),
    ("kubectl delete pod a --nonsense", "not a flag"),
    ("kubectl delete pod a --", "not a flag"),
    ("kubectl delete pod a -", "not a flag"),
    // Elsewhere.
    ("kubectl delete pod a -n prod", "`prod`"),
    ("kubectl -n prod delete pod a", "`prod`"),
    (
        "kubectl --namespace=kube-system delete pod a",
        "`kube-system`",
    ),
    ("kubectl -n todo delete pod a -n prod", "`prod`"),
    ("kubectl delete pod a -nprod", "not a flag"),
    // Kinds that are never touched.
    ("kubectl get secrets", "Secrets page"),
    ("kubectl get pods,secrets", "Secrets page"),
    ("kubectl describe secret/x", "Secrets page"),
    ("kubectl delete secret x", "Secrets page"),
    ("kubectl delete ns todo", "whole cluster"),
    ("kubectl delete pvc data", "brings back"),
    ("kubectl delete all x", "everything at once"),
    ("kubectl patch clusterrolebinding x -p '{}'", "rights"),
    ("kubectl label node n a=b", "whole cluster"),
    ("kubectl delete crd x", "whole cluster"),
    ("kubectl delete widgets.example.com x", "not a kind"),
    // What makes no sense.
    ("kubectl delete pod", "names no object"),
    ("kubectl scale deployment/a --replicas=-1", "no value"),
    ("kubectl scale deployment/a --replicas=100000", "no value"),
    ("kubectl patch deployment a -p 'spec: {}'", "not JSON"),
];

#[test]
fn everything_else_is_denied_with_its_reason() {
    for (line, why) in DENIED {
        let said = denied(line);
        assert!(said.contains(why), "{line}: {said}");
    }
}

#[test]
fn marks_of_others_and_wrong_values_are_denied() {
    for line in [
        "kubectl label deployment a app.kubernetes.io/managed-by=Helm --overwrite",
        "kubectl annotate deployment a slipway.dev/x=y",
        "kubectl annotate deployment a meta.helm.sh/release-name=x",
        "kubectl label pod a pod-security.kubernetes.io/enforce=privileged",
        "kubectl set image deployment/a 'a=x y'",
        "kubectl set serviceaccount deployment a admin",
        "kubectl set resources deployment a",
        "kubectl set image deployment/a",
        "kubectl rollout undo statefulset/a",
        "kubectl scale daemonset/a --replicas=1",
        "kubectl scale pod/a --replicas=1",
        "kubectl patch deployment a b -p '{}'",
        "kubectl delete pod ../a",
        "kubectl delete deployment/a b",
    ] {
        denied(line);
    }
    let many = vec!["kubectl".to_owned(); 65];
    assert_eq!(classify(&many, "todo"), Err(Denied::TooLong));
}

#[test]
fn what_an_object_could_do_more_is_told_from_the_object() {
    let before = json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
        {"name": "a", "image": "a:1", "securityContext": {"runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}},
         "env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "T"}}}]}]}}}});
    let gains = |pointer: &str, value: serde_json::Value| {
        let mut after = before.clone();
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        after.pointer_mut(parent).expect("there")[field] = value;
        let said: Vec<String> = gained(&before, &after)
            .iter()
            .map(ToString::to_string)
            .collect();
        said.join("; ")
    };
    let spec = "/spec/template/spec";
    let container = "/spec/template/spec/containers/0";
    assert_eq!(gains(&format!("{container}/image"), json!("a:2")), "");
    for (pointer, value, word) in [
        (format!("{spec}/hostNetwork"), json!(true), "hostNetwork"),
        (
            format!("{spec}/serviceAccountName"),
            json!("admin"),
            "admin",
        ),
        (
            format!("{spec}/volumes"),
            json!([{"name": "v", "hostPath": {"path": "/"}}]),
            "node's folder /",
        ),
        (
            format!("{spec}/volumes"),
            json!([{"name": "v", "secret": {"secretName": "x"}}]),
            "Secret x",
        ),
        (
            format!("{spec}/volumes"),
            json!([{"name": "v", "projected": {"sources": []}}]),
            "projected",
        ),
        (
            format!("{spec}/initContainers"),
            json!([{"name": "i", "image": "evil"}]),
            "container i",
        ),
        (
            format!("{container}/command"),
            json!(["sh", "-c", "env"]),
            "command",
        ),
        (format!("{container}/args"), json!(["--x"]), "args"),
        (
            format!("{container}/lifecycle"),
            json!({"postStart": {"exec": {"command": ["sh"]}}}),
            "lifecycle",
        ),
        (
            format!("{container}/livenessProbe"),
            json!({"exec": {"command": ["sh"]}}),
            "livenessProbe",
        ),
        (
            format!("{container}/readinessProbe"),
            json!({"httpGet": {"host": "evil.example", "port": 80}}),
            "evil.example",
        ),
        (
            format!("{container}/env"),
            json!([{"name": "U", "valueFrom": {"secretKeyRef": {"name": "s", "key": "U"}}}]),
            "U of the Secret s",
        ),
        (
            format!("{container}/envFrom"),
            json!([{"secretRef": {"name": "s"}}]),
            "whole Secret s",
        ),
        (
            format!("{container}/securityContext"),
            json!({"privileged": true}),
            "privileged",
        ),
        (
            format!("{container}/securityContext"),
            json!({}),
            "runAsNonRoot",
        ),
        (
            format!("{container}/ports"),
            json!([{"containerPort": 1, "hostPort": 1}]),
            "port 1 of the node",
        ),
    ] {
        let said = gains(&pointer, value);
        assert!(said.contains(word), "{pointer}: {said}");
    }
    let service = |kind: &str| json!({"kind": "Service", "spec": {"type": kind}});
    assert!(gained(&service("ClusterIP"), &service("ClusterIP")).is_empty());
    assert_eq!(gained(&service("ClusterIP"), &service("NodePort")).len(), 1);
    assert!(gained(&before, &json!(null)).is_empty());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_what_passes_names_the_namespace(line in ".{0,120}") {
        if let Ok(Class::Change(command)) = classify_line(&line, "todo") {
            prop_assert_eq!(command.namespace, "todo");
        }
    }

    #[test]
    fn words_survive_quoting(words in proptest::collection::vec("[ -~]{0,20}", 1..8)) {
        prop_assert_eq!(split(&joined(&words)).expect("split again"), words);
    }

    #[test]
    fn what_is_run_is_what_was_understood(
        verb in proptest::sample::select(vec!["scale", "rollout restart", "rollout undo", "delete", "label", "set image"]),
        noise in proptest::collection::vec("(-{0,2}[a-z]{1,10}(=[a-z0-9/]{0,8})?)", 0..6),
    ) {
        let line = format!("kubectl {verb} deployment/a {}", noise.join(" "));
        if let Ok(Class::Change(command)) = classify_line(&line, "todo") {
            // Read again it is the same command: nothing in the words is understood in another way.
            let argv = command.argv("c");
            let mut again = vec!["kubectl".to_owned()];
            again.extend(argv[2..].iter().filter(|word| !word.starts_with("--field-manager")).cloned());
            prop_assert_eq!(classify(&again, "todo"), Ok(Class::Change(command)));
        }
    }

    #[test]
    fn a_flag_that_leads_elsewhere_is_denied_wherever_it_stands(
        at in 1_usize..4,
        flag in proptest::sample::select(vec!["--kubeconfig=x", "--context=x", "--as=x", "--token=x", "--raw=x", "-A", "--all", "--server=x", "-n=prod"]),
    ) {
        let mut words: Vec<String> = "kubectl scale deployment/a --replicas=1".split(' ').map(str::to_owned).collect();
        words.insert(at, flag.to_owned());
        prop_assert!(classify(&words, "todo").is_err());
    }
}
