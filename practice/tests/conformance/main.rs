//! The real `kubectl` and the real `helm`, and requests by hand, against a cluster: the practice
//! cluster, or any other one named by `SLIPWAY_TEST_KUBECONFIG` and `SLIPWAY_TEST_CONTEXT`. Each
//! case has a namespace of its own. A table says what passed.
//!
//! Pods on another cluster need `SLIPWAY_TEST_IMAGE`, the image there that `SLIPWAY_TEST_SAVE_IMAGE`
//! wrote as an archive; without it their cases are skipped.

mod api_errors;
mod api_lists;
mod cluster;
mod custom;
mod helm;
mod kubectl_read;
mod kubectl_write;
mod limits;
mod pods;
mod rights;
mod run;
mod workloads;

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use cluster::{Cluster, Place};
use futures::future::LocalBoxFuture;
use futures::{FutureExt as _, StreamExt as _};

/// Cases at the same time; each runs one program at a time.
const TOGETHER: usize = 6;
const LONGEST: Duration = Duration::from_secs(80);

/// One claim about the cluster.
struct Case {
    name: &'static str,
    /// Whether containers have to run.
    pods: bool,
    run: fn(Place) -> LocalBoxFuture<'static, ()>,
}

macro_rules! cases {
    ($($pods:literal $module:ident: $($case:ident),+ $(,)?;)+) => {
        vec![$($(Case {
            name: concat!(stringify!($module), "::", stringify!($case)),
            pods: $pods,
            run: |place| Box::pin($module::$case(place)),
        }),+),+]
    };
}

fn cases() -> Vec<Case> {
    cases! {
        true helm:
            releases_live_their_whole_life,
            a_failed_upgrade_is_rolled_back_where_that_was_asked_for,
            hooks_are_jobs_that_must_succeed,
            an_upgrade_that_is_told_to_stop_says_that_it_was_cancelled,
            an_upgrade_that_is_killed_stays_pending_until_it_is_rolled_back;
        true workloads:
            deployments_roll_out_pause_and_go_back,
            stateful_sets_come_in_order_and_keep_their_claims,
            daemon_sets_put_a_pod_on_every_node,
            jobs_end_with_a_condition,
            jobs_can_be_suspended_and_expire;
        true pods:
            logs_can_be_read_in_every_way,
            what_pods_use_is_measured_as_metrics_server_does,
            commands_run_with_their_exit_codes,
            a_shell_has_a_terminal_of_the_size_of_the_callers,
            ports_are_forwarded_both_ways,
            files_are_copied_and_output_attached_to;
        false helm:
            charts_are_rendered_against_the_cluster,
            foreign_objects_are_not_taken_over;
        false kubectl_read:
            objects_are_printed_in_every_form,
            lists_are_watched,
            every_kind_is_described,
            the_server_says_what_it_serves,
            metrics_are_said_to_be_missing;
        false kubectl_write:
            applying_tells_created_from_configured_and_unchanged,
            server_side_apply_names_conflicts_and_can_force,
            a_dry_run_leaves_nothing,
            patches_of_every_type_change_objects,
            an_editor_changes_an_object,
            deletion_cascades_as_asked,
            waiting_ends_on_conditions_values_and_deletion,
            objects_are_created_by_generators;
        false api_errors:
            refusals_have_the_status_shape,
            immutable_fields_are_named,
            unknown_fields_are_warned_about_or_refused,
            apply_conflicts_list_every_field;
        false api_lists:
            lists_come_in_pages,
            watches_begin_with_the_state_and_a_bookmark,
            versions_from_the_future_are_refused,
            tables_and_metadata_are_rendered;
        false custom:
            a_definition_is_served_like_a_built_in_kind,
            a_schema_refuses_what_does_not_fit,
            status_and_scale_are_written_apart,
            definitions_take_their_objects_with_them,
            charts_bring_their_definitions,
            older_versions_are_shown_from_the_same_store;
        false rights:
            a_token_is_its_service_account,
            roles_decide_what_an_account_may_do;
        false limits:
            quotas_refuse_what_goes_beyond_them,
            limit_ranges_fill_in_and_refuse;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_conforms() {
    if let Some(archive) = std::env::var_os("SLIPWAY_TEST_SAVE_IMAGE") {
        cluster::save_image(archive.as_ref());
        return;
    }
    let cluster = Cluster::find().await;
    let filter = std::env::var("SLIPWAY_TEST_CASES").unwrap_or_default();
    let begun = Instant::now();
    let wanted = cases()
        .into_iter()
        .filter(|case| case.name.contains(&filter));
    let mut rows: Vec<(&str, Duration, Outcome)> = futures::stream::iter(wanted)
        .map(|case| one(&cluster, case))
        .buffer_unordered(TOGETHER)
        .collect()
        .await;
    rows.sort_by_key(|(name, ..)| *name);
    let took = begun.elapsed();
    println!("\n{:<78} {:>7}  result", "case", "s");
    for (name, took, outcome) in &rows {
        let took = took.as_secs_f64();
        println!(
            "{:<78} {took:>7.1}  {}",
            name.replace('_', " "),
            outcome.word()
        );
    }
    let failed = rows
        .iter()
        .filter(|(.., outcome)| matches!(outcome, Outcome::Failed(_)));
    let failures: Vec<String> = failed
        .map(|(name, _, outcome)| format!("{name}: {}", outcome.detail()))
        .collect();
    println!(
        "{} cases, {} failed, {:.1} s",
        rows.len(),
        failures.len(),
        took.as_secs_f64()
    );
    cluster.stop().await;
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

enum Outcome {
    Passed,
    Skipped,
    Failed(String),
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Failed(_) => "FAILED",
        }
    }

    fn detail(&self) -> &str {
        match self {
            Self::Failed(why) => why,
            Self::Passed | Self::Skipped => "",
        }
    }
}

async fn one(cluster: &Cluster, case: Case) -> (&'static str, Duration, Outcome) {
    let begun = Instant::now();
    if case.pods && cluster.image.is_none() {
        return (case.name, begun.elapsed(), Outcome::Skipped);
    }
    let place = cluster.place().await;
    let namespace = place.namespace.clone();
    let body = AssertUnwindSafe((case.run)(place)).catch_unwind();
    let outcome = match tokio::time::timeout(LONGEST, body).await {
        Ok(Ok(())) => Outcome::Passed,
        Ok(Err(panic)) => Outcome::Failed(text_of(panic.as_ref())),
        Err(_) => Outcome::Failed(format!("took longer than {LONGEST:?}")),
    };
    cluster.remove(&namespace).await;
    (case.name, begun.elapsed(), outcome)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let word = || panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(word).unwrap_or_else(|| "panicked".to_owned())
}
