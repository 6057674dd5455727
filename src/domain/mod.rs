//! What befriend is about, as values: names, entries, limits, errors and the pure decisions over
//! them.
//!
//! What a request brings is parsed into these types once, and trusted after that. Nothing in here does
//! I/O, asks for the time, knows gRPC, HTTP or SQL, or imports anything else of this crate.

mod app;
mod audit;
mod backoff;
mod block;
mod callback;
mod change;
mod credentials;
mod duration;
mod error;
mod event;
mod facts;
mod fair_share;
mod friend;
mod invalid;
mod keyring;
mod limits;
mod message_ids;
mod operator;
mod page;
mod record;
mod relation;
mod replaceable;
mod request;
mod secret;
mod text;
mod unix_time;
mod user;

pub use app::{App, AppKey, AppLimits, AppLimitsChange};
pub use audit::{ActorKind, AuditEvent, AuditFilter, AuditPosition, Audited, Author, Facts};
pub use backoff::{backoff, jittered, random_fraction};
pub use block::BlockedUsers;
pub use callback::{BodyFormat, CallbackRule, CallbackUrl, RuleChange, RuleChoice, SigningSecret};
pub use change::{
    BlockChange, Change, FriendChange, ListVersion, SyncPage, SyncPosition, UpdatedAfter,
};
pub use credentials::{Credentials, CredentialsChange, NetEaseChange, is_legal as is_credential};
pub use duration::{parse_duration, render_duration};
pub use error::{Credential, Error, Outage, Scope, with_causes};
pub use event::{
    Attempt, Event, EventFilter, EventId, EventPosition, EventState, EventType, NewEvent, StateName,
};
pub use facts::{REPLACED, facts, for_log, time_fact};
pub use fair_share::{Held, Holders, Places, TakenPlace, room_for};
pub use friend::{EntryChange, Extension, Friend, FriendEntry, ImportOutcome, Remark};
pub use invalid::Invalid;
pub use keyring::Keyring;
pub use limits::{Bounds, TokenLifetimes};
pub use message_ids::MessageIds;
pub use operator::{OperatorName, OperatorToken, Role};
pub use page::{Page, PageSize, PageSizes};
pub use record::{
    BadLine, BlockRecord, Difference, EntryTexts, FriendRecord, Place, Record, Refusal, UserRecord,
};
pub use relation::Relation;
pub use replaceable::Replaceable;
pub use request::{FriendRequest, RequestDirection, RequestMessage, RequestState};
pub use secret::{Secret, SecretHash, SecretKind, TokenInfo};
pub use text::without_byte_order_mark;
pub use unix_time::{from_unix_millis, unix_millis};
pub use user::{ListHead, Nickname, OwnerKey, User, UserRef, Username};
