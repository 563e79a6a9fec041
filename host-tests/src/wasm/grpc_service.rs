//! Whom a filter's gRPC call is to: the protobuf message `envoy.config.core.v3.GrpcService`, as far
//! as it matters to a cluster that is scripted.
//!
//! <https://github.com/envoyproxy/envoy/blob/v1.40.0/api/envoy/config/core/v3/grpc_service.proto>

use super::headers::HeaderMap;
use super::protobuf::{Field, fields};

/// A cluster to call, and what its calls begin with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct GrpcService {
    pub(crate) cluster: String,
    /// `:authority`; the cluster if absent.
    authority: Option<String>,
    /// Headers of every call.
    metadata: Vec<(Vec<u8>, Vec<u8>)>,
}

impl GrpcService {
    /// The cluster `name`.
    pub(crate) fn of(name: String) -> Self {
        Self { cluster: name, ..Self::default() }
    }

    /// A serialized `GrpcService`; `None` if it is none, which most names of clusters are not.
    ///
    /// # Errors
    ///
    /// When it names no cluster.
    pub(crate) fn parse(message: &[u8]) -> Option<Result<Self, &'static str>> {
        let (mut envoy, mut google) = (None, false);
        let mut service = Self::default();
        for field in fields(message)? {
            match field {
                (1, Field::Bytes(bytes)) => {
                    let mut name = Vec::new();
                    for field in fields(bytes)? {
                        match field {
                            (1, Field::Bytes(bytes)) => name = bytes.to_vec(),
                            (2, Field::Bytes(bytes)) => service.authority = Some(text(bytes)),
                            _ => {}
                        }
                    }
                    (envoy, google) = (Some(text(&name)), false);
                }
                (2, Field::Bytes(bytes)) => {
                    fields(bytes)?;
                    (envoy, google) = (None, true);
                }
                (5, Field::Bytes(bytes)) => service.metadata.push(header(bytes)?),
                _ => {}
            }
        }
        Some(match (envoy, google) {
            (Some(cluster), _) => Ok(Self { cluster, ..service }),
            (None, true) => Err("google_grpc is not simulated: use envoy_grpc and a cluster name"),
            (None, false) => Err("the GrpcService names no target: a real Envoy would crash here"),
        })
    }

    /// The request headers of a call, as Envoy's client makes them.
    pub(crate) fn headers(&self, path: &str, timeout_millis: Option<u32>) -> HeaderMap {
        let authority = match self.authority.as_deref() {
            None | Some("") => self.cluster.as_str(),
            Some(authority) => authority,
        };
        let mut pairs = vec![
            (":method", "POST".to_owned()),
            (":path", path.to_owned()),
            (":authority", authority.to_owned()),
            (":scheme", "http".to_owned()),
            ("te", "trailers".to_owned()),
        ];
        if let Some(millis) = timeout_millis {
            pairs.push(("grpc-timeout", grpc_timeout(millis)));
        }
        pairs.push(("content-type", "application/grpc".to_owned()));
        let bytes =
            |(name, value): &(&str, String)| (name.as_bytes().to_vec(), value.clone().into());
        let mut headers = HeaderMap::of_call(&pairs.iter().map(bytes).collect::<Vec<_>>());
        headers.add_call_metadata(&self.metadata);
        headers
    }
}

/// At most eight digits and a unit.
fn grpc_timeout(millis: u32) -> String {
    match millis {
        0..=99_999_999 => format!("{millis}m"),
        _ => format!("{}S", millis / 1000),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `HeaderValue`: key, and value or raw value.
fn header(message: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for field in fields(message)? {
        match field {
            (1, Field::Bytes(bytes)) => key = bytes.to_vec(),
            (2 | 3, Field::Bytes(bytes)) => value = bytes.to_vec(),
            _ => {}
        }
    }
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_cluster() {
        let message = b"\x0a\x09\x0a\x04auth\x12\x01h\x2a\x06\x0a\x01k\x12\x01v\x18\x05";
        let service = GrpcService::parse(message).unwrap().unwrap();
        assert_eq!(service.cluster, "auth");
        let headers = service.headers("/s/m", Some(1500));
        for (name, value) in
            [(":authority", "h"), (":path", "/s/m"), ("grpc-timeout", "1500m"), ("k", "v")]
        {
            assert_eq!(headers.text(name).as_deref(), Some(value), "{name}");
        }
    }

    #[test]
    fn names_of_clusters_are_no_messages() {
        for name in ["auth", "key-service", "ratelimit", "outbound|8080||a.b.svc.cluster.local"] {
            assert_eq!(GrpcService::parse(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn other_targets_are_refused() {
        let google = GrpcService::parse(b"\x12\x05\x0a\x03a:1").unwrap().unwrap_err();
        assert!(google.contains("google_grpc"), "{google}");
        assert!(GrpcService::parse(b"").unwrap().is_err());
    }

    #[test]
    fn every_cut_and_every_deep_nest_is_read_or_refused() {
        let message = b"\x0a\x09\x0a\x04auth\x12\x01h\x1b\x08\x01\x1c\x2a\x06\x0a\x01k\x12\x01v";
        for end in 0..message.len() {
            let _ = GrpcService::parse(&message[..end]);
        }
        assert_eq!(GrpcService::parse(&[0x1b; 100_000]), None);
        assert_eq!(GrpcService::parse(b"\x0c"), None);
    }
}
