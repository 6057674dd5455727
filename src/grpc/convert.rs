//! Generated types to domain values and back; no generated type gets past this folder.

use prost_types::{FieldMask, Timestamp};
use time::OffsetDateTime;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::{
    domain::{
        App, AppLimitsChange, Attempt, Error, Event, EventState, EventType, Friend, FriendRequest,
        Invalid, ListHead, Nickname, RequestDirection, RequestState, StateName, User, Username,
        from_unix_millis,
    },
    gate::Admitted,
    ops::Call,
    proto,
};

/// Starts the call that the gate let through, now that the request's message is there.
///
/// # Errors
/// UNAVAILABLE when too many calls are in flight. UNAUTHENTICATED when the gate has checked no app's
/// token, so that a method that is public by mistake refuses every call.
pub(super) fn app_call<T>(request: Request<T>) -> Result<(Call, T), Status> {
    let (_, mut extensions, message) = request.into_parts();
    let admitted = extensions.remove::<Admitted>().ok_or(Error::Unauthenticated)?;
    let call = admitted.start_call()?;
    Ok((call, message))
}

/// Starts a call in the app of the caller's token, or for an operator in the app that the message names.
///
/// # Errors
/// As [`app_call`]; INVALID_ARGUMENT for an app key that does not fit the caller; NOT_FOUND for an app that
/// does not exist.
pub(super) async fn call_in<T>(
    request: Request<T>,
    app_key: impl FnOnce(&T) -> &str,
) -> Result<(Call, T), Status> {
    let (_, mut extensions, message) = request.into_parts();
    let admitted = extensions.remove::<Admitted>().ok_or(Error::Unauthenticated)?;
    let call = admitted.start_call_in(app_key(&message)).await?;
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

/// Reads limits to set; those that are absent stay as they are.
pub(super) fn limits_change(limits: Option<proto::AppLimits>) -> AppLimitsChange {
    let limits = limits.unwrap_or_default();
    AppLimitsChange {
        friend_limit: limits.friend_limit,
        block_limit: limits.block_limit,
        requests_per_second: limits.requests_per_second,
    }
}

/// Which fields of an update request to change: those that its mask names. Without a mask, or with an
/// empty one, those that are present.
pub(super) struct UpdateMask<'a>(&'a [String]);

impl<'a> UpdateMask<'a> {
    /// Reads a mask over the paths `fields`.
    ///
    /// # Errors
    /// [`Invalid::Argument`] for a mask that names another path.
    pub(super) fn read(mask: Option<&'a FieldMask>, fields: &[&str]) -> Result<Self, Invalid> {
        let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
        if paths.iter().all(|path| fields.contains(&path.as_str())) {
            return Ok(Self(paths));
        }
        let why = format!("must name only fields to change: {}", fields.join(", "));
        Err(Invalid::argument("update_mask", why))
    }

    /// The value to change the field `path` to, or `None` to leave the field as it is. The mask may
    /// name the message of a field: "limits" includes "limits.friend_limit".
    pub(super) fn choose<T>(&self, path: &str, present: Option<T>, cleared: T) -> Option<T> {
        let includes = |named: &String| {
            let rest = path.strip_prefix(named.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if self.0.is_empty() {
            present
        } else {
            self.0.iter().any(includes).then(|| present.unwrap_or(cleared))
        }
    }
}

/// Reads the id of a callback rule.
pub(super) fn rule_id(text: &str) -> Result<Uuid, Invalid> {
    Uuid::try_parse(text).map_err(|_| Invalid::argument("rule_id", "must be a uuid"))
}

pub(super) fn timestamp(time: OffsetDateTime) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: time.unix_timestamp(),
        nanos: i32::try_from(time.nanosecond()).expect("a second has 10^9 nanoseconds"),
    })
}

/// Reads a duration, member by member: the conversion that comes with the type panics on the most
/// negative one.
pub(super) fn duration(
    field: &'static str,
    duration: prost_types::Duration,
) -> Result<std::time::Duration, Invalid> {
    match (u64::try_from(duration.seconds), u32::try_from(duration.nanos)) {
        (Ok(seconds), Ok(nanos @ ..1_000_000_000)) => Ok(std::time::Duration::new(seconds, nanos)),
        _ => Err(Invalid::argument(field, "must be a duration that is not negative")),
    }
}

/// Reads a time that may be absent.
pub(super) fn opt_time(
    field: &'static str,
    time: Option<Timestamp>,
) -> Result<Option<OffsetDateTime>, Invalid> {
    let Some(time) = time else { return Ok(None) };
    let within = (0..1_000_000_000).contains(&time.nanos);
    let seconds = OffsetDateTime::from_unix_timestamp(time.seconds).ok().filter(|_| within);
    match seconds {
        Some(seconds) => Ok(Some(seconds + time::Duration::nanoseconds(time.nanos.into()))),
        None => Err(Invalid::argument(field, "must be a time between the years 1 and 9999")),
    }
}

