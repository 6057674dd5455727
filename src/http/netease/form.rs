//! The form that a request's body is.

use std::collections::HashMap;

use super::error::{MAX_ACCID, NetEaseError};
use crate::{
    domain::{Invalid, Username},
    http::read,
};

/// The members of a form. Unknown ones are ignored.
pub(in crate::http) struct Form(HashMap<String, String>);

impl Form {
    /// Reads a form, whatever the Content-Type says. Of members with the same name the first
    /// counts.
    pub(super) fn read(body: &[u8]) -> Result<Self, NetEaseError> {
        let pairs = read::pairs(body)
            .ok_or_else(|| NetEaseError::parameter("the body is not UTF-8, form-urlencoded"))?;
        let mut members = HashMap::new();
        for (name, value) in pairs {
            members.entry(name).or_insert(value);
        }
        Ok(Self(members))
    }

    /// A member; `None` when absent, which is not the same as empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A member that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, NetEaseError> {
        self.get(name).ok_or_else(|| NetEaseError::parameter(format!("{name} is missing")))
    }

    /// The user whom a member names.
    pub(super) fn user(&self, name: &'static str) -> Result<Username, NetEaseError> {
        let accid = self.required(name)?;
        if accid.len() > MAX_ACCID {
            return Err(Invalid::Username { field: name.to_owned() }.into());
        }
        Ok(Username::parse(name, accid)?)
    }

    /// A member that must be a whole number.
    pub(super) fn number(&self, name: &str) -> Result<i64, NetEaseError> {
        let number = self.required(name)?.trim().parse();
        number.map_err(|_| NetEaseError::parameter(format!("{name} must be a whole number")))
    }

    /// A member that is a whole number; `default` when absent.
    pub(super) fn number_or(&self, name: &str, default: i64) -> Result<i64, NetEaseError> {
        if self.get(name).is_some() { self.number(name) } else { Ok(default) }
    }

    /// A member that is true or false; false when absent or empty.
    pub(super) fn flag(&self, name: &str) -> Result<bool, NetEaseError> {
        match self.get(name).unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "false" | "0" => Ok(false),
            "true" | "1" => Ok(true),
            _ => Err(NetEaseError::parameter(format!("{name} must be true or false"))),
        }
    }
}
