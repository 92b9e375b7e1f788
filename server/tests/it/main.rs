//! All integration tests of the server in one binary: each file is a subject, and linking is done once.

mod adopt;
mod approvals;
mod assist_docs;
mod assistants;
mod cli;
mod clusters;
mod crash;
mod deploy_faults;
mod deploy_on_practice;
mod deploy_steering;
mod deploy_world;
mod desk_docker_agent;
mod desk_kagent;
mod desk_kubectl_ai;
mod desk_world;
mod docker_builds;
mod docker_context;
mod dockerd;
mod drills;
mod foreign;
mod guard;
mod helm_releases;
mod image_builds;
mod images;
mod live_truth;
mod live_work;
mod live_world;
mod minikube;
mod preview;
mod project;
#[path = "../../../practice/tests/real_tools/mod.rs"]
mod real_tools;
mod secrets;
mod setup;
mod sharing;
mod standin_minikube;
