//! All methods of package befriend.v1 and who may call each, read from the descriptors, so that a
//! new method is guarded without being registered.

use std::collections::HashMap;

use prost::Message as _;
use prost_types::{FileDescriptorSet, MethodDescriptorProto, method_options::IdempotencyLevel};

use crate::domain::Role;

use crate::gate::{Operation, Surface};

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Callers without a token: the method checks credentials itself.
    Public,
    /// Callers with an app's token.
    App,
    /// Operators with this role, or one with more rights.
    Operator(Role),
    /// Callers with an app's token, and operators with this role, or one with more rights.
    AppOrOperator(Role),
}

/// Who may call a method. What is not named here is for apps.
fn access_to(service: &str, method: &MethodDescriptorProto) -> Access {
    let role = role_for(method);
    match (service, method.name()) {
        ("TokenService", "IssueToken") => Access::Public,
        ("AppService" | "AuditService" | "CallbackRuleService" | "OperatorTokenService", _) => {
            Access::Operator(role)
        }
        ("EventService", _) => Access::AppOrOperator(role),
        _ => Access::App,
    }
}

/// The role that an operator needs for a method: any role to read, and that of an admin to change
/// something, also by a method that is new, unless it is named here.
fn role_for(method: &MethodDescriptorProto) -> Role {
    let options = method.options.clone().unwrap_or_default();
    match method.name() {
        "RetryEvent" | "RetryFailedEvents" | "TestCallbackRule" => Role::Support,
        _ if options.idempotency_level() == IdempotencyLevel::NoSideEffects => Role::ReadOnly,
        _ => Role::Admin,
    }
}

/// A method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Under what its calls are counted and logged: by gRPC, by Connect, by gRPC-Web.
    operations: [&'static Operation; 3],
    /// Who may call it.
    pub access: Access,
    /// Whether its answer is a stream of messages.
    pub streams: bool,
}

impl Method {
    /// Under what a call is counted and logged that comes by this surface.
    #[must_use]
    pub fn operation(&self, surface: Surface) -> &'static Operation {
        let [grpc, connect, grpc_web] = self.operations;
        match surface {
            Surface::Connect => connect,
            Surface::GrpcWeb => grpc_web,
            Surface::Grpc | Surface::Easemob | Surface::NetEase => grpc,
        }
    }
}

/// The methods, by the path of their requests.
#[derive(Debug)]
pub struct Methods(HashMap<String, Method>);

impl Methods {
    /// Reads the descriptors that this binary was built with.
    #[must_use]
    pub fn read() -> Self {
        let files = FileDescriptorSet::decode(crate::proto::DESCRIPTORS)
            .expect("the build wrote the descriptors");
        let mut methods = HashMap::new();
        for file in files.file.iter().filter(|file| file.package() == "befriend.v1") {
            for service in &file.service {
                for method in &service.method {
                    let operation = format!("{}/{}", service.name(), method.name());
                    let access = access_to(service.name(), method);
                    // Leaked, once at the start, since logs and counters take static names.
                    let streams = method.server_streaming();
                    let path = format!("/befriend.v1.{operation}");
                    let name = operation.leak();
                    let operations = [Surface::Grpc, Surface::Connect, Surface::GrpcWeb]
                        .map(|surface| Operation::of(surface, name));
                    methods.insert(path, Method { operations, access, streams });
                }
            }
        }
        Self(methods)
    }

    /// The method that a request's path calls, if befriend has it.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Method> {
        self.0.get(path).copied()
    }

    /// All of them, with their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Method)> {
        self.0.iter().map(|(path, method)| (path.as_str(), *method))
    }
}
