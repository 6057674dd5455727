//! The form of a request.

use std::collections::HashMap;

use super::Refusal;
use crate::{
    domain::{Invalid, Username},
    http::read,
};

/// The members of a request's form. Members that nobody knows are left alone.
pub(super) struct Form(HashMap<String, String>);

impl Form {
    /// The longest accid, in bytes.
    pub(super) const MAX_ACCID: usize = 32;

    /// Reads a form, whatever the Content-Type says.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let pairs = read::pairs(body)
            .ok_or_else(|| Refusal::parameter("the body is not UTF-8, form-urlencoded"))?;
        let mut members = HashMap::new();
        for (name, value) in pairs {
            members.entry(name).or_insert(value);
        }
        Ok(Self(members))
    }

    /// A member; absent and empty are two things.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A member that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::parameter(format!("{name} is missing")))
    }

    /// The user that a member names.
    pub(super) fn user(&self, name: &'static str) -> Result<Username, Refusal> {
        let accid = self.need(name)?;
        if accid.len() > Self::MAX_ACCID {
            return Err(Invalid::Username { field: name.to_owned() }.into());
        }
        Ok(Username::parse(name, accid)?)
    }

    /// A member that must be a whole number.
    pub(super) fn number(&self, name: &str) -> Result<i64, Refusal> {
        let number = self.need(name)?.trim().parse();
        number.map_err(|_| Refusal::parameter(format!("{name} must be a whole number")))
    }

    /// A member that is a whole number; `default` when absent.
    pub(super) fn number_or(&self, name: &str, default: i64) -> Result<i64, Refusal> {
        if self.get(name).is_some() { self.number(name) } else { Ok(default) }
    }

    /// A member that is true or false; false when absent or empty.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name).unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "false" | "0" => Ok(false),
            "true" | "1" => Ok(true),
            _ => Err(Refusal::parameter(format!("{name} must be true or false"))),
        }
    }
}
