//! The methods that can be called in other forms than gRPC's.

use std::{collections::HashMap, sync::Arc};

use prost_reflect::{MessageDescriptor, MethodDescriptor};
use prost_types::method_options::IdempotencyLevel;

use super::codec::types;

/// The package whose methods pass the gate.
const OWN: &str = "befriend.v1";

/// The packages of these methods. Reflection is for tools of gRPC, and streams in both directions.
const PACKAGES: [&str; 2] = [OWN, "grpc.health.v1"];

/// A method.
#[derive(Debug)]
pub(super) struct Call {
    /// Its request.
    pub(super) input: MessageDescriptor,
    /// Its response.
    pub(super) output: MessageDescriptor,
    /// Whether its answer is a stream of messages.
    pub(super) streams: bool,
    /// Whether it may be called by GET.
    pub(super) by_get: bool,
    /// Whether it answers without the gate, which would bound the time of its calls and what they send.
    pub(super) is_open: bool,
    /// The most bytes that a request may have, compressed or not.
    pub(super) max: usize,
}

impl Call {
    fn of(method: &MethodDescriptor, bounds: Bounds) -> Self {
        let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
        let reads = options.idempotency_level() == IdempotencyLevel::NoSideEffects;
        let streams = method.is_server_streaming();
        let is_open = method.parent_service().package_name() != OWN;
        Self {
            input: method.input(),
            output: method.output(),
            streams,
            by_get: reads && !streams,
            is_open,
            max: if is_open { bounds.open } else { bounds.own },
        }
    }
}

/// The most bytes that a request may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// For the methods behind the gate.
    pub(super) own: usize,
    /// For the others.
    pub(super) open: usize,
}

/// The methods, by the path of their requests.
#[derive(Debug)]
pub(super) struct Calls(HashMap<String, Arc<Call>>);

impl Calls {
    /// Reads the descriptors that this binary was built with.
    pub(super) fn read(bounds: Bounds) -> Self {
        let services = types().services();
        let services = services.filter(|service| PACKAGES.contains(&service.package_name()));
        let mut calls = HashMap::new();
        for service in services {
            for method in service.methods().filter(|method| !method.is_client_streaming()) {
                let path = format!("/{}/{}", service.full_name(), method.name());
                calls.insert(path, Arc::new(Call::of(&method, bounds)));
            }
        }
        Self(calls)
    }

    /// The method that a path calls.
    pub(super) fn get(&self, path: &str) -> Option<&Arc<Call>> {
        self.0.get(path)
    }

    /// Whether a path is one of these packages'.
    pub(super) fn is_path(path: &str) -> bool {
        PACKAGES.iter().any(|package| {
            let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(package));
            rest.is_some_and(|rest| rest.starts_with('.'))
        })
    }
}
