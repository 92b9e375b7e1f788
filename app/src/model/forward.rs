//! How an app in the cluster is reached from this machine.

use serde::{Deserialize, Serialize};

use super::{ServiceRow, UnixMillis};

/// A way from this machine to a Service, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    LoadBalancer,
    NodePort,
}

impl Way {
    pub fn words(self) -> &'static str {
        match self {
            Self::LoadBalancer => "its load balancer's address",
            Self::NodePort => "its node port",
        }
    }
}

/// A way that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayTried {
    pub way: Way,
    /// The address; none while there is none.
    pub url: Option<String>,
    /// Why it cannot be taken; none when it can, or nothing speaks against it yet.
    pub why_not: Option<String>,
}

impl WayTried {
    pub fn works(&self) -> bool {
        self.url.is_some() && self.why_not.is_none()
    }
}

impl ServiceRow {
    /// Which way its address goes, and why none of the better ones; none when no way leads to it.
    pub fn way_in_words(&self) -> Option<String> {
        let at = self.ways.iter().position(WayTried::works)?;
        let way = self.ways[at].way.words();
        let others: Vec<&str> = self.ways[..at]
            .iter()
            .filter_map(|way| way.why_not.as_deref())
            .collect();
        Some(match others.is_empty() {
            true => format!("By {way}"),
            false => format!("By {way}: {}", others.join(", ")),
        })
    }

    /// Why only a forward leads to it; none when another way does.
    pub fn why_forward(&self) -> Option<String> {
        if self.ways.iter().any(WayTried::works) {
            return None;
        }
        let why: Vec<&str> = self
            .ways
            .iter()
            .filter_map(|way| way.why_not.as_deref())
            .collect();
        Some(match why.is_empty() {
            true => format!("a {} is reached inside the cluster only", self.kind),
            false => why.join(", "),
        })
    }
}

/// A port of this machine that leads to a port of a Service, whichever pods stand behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardView {
    pub service: String,
    /// The Service's port.
    pub port: u16,
    /// The port on this machine's loopback address.
    pub local_port: u16,
    /// Whether the app is likely to speak TLS there.
    pub https: bool,
    pub since: UnixMillis,
    /// Where the newest connection went.
    pub pod: Option<String>,
    /// Why the newest connection could not be made; none when it could.
    pub problem: Option<String>,
}

impl ForwardView {
    /// Whether it is the forward of that port of that Service.
    pub fn is_of(&self, service: &str, port: u16) -> bool {
        self.service == service && self.port == port
    }

    pub fn url(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/", self.local_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LoadBalancer;

    fn service(ways: Vec<WayTried>) -> ServiceRow {
        ServiceRow {
            name: "web".into(),
            kind: "LoadBalancer".into(),
            ports: vec![80],
            ready_endpoints: 1,
            load_balancer: LoadBalancer::Pending,
            open_url: None,
            ways,
        }
    }

    fn way(way: Way, url: Option<&str>, why_not: Option<&str>) -> WayTried {
        WayTried {
            way,
            url: url.map(str::to_owned),
            why_not: why_not.map(str::to_owned),
        }
    }

    #[test]
    fn the_way_that_is_taken_says_why_none_of_the_better_ones_is() {
        let none = way(Way::LoadBalancer, None, Some("no address was assigned"));
        let node = way(Way::NodePort, Some("http://10.0.0.1:31000/"), None);
        let row = service(vec![none.clone(), node]);
        assert_eq!(
            row.way_in_words().as_deref(),
            Some("By its node port: no address was assigned")
        );
        assert_eq!(row.why_forward(), None);
        let silent = way(
            Way::NodePort,
            Some("http://10.0.0.1:31000/"),
            Some("no answer"),
        );
        let row = service(vec![none, silent]);
        assert_eq!(row.way_in_words(), None);
        assert_eq!(
            row.why_forward().as_deref(),
            Some("no address was assigned, no answer")
        );
    }
}
