//! The arithmetic of rollouts: how many pods may be too many or missing at a time.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// What the API server fills in for both limits.
const DEFAULT_PERCENT: i64 = 25;

/// How pods are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// New ones beside the old ones, within limits.
    Rolling {
        max_surge: i32,
        max_unavailable: i32,
    },
    /// All old ones go before the first new one comes.
    Recreate,
}

/// The wished number of pods.
pub fn replicas(deployment: &Deployment) -> i32 {
    deployment.spec.replicas.unwrap_or(1)
}

/// The strategy with its limits resolved to whole pods.
pub fn strategy(spec: &DeploymentSpec) -> Strategy {
    let strategy = spec.strategy.as_ref();
    if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate") {
        return Strategy::Recreate;
    }
    let replicas = spec.replicas.unwrap_or(1);
    let limits = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let max_surge = resolve(
        limits.and_then(|limits| limits.max_surge.as_ref()),
        replicas,
        true,
    );
    let unavailable = resolve(
        limits.and_then(|limits| limits.max_unavailable.as_ref()),
        replicas,
        false,
    );
    // With neither allowed nothing could ever move; rounding must not cause that.
    let max_unavailable = if max_surge == 0 && unavailable == 0 {
        1
    } else {
        unavailable
    };
    Strategy::Rolling {
        max_surge,
        max_unavailable: max_unavailable.min(replicas),
    }
}

impl Strategy {
    /// Pods allowed above the wished number.
    pub fn max_surge(self) -> i32 {
        match self {
            Self::Rolling { max_surge, .. } => max_surge,
            Self::Recreate => 0,
        }
    }

    /// Pods allowed to be missing from the wished number.
    pub fn max_unavailable(self) -> i32 {
        match self {
            Self::Rolling {
                max_unavailable, ..
            } => max_unavailable,
            Self::Recreate => 0,
        }
    }
}

/// A number or a percentage of `total`. Text that is neither counts as none.
pub fn resolve(value: Option<&IntOrString>, total: i32, round_up: bool) -> i32 {
    let percent = match value {
        Some(IntOrString::Int(number)) => return (*number).max(0),
        Some(IntOrString::String(text)) => {
            match text
                .strip_suffix('%')
                .and_then(|number| number.parse::<i64>().ok())
            {
                Some(percent) => percent.clamp(0, i64::from(i32::MAX)),
                None => return 0,
            }
        }
        None => DEFAULT_PERCENT,
    };
    let hundredths = percent * i64::from(total.max(0));
    let whole = if round_up {
        (hundredths + 99) / 100
    } else {
        hundredths / 100
    };
    i32::try_from(whole).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{DeploymentStrategy, RollingUpdateDeployment};

    use super::*;

    fn limits(replicas: i32, surge: IntOrString, unavailable: IntOrString) -> (i32, i32) {
        let strategy = strategy(&DeploymentSpec {
            replicas: Some(replicas),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(surge),
                    max_unavailable: Some(unavailable),
                }),
            }),
            ..DeploymentSpec::default()
        });
        (strategy.max_surge(), strategy.max_unavailable())
    }

    fn percent(value: &str) -> IntOrString {
        IntOrString::String(value.to_owned())
    }

    #[test]
    fn surge_rounds_up_and_unavailable_rounds_down() {
        assert_eq!(limits(10, percent("25%"), percent("25%")), (3, 2));
        assert_eq!(limits(3, percent("25%"), percent("25%")), (1, 0));
        assert_eq!(limits(1, percent("25%"), percent("25%")), (1, 0));
        assert_eq!(limits(4, IntOrString::Int(0), IntOrString::Int(1)), (0, 1));
    }

    #[test]
    fn one_may_be_missing_when_rounding_leaves_nothing() {
        assert_eq!(limits(2, IntOrString::Int(0), percent("25%")), (0, 1));
        assert_eq!(limits(0, percent("0%"), percent("0%")), (0, 0));
    }

    #[test]
    fn no_more_can_be_missing_than_there_are() {
        assert_eq!(limits(2, IntOrString::Int(1), IntOrString::Int(5)), (1, 2));
    }
}