/// Reads a state; `None` when it is unspecified.
pub(super) fn event_state(number: i32) -> Result<Option<StateName>, Invalid> {
    match proto::EventState::try_from(number) {
        Ok(proto::EventState::Unspecified) => Ok(None),
        Ok(proto::EventState::Pending) => Ok(Some(StateName::Pending)),
        Ok(proto::EventState::Delivered) => Ok(Some(StateName::Delivered)),
        Ok(proto::EventState::Failed) => Ok(Some(StateName::Failed)),
        Err(_) => Err(Invalid::argument("state", "must be one of the enum's values")),
    }
}

/// Reads a direction, which must be given.
pub(super) fn request_direction(number: i32) -> Result<RequestDirection, Invalid> {
    match proto::FriendRequestDirection::try_from(number) {
        Ok(proto::FriendRequestDirection::Incoming) => Ok(RequestDirection::Incoming),
        Ok(proto::FriendRequestDirection::Outgoing) => Ok(RequestDirection::Outgoing),
        Ok(proto::FriendRequestDirection::Unspecified) | Err(_) => {
            Err(Invalid::argument("direction", "must be INCOMING or OUTGOING"))
        }
    }
}

/// Reads states to list; none stand for all.
pub(super) fn request_states(numbers: &[i32]) -> Result<Vec<RequestState>, Invalid> {
    if numbers.is_empty() {
        return Ok(RequestState::ALL.to_vec());
    }
    let read = |number: &i32| match proto::FriendRequestState::try_from(*number) {
        Ok(proto::FriendRequestState::Pending) => Ok(RequestState::Pending),
        Ok(proto::FriendRequestState::Accepted) => Ok(RequestState::Accepted),
        Ok(proto::FriendRequestState::Rejected) => Ok(RequestState::Rejected),
        Ok(proto::FriendRequestState::Cancelled) => Ok(RequestState::Cancelled),
        Ok(proto::FriendRequestState::Expired) => Ok(RequestState::Expired),
        Ok(proto::FriendRequestState::Unspecified) | Err(_) => {
            Err(Invalid::argument("states", "must be of the enum's values, but not UNSPECIFIED"))
        }
    };
    numbers.iter().map(read).collect()
}

impl From<FriendRequest> for proto::FriendRequest {
    fn from(request: FriendRequest) -> Self {
        let state = match request.state {
            RequestState::Pending => proto::FriendRequestState::Pending,
            RequestState::Accepted => proto::FriendRequestState::Accepted,
            RequestState::Rejected => proto::FriendRequestState::Rejected,
            RequestState::Cancelled => proto::FriendRequestState::Cancelled,
            RequestState::Expired => proto::FriendRequestState::Expired,
        };
        Self {
            requester: request.requester.into_string(),
            recipient: request.recipient.into_string(),
            state: state.into(),
            message: request.message,
            answer: request.answer,
            create_time: timestamp(request.created_at),
            update_time: timestamp(request.updated_at),
            expire_time: request.expires_at.and_then(timestamp),
        }
    }
}

pub(super) fn event(event: Event) -> proto::Event {
    let (state, next, finish) = match event.state {
        EventState::Pending { next_attempt_at } => {
            (proto::EventState::Pending, timestamp(next_attempt_at), None)
        }
        EventState::Delivered { at } => (proto::EventState::Delivered, None, timestamp(at)),
        EventState::Failed { at } => (proto::EventState::Failed, None, timestamp(at)),
    };
    proto::Event {
        event_id: event.id.render(),
        webhook_id: event.id.webhook_id(),
        rule_id: event.id.rule_id.to_string(),
        event_type: event.event_type.map_or("", EventType::as_str).to_owned(),
        owner: event.owner.into_string(),
        other: event.friend.into_string(),
        version: event.id.version,
        state: state.into(),
        attempt_count: event.attempts,
        create_time: timestamp(event.created_at),
        next_attempt_time: next,
        finish_time: finish,
    }
}

impl From<Attempt> for proto::DeliveryAttempt {
    fn from(attempt: Attempt) -> Self {
        Self {
            start_time: from_unix_millis(attempt.started_at_ms).and_then(timestamp),
            http_status: attempt.http_status.map_or(0, i32::from),
            duration: std::time::Duration::from_millis(attempt.duration_ms).try_into().ok(),
            response_body: attempt.response_body,
            error: attempt.error.unwrap_or_default(),
        }
    }
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

impl From<ListHead> for proto::ListSummary {
    fn from(head: ListHead) -> Self {
        Self {
            friend_count: head.friend_count,
            block_count: head.block_count,
            version: head.version,
            incoming_friend_request_count: head.incoming_requests,
            outgoing_friend_request_count: head.outgoing_requests,
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
            netease_app_key: app.netease_app_key.unwrap_or_default(),
            limits: Some(proto::AppLimits {
                friend_limit: Some(app.limits.friend_limit),
                block_limit: Some(app.limits.block_limit),
                requests_per_second: Some(app.limits.requests_per_second),
            }),
            create_time: timestamp(app.created_at),
            update_time: timestamp(app.modified_at),
        }
    }
}
