//! Adapters: one folder per outside thing. They build requests and parse answers;
//! an adapter knows its tool and the model, and no room.

pub mod docker;
pub mod docker_agent;
pub mod docker_plugin;
pub mod gordon;
pub mod helm;
pub mod kagent;
pub mod kind;
pub mod kube;
pub mod kubectl;
pub mod kubectl_ai;
pub mod listed_image;
pub mod local_http;
pub mod minikube;
pub mod openai;
