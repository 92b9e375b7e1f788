//! The node's DNS server: answers cluster names from the Services table and forwards everything
//! else to this machine's resolvers. UDP and TCP on the node's own loopback address.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::services::{ServiceName, Services};

/// Which namespace a pod address belongs to: short names are looked up there.
pub type PodNamespaces = Arc<RwLock<HashMap<Ipv4Addr, String>>>;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TTL_SECS: u32 = 5;
const NAME_ERROR: u8 = 3;
const SERVER_FAILURE: u8 = 2;
const CLUSTER_DOMAIN: &str = "svc.cluster.local";

/// The bound sockets; holding them also claims the node's subnet.
#[derive(Debug)]
pub struct DnsServer {
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    pub address: SocketAddrV4,
}

impl DnsServer {
    /// Binds on `ip`: port 53 where allowed, else a free port (calls to port 53 are redirected).
    pub async fn bind(ip: Ipv4Addr) -> io::Result<Self> {
        match Self::bind_port(ip, 53).await {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Self::bind_port(ip, 5353).await
            }
            other => other,
        }
    }

    async fn bind_port(ip: Ipv4Addr, port: u16) -> io::Result<Self> {
        let address = SocketAddrV4::new(ip, port);
        let udp = UdpSocket::bind(address).await?;
        let tcp = TcpListener::bind(address).await?;
        Ok(Self {
            udp: Arc::new(udp),
            tcp,
            address,
        })
    }

    /// Serves until the task is dropped.
    pub async fn serve(self, services: Arc<Services>, pods: PodNamespaces) {
        let answerer = Arc::new(Answerer {
            services,
            pods,
            upstream: upstream_servers(),
        });
        let mut buffer = vec![0; 4096];
        loop {
            tokio::select! {
                received = self.udp.recv_from(&mut buffer) => {
                    let Ok((length, from)) = received else { continue };
                    let (query, socket) = (buffer[..length].to_vec(), self.udp.clone());
                    let answerer = answerer.clone();
                    tokio::spawn(async move {
                        if let Some(answer) = answerer.answer(&query, from.ip(), false).await {
                            let _ = socket.send_to(&answer, from).await;
                        }
                    });
                }
                accepted = self.tcp.accept() => {
                    let Ok((mut stream, from)) = accepted else { continue };
                    let answerer = answerer.clone();
                    tokio::spawn(async move {
                        let serve = async {
                            let length = stream.read_u16().await?;
                            let mut query = vec![0; usize::from(length)];
                            stream.read_exact(&mut query).await?;
                            if let Some(answer) = answerer.answer(&query, from.ip(), true).await {
                                stream.write_u16(answer.len() as u16).await?;
                                stream.write_all(&answer).await?;
                            }
                            io::Result::Ok(())
                        };
                        let _ = tokio::time::timeout(Duration::from_secs(10), serve).await;
                    });
                }
            }
        }
    }
}

struct Answerer {
    services: Arc<Services>,
    pods: PodNamespaces,
    upstream: Vec<SocketAddr>,
}

