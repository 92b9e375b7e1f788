//! Server-side apply, dry run, read and delete of any kind, and conflicts taken apart.

use kube::Client;
use kube::api::{
    Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective,
};
use serde_json::Value;

use super::FIELD_MANAGER;
use super::client::{KubeError, REQUEST_LIMIT, within};
use super::discovery::Served;

/// Another manager holds a field we want to set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    pub manager: String,
    pub field: String,
}

impl Conflict {
    /// A pause, a scaling or an undo of ours holds the field: under a name of its own, so that it can
    /// be seen who did it, but the next deploy goes by the manifests again.
    pub fn is_our_own(&self) -> bool {
        self.manager
            .strip_prefix(FIELD_MANAGER)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// The collection an object lives in.
pub fn api(client: &Client, served: &Served, namespace: &str) -> Api<DynamicObject> {
    if served.namespaced {
        Api::namespaced_with(client.clone(), namespace, &served.resource)
    } else {
        Api::all_with(client.clone(), &served.resource)
    }
}

/// The object as it is; none when there is none.
pub async fn get(api: &Api<DynamicObject>, name: &str) -> Result<Option<Value>, KubeError> {
    let object = within(REQUEST_LIMIT, api.get_opt(name)).await?;
    Ok(object.map(|object| to_value(&object)))
}

/// How an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applying<'a> {
    pub manager: &'a str,
    /// Take fields from other managers.
    pub force: bool,
    /// Only ask what would become of it.
    pub dry_run: bool,
}

/// Applies, or with `dry_run` only asks what would become of it. Unknown fields are errors.
pub async fn apply(
    api: &Api<DynamicObject>,
    name: &str,
    object: &Value,
    dry_run: bool,
) -> Result<Value, KubeError> {
    let how = Applying {
        manager: FIELD_MANAGER,
        force: false,
        dry_run,
    };
    apply_as(api, name, object, how).await
}

/// Applies under a manager's name, by force if wished.
pub async fn apply_as(
    api: &Api<DynamicObject>,
    name: &str,
    object: &Value,
    how: Applying<'_>,
) -> Result<Value, KubeError> {
    let mut params = PatchParams {
        dry_run: how.dry_run,
        force: how.force,
        field_manager: Some(how.manager.to_owned()),
        field_validation: Some(ValidationDirective::Strict),
    };
    let patch = Patch::Apply(object);
    let mut applied = within(REQUEST_LIMIT, api.patch(name, &params, &patch)).await;
    if let Err(error) = &applied
        && conflicts(error).is_some_and(|conflicts| conflicts.iter().all(Conflict::is_our_own))
    {
        params.force = true;
        applied = within(REQUEST_LIMIT, api.patch(name, &params, &patch)).await;
    }
    Ok(to_value(&applied?))
}

/// Asks what would become of a patch in the way of `helm`'s client-side apply: a strategic merge
/// patch where the kind has one, else a JSON merge patch.
pub async fn dry_run_patch(
    api: &Api<DynamicObject>,
    name: &str,
    patch: &Value,
    manager: &str,
    strategic: bool,
) -> Result<Value, KubeError> {
    let params = PatchParams {
        dry_run: true,
        force: false,
        field_manager: Some(manager.to_owned()),
        field_validation: None,
    };
    let patched = if strategic {
        within(
            REQUEST_LIMIT,
            api.patch(name, &params, &Patch::Strategic(patch)),
        )
        .await?
    } else {
        within(
            REQUEST_LIMIT,
            api.patch(name, &params, &Patch::Merge(patch)),
        )
        .await?
    };
    Ok(to_value(&patched))
}

/// Asks what would become of a new object. Unknown fields are errors.
pub async fn dry_run_create(
    api: &Api<DynamicObject>,
    object: &Value,
    manager: &str,
) -> Result<Value, KubeError> {
    let no = |error| KubeError::Kube(kube::Error::HttpError(error));
    let params = PostParams {
        dry_run: true,
        field_manager: Some(manager.to_owned()),
    };
    let body = object.to_string().into_bytes();
    let mut request = kube::core::Request::new(api.resource_url())
        .create(&params, body)
        .map_err(|error| KubeError::Kube(kube::Error::BuildRequest(error)))?;
    // The client has no parameter for it.
    let strict = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = strict
        .parse()
        .map_err(|error: http::uri::InvalidUri| no(error.into()))?;
    let client = api.clone().into_client();
    within(REQUEST_LIMIT, client.request::<Value>(request)).await
}

/// Deletes with everything that depends on it; false when it was gone already.
/// With `uid` only that very object is deleted, not one of the same name made since.
pub async fn delete(
    api: &Api<DynamicObject>,
    name: &str,
    uid: Option<String>,
) -> Result<bool, KubeError> {
    let mut params = DeleteParams::foreground();
    params.preconditions = uid.map(|uid| kube::api::Preconditions {
        uid: Some(uid),
        resource_version: None,
    });
    match within(REQUEST_LIMIT, api.delete(name, &params)).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The field conflicts in a refused apply; none when it was refused for another reason
/// (an optimistic-lock conflict is a 409 as well).
pub fn conflicts(error: &KubeError) -> Option<Vec<Conflict>> {
    let status = error.status().filter(|status| status.code == 409)?;
    let mut found: Vec<Conflict> = status
        .details
        .iter()
        .flat_map(|details| &details.causes)
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| Conflict {
            manager: quoted(&cause.message).unwrap_or_else(|| cause.message.clone()),
            field: cause.field.clone(),
        })
        .collect();
    found.sort();
    found.dedup();
    (!found.is_empty()).then_some(found)
}

fn quoted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('"')?;
    let (name, _) = rest.split_once('"')?;
    Some(name.to_owned())
}

fn to_value(object: &DynamicObject) -> Value {
    // A dynamic object came from JSON and goes back to it.
    serde_json::to_value(object).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_told_by_manager_and_field_and_a_lock_conflict_is_none() {
        let refused: kube::core::Status = serde_json::from_value(serde_json::json!({
            "kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "Apply failed with 2 conflicts",
            "details": {"causes": [
                {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-client-side-apply\" using apps/v1", "field": ".spec.replicas"},
                {"reason": "FieldManagerConflict", "message": "conflict with \"helm\" using apps/v1 at 2026-01-01T00:00:00Z", "field": ".metadata.labels.app"},
            ]}
        }))
        .expect("a status");
        let error = KubeError::Kube(kube::Error::Api(Box::new(refused)));
        let found = conflicts(&error).expect("conflicts");
        assert_eq!(
            found,
            vec![
                Conflict {
                    manager: "helm".into(),
                    field: ".metadata.labels.app".into()
                },
                Conflict {
                    manager: "kubectl-client-side-apply".into(),
                    field: ".spec.replicas".into()
                },
            ]
        );
        let lock = KubeError::Kube(kube::Error::Api(Box::new(
            kube::core::Status::failure("the object has been modified", "Conflict").with_code(409),
        )));
        assert_eq!(conflicts(&lock), None);
    }
}
