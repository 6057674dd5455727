//! All methods of package befriend.v1 and who may call each, read from the descriptors: a method
//! that is added to a service is guarded from its first day.

use std::collections::HashMap;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody: the method checks credentials itself.
    Anybody,
    /// The bearer of an app's token.
    App,
    /// The bearer of the operator's token.
    Operator,
}

/// A method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name, as "FriendService/AddFriend".
    pub operation: &'static str,
    /// Who may call it.
    pub access: Access,
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
                    let access = match (service.name(), method.name()) {
                        ("TokenService", "IssueToken") => Access::Anybody,
                        ("AppService", _) => Access::Operator,
                        _ => Access::App,
                    };
                    // Leaked once at the start: operations name themselves in logs and counters.
                    let method = Method { operation: operation.clone().leak(), access };
                    methods.insert(format!("/befriend.v1.{operation}"), method);
                }
            }
        }
        Self(methods)
    }

    /// The method that a request's path calls, if it is one of ours.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Method> {
        self.0.get(path).copied()
    }

    /// All of them, with their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Method)> {
        self.0.iter().map(|(path, method)| (path.as_str(), *method))
    }
}
