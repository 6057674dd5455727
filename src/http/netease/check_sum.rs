//! Authentication by the CheckSum headers, with protection from replays, and the penalty for apps
//! that exceeded their rate.

use std::{fmt, net::IpAddr, time::Duration};

use axum::http::HeaderMap;
use moka::sync::Cache;
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{error::NetEaseError, replays::Replays};
use crate::{
    domain::Secret,
    ops::{
        Core,
        access::{authenticate, caller_cache::CallingApp},
    },
};

/// How far a CurTime may be from now, in the past or in the future.
const VALIDITY: time::Duration = time::Duration::minutes(5);

/// The longest Nonce, in bytes.
const MAX_NONCE: usize = 128;

/// How many CheckSums are remembered at most.
const MAX_REMEMBERED: usize = 1_000_000;

/// How many penalized apps are remembered at most.
const MAX_PENALIZED: u64 = 100_000;

/// How callers of NetEase's API are authenticated.
#[derive(Clone, Copy, Debug)]
pub struct NetEaseSettings {
    /// How long an app is refused after it exceeded its rate; zero for not at all.
    pub penalty: Duration,
    /// Whether a CheckSum is accepted only once.
    pub refuse_replays: bool,
}

/// The authentication of callers, with the CheckSums and penalties that it remembers.
pub(super) struct CheckSumAuth {
    settings: NetEaseSettings,
    seen: Replays,
    /// Until when an app is refused.
    penalized: Cache<Uuid, OffsetDateTime>,
}

impl fmt::Debug for CheckSumAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckSumAuth").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl CheckSumAuth {
    pub(super) fn new(settings: NetEaseSettings) -> Self {
        Self {
            seen: Replays::new(MAX_REMEMBERED),
            penalized: Cache::builder().max_capacity(MAX_PENALIZED).build(),
            settings,
        }
    }

    /// The app whose AppKey and CheckSum the headers hold.
    pub(super) async fn authenticate(
        &self,
        core: &Core,
        headers: &HeaderMap,
        from: Option<IpAddr>,
    ) -> Result<CallingApp, NetEaseError> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let missing = |name: &str| NetEaseError::parameter(format!("the header {name} is missing"));
        let app_key = header("AppKey").ok_or_else(|| missing("AppKey"))?;
        let nonce = header("Nonce").ok_or_else(|| missing("Nonce"))?;
        let cur_time = header("CurTime").ok_or_else(|| missing("CurTime"))?;
        let shown = header("CheckSum").ok_or_else(|| missing("CheckSum"))?;
        if nonce.is_empty() || nonce.len() > MAX_NONCE {
            return Err(NetEaseError::parameter(format!(
                "Nonce must have 1-{MAX_NONCE} characters"
            )));
        }
        let now = core.clock.now();
        let made = made_at(cur_time, now).ok_or_else(|| {
            NetEaseError::parameter(
                "CurTime must be the UTC time in seconds, and at most 5 minutes off",
            )
        })?;
        let wrong = || NetEaseError::parameter("AppKey or CheckSum does not match");
        let mut sum = [0; 20];
        let caller = authenticate::netease_caller(core, app_key, from, |secret| {
            sum = checksum(secret, nonce, cur_time);
            hex::encode(sum).as_bytes().ct_eq(shown.as_bytes()).into()
        });
        let caller = caller.await?.ok_or_else(wrong)?;
        // From then on CurTime is too old.
        let until = made + VALIDITY;
        if self.settings.refuse_replays && !self.seen.is_new(caller.app.id, sum, until, now) {
            return Err(NetEaseError::parameter("the CheckSum was used before"));
        }
        match self.penalized.get(&caller.app.id) {
            Some(until) if until > now => Err(NetEaseError::penalized(until - now)),
            _ => Ok(caller),
        }
    }

    /// Refuses an app for a while, since it exceeded its rate.
    pub(super) fn penalize(&self, core: &Core, app_id: Uuid) {
        let until = core.clock.now() + self.settings.penalty;
        self.penalized.insert(app_id, until);
    }
}

/// The time that a CurTime says, if it is in whole seconds and close enough to now.
fn made_at(cur_time: &str, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let digits = !cur_time.is_empty() && cur_time.bytes().all(|b| b.is_ascii_digit());
    let seconds = cur_time.parse::<i64>().ok().filter(|_| digits)?;
    let made = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    ((now - made).abs() <= VALIDITY).then_some(made)
}

/// The vendor's CheckSum: SHA-1 of AppSecret, Nonce and CurTime, concatenated.
fn checksum(secret: &Secret, nonce: &str, cur_time: &str) -> [u8; 20] {
    Sha1::new()
        .chain_update(secret.reveal())
        .chain_update(nonce)
        .chain_update(cur_time)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_vendors() {
        let secret = Secret::presented("secret");
        let sum = checksum(&secret, "4tgggergigwow323t23t", "1443592222");
        assert_eq!(hex::encode(sum), "4900b1b7b27c8f0e5eecb224b956b660d14006d8");
    }

    #[test]
    fn a_curtime_is_valid_for_five_minutes_either_way() {
        let now = OffsetDateTime::from_unix_timestamp(1_443_592_222).unwrap();
        for good in ["1443592222", "1443591922", "1443592522"] {
            assert!(made_at(good, now).is_some(), "{good} was refused");
        }
        for bad in ["1443591921", "1443592523", "", "+1443592222", "1443592222000", "now", "-1"] {
            assert!(made_at(bad, now).is_none(), "{bad} was taken");
        }
    }
}
