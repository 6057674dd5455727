//! Generated types to domain values and back; no generated type gets past this folder.

use prost_types::Timestamp;
use time::OffsetDateTime;
use tonic::{Request, Status};

use crate::{
    domain::{App, AppLimitsChange, Error, Friend, Invalid, ListHead, Nickname, User, Username},
    ops::Call,
    proto,
};

/// The call that the gate let through, and the request's message.
///
/// # Errors
/// UNAUTHENTICATED when no app's token was checked: a method that is registered wrongly stays shut.
pub(super) fn app_call<T>(request: Request<T>) -> Result<(Call, T), Status> {
    let (_, mut extensions, message) = request.into_parts();
    let call = extensions.remove::<Call>().ok_or(Error::Unauthenticated)?;
    Ok((call, message))
}

/// Reads a list of names of 1 to `max` entries.
pub(super) fn usernames(
    field: &'static str,
    names: &[String],
    max: usize,
) -> Result<Vec<Username>, Invalid> {
    bounded(field, names.len(), max)?;
    names
        .iter()
        .enumerate()
        .map(|(at, name)| Username::parse(format_args!("{field}[{at}]"), name))
        .collect()
}

/// Refuses a list that is empty or has more than `max` entries.
pub(super) fn bounded(field: &'static str, len: usize, max: usize) -> Result<(), Invalid> {
    match len {
        0 => Err(Invalid::argument(field, "must not be empty")),
        len if len > max => Err(Invalid::BatchTooLarge { field, max }),
        _ => Ok(()),
    }
}

/// Reads a user to create, given as the request's `field`.
pub(super) fn new_user(
    field: &str,
    user: &proto::NewUser,
) -> Result<(Username, Nickname), Invalid> {
    Ok((
        Username::parse(format_args!("{field}.username"), &user.username)?,
        Nickname::parse(format_args!("{field}.nickname"), &user.nickname)?,
    ))
}

pub(super) fn limits_change(change: Option<proto::AppLimitsChange>) -> AppLimitsChange {
    let change = change.unwrap_or_default();
    AppLimitsChange {
        friend_limit: change.friend_limit,
        block_limit: change.block_limit,
        requests_per_second: change.requests_per_second,
    }
}

fn timestamp(time: OffsetDateTime) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: time.unix_timestamp(),
        nanos: i32::try_from(time.nanosecond()).expect("a second has 10^9 nanoseconds"),
    })
}

/// A length of a list as the wire has it.
pub(super) fn count(len: usize) -> i32 {
    i32::try_from(len).expect("lists are bounded far below 2^31")
}

pub(super) fn strings(names: Vec<Username>) -> Vec<String> {
    names.into_iter().map(Username::into_string).collect()
}

impl From<User> for proto::User {
    fn from(user: User) -> Self {
        Self {
            uuid: user.uuid.to_string(),
            username: user.username.into_string(),
            nickname: user.nickname,
            activated: user.activated,
            create_time: timestamp(user.created_at),
            update_time: timestamp(user.modified_at),
        }
    }
}

impl From<ListHead> for proto::ListHead {
    fn from(head: ListHead) -> Self {
        Self {
            friend_count: head.friend_count,
            block_count: head.block_count,
            version: head.version,
        }
    }
}

impl From<Friend> for proto::Friend {
    fn from(friend: Friend) -> Self {
        Self {
            username: friend.username.into_string(),
            remark: friend.remark,
            extension: friend.extension,
            server_extension: friend.server_extension,
            bidirectional: friend.bidirectional,
            create_time: timestamp(friend.created_at),
            update_time: timestamp(friend.updated_at),
            version: friend.version,
        }
    }
}

impl From<App> for proto::App {
    fn from(app: App) -> Self {
        Self {
            uuid: app.id.to_string(),
            app_key: app.key.to_string(),
            client_id: app.client_id,
            limits: Some(proto::AppLimits {
                friend_limit: app.limits.friend_limit,
                block_limit: app.limits.block_limit,
                requests_per_second: app.limits.requests_per_second,
            }),
            create_time: timestamp(app.created_at),
            update_time: timestamp(app.modified_at),
        }
    }
}