impl Answerer {
    async fn answer(&self, query: &[u8], from: IpAddr, tcp: bool) -> Option<Vec<u8>> {
        let question = Question::parse(query)?;
        let namespace = match from {
            IpAddr::V4(ip) => self
                .pods
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&ip)
                .cloned(),
            IpAddr::V6(_) => None,
        };
        match self.cluster_answer(&question.name, namespace.as_deref()) {
            Some(ServiceName::Addresses(addresses)) => {
                Some(question.reply(query, 0, &addresses, None))
            }
            Some(ServiceName::Alias(target)) => Some(question.reply(query, 0, &[], Some(&target))),
            Some(ServiceName::Unknown) => Some(question.reply(query, NAME_ERROR, &[], None)),
            None => Some(
                self.forward(query, tcp)
                    .await
                    .unwrap_or_else(|| question.reply(query, SERVER_FAILURE, &[], None)),
            ),
        }
    }

    /// `None` for names outside the cluster.
    fn cluster_answer(&self, name: &str, namespace: Option<&str>) -> Option<ServiceName> {
        let name = name.trim_end_matches('.').to_lowercase();
        if name == "cluster.local" || name.ends_with(".cluster.local") {
            let service = name
                .strip_suffix(CLUSTER_DOMAIN)
                .and_then(|n| n.strip_suffix('.'));
            return Some(service.map_or(ServiceName::Unknown, |n| self.in_cluster(n)));
        }
        if let Some(service) = name.strip_suffix(".svc") {
            return Some(self.in_cluster(service));
        }
        // Short names, for programs that do not apply the search list; a real public name wins
        // only when no Service is called that.
        let answer = match name.split('.').collect::<Vec<_>>()[..] {
            [service] => self.services.resolve(namespace?, service),
            [service, namespace] => self.services.resolve(namespace, service),
            _ => return None,
        };
        (answer != ServiceName::Unknown).then_some(answer)
    }

    /// `service.namespace`, or a pod of a headless Service: `pod.service.namespace`.
    fn in_cluster(&self, name: &str) -> ServiceName {
        match name.split('.').collect::<Vec<_>>()[..] {
            [service, namespace] => self.services.resolve(namespace, service),
            _ => ServiceName::Unknown,
        }
    }

    async fn forward(&self, query: &[u8], tcp: bool) -> Option<Vec<u8>> {
        for server in &self.upstream {
            let ask = async {
                if tcp {
                    let mut stream = tokio::net::TcpStream::connect(server).await?;
                    stream.write_u16(query.len() as u16).await?;
                    stream.write_all(query).await?;
                    let length = stream.read_u16().await?;
                    let mut answer = vec![0; usize::from(length)];
                    stream.read_exact(&mut answer).await?;
                    return io::Result::Ok(answer);
                }
                let any: IpAddr = if server.is_ipv4() {
                    Ipv4Addr::UNSPECIFIED.into()
                } else {
                    std::net::Ipv6Addr::UNSPECIFIED.into()
                };
                let socket = UdpSocket::bind((any, 0)).await?;
                socket.connect(server).await?;
                socket.send(query).await?;
                let mut answer = vec![0; 4096];
                let length = socket.recv(&mut answer).await?;
                answer.truncate(length);
                io::Result::Ok(answer)
            };
            if let Ok(Ok(answer)) = tokio::time::timeout(Duration::from_secs(3), ask).await {
                return Some(answer);
            }
        }
        None
    }
}

fn upstream_servers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|ip| ip.trim().parse::<IpAddr>().ok())
        .map(|ip| SocketAddr::new(ip, 53))
        .collect()
}

struct Question {
    name: String,
    kind: u16,
    /// Where the question ends in the query.
    end: usize,
}

impl Question {
    fn parse(query: &[u8]) -> Option<Self> {
        let header = query.get(..12)?;
        // A response, or anything but one question, is nothing we answer.
        if header[2] & 0x80 != 0 || header[4..6] != [0, 1] {
            return None;
        }
        let mut labels = Vec::new();
        let mut at = 12;
        loop {
            let length = usize::from(*query.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            if length > 63 {
                return None;
            }
            labels.push(String::from_utf8_lossy(query.get(at..at + length)?).into_owned());
            at += length;
        }
        let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
        query.get(at + 2..at + 4)?;
        Some(Self {
            name: labels.join("."),
            kind,
            end: at + 4,
        })
    }

    fn reply(
        &self,
        query: &[u8],
        code: u8,
        addresses: &[Ipv4Addr],
        alias: Option<&str>,
    ) -> Vec<u8> {
        let mut records: Vec<(u16, Vec<u8>)> = Vec::new();
        if let Some(alias) = alias {
            let mut name = Vec::new();
            for label in alias.trim_end_matches('.').split('.') {
                let label = &label.as_bytes()[..label.len().min(63)];
                name.push(label.len() as u8);
                name.extend_from_slice(label);
            }
            name.push(0);
            records.push((TYPE_CNAME, name));
        }
        // A name that exists has no IPv6 address: an empty answer, not "no such name".
        if self.kind == TYPE_A {
            records.extend(
                addresses
                    .iter()
                    .take(24)
                    .map(|ip| (TYPE_A, ip.octets().to_vec())),
            );
        }
        let mut reply = query[..self.end].to_vec();
        // Response, authoritative, recursion as asked and available.
        reply[2] = 0x84 | (query[2] & 0x01);
        reply[3] = 0x80 | code;
        reply[6..12].fill(0);
        reply[7] = records.len() as u8;
        for (kind, data) in records {
            reply.extend_from_slice(&[0xc0, 12]);
            reply.extend_from_slice(&kind.to_be_bytes());
            reply.extend_from_slice(&[0, 1]);
            reply.extend_from_slice(&TTL_SECS.to_be_bytes());
            reply.extend_from_slice(&(data.len() as u16).to_be_bytes());
            reply.extend_from_slice(&data);
        }
        reply
    }
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
