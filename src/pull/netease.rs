//! NetEase's API, as far as a pull needs it: a user's friends and blocked users, each in one answer.
//! It has no list of all users.

use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use sha1::{Digest as _, Sha1};

use super::{
    Found, Lists, VendorError,
    client::{Answer, Client, Pace, Verdict, base},
    pull::{UNKNOWN, VANISHED},
};
use crate::{
    clock::Clock,
    domain::Secret,
    transfer::{FriendLine, rfc3339},
};

/// For how long an app is refused that came too often.
const PENALTY: Duration = Duration::from_secs(10);

/// What it speaks of when a refusal is of the app, whoever the user: codes do not tell.
const OF_THE_APP: [&str; 5] = ["appkey", "app key", "checksum", "check sum", "curtime"];

/// Where, and as whom.
#[derive(Clone, Debug)]
pub struct NetEaseSettings {
    /// The address of the API, as "https://api-cn.yunxinapi.com/nimserver".
    pub url: String,
    /// The app's AppKey.
    pub app_key: String,
    /// Its AppSecret.
    pub app_secret: Secret,
}

/// An app at NetEase.
pub struct NetEase {
    settings: NetEaseSettings,
    base: String,
    clock: Clock,
    client: Client,
}

/// The result, which stands in the answer whatever its HTTP status.
#[derive(Deserialize)]
struct Outcome {
    code: i64,
    desc: Option<String>,
}

#[derive(Deserialize)]
struct Friends {
    #[serde(default)]
    friends: Vec<Friend>,
}

#[derive(Deserialize)]
struct Friend {
    faccid: String,
    alias: Option<String>,
    ex: Option<String>,
    serverex: Option<String>,
    createtime: Option<i64>,
}

/// What it says of a user.
enum Told<T> {
    This(T),
    Unknown,
    /// The user is banned, in its words.
    Barred(String),
}

#[derive(Deserialize)]
struct Blacklist {
    #[serde(default)]
    blacklist: Vec<String>,
}

impl NetEase {
    /// Prepares calls; makes none yet.
    ///
    /// # Errors
    /// [`VendorError::Setting`] for an address that is none.
    pub fn new(settings: NetEaseSettings, pace: Pace, clock: Clock) -> Result<Self, VendorError> {
        let base = base(&settings.url)?;
        Ok(Self { settings, base, clock, client: Client::new(pace)? })
    }

    pub(super) fn pace(&self) -> Pace {
        self.client.pace()
    }

    pub(super) fn source(&self) -> String {
        format!("netease {} {}", self.base, self.settings.app_key)
    }

    pub(super) fn address(&self) -> &str {
        &self.base
    }

    /// A user's friends and blocked users, or why there are none.
    pub(super) async fn lists(&self, accid: &str) -> Result<Found, VendorError> {
        // All that changed since the beginning of time: some take 0 for a missing parameter.
        let since = [("accid", accid), ("updatetime", "1")];
        let told = match self.post::<Friends>(accid, "/friend/get.action", &since).await? {
            Told::This(friends) => friends,
            Told::Unknown => return Ok(Found::Unknown(UNKNOWN.to_owned())),
            Told::Barred(why) => return Ok(Found::Barred(why)),
        };
        let path = "/user/listBlackAndMuteList.action";
        let blacklist = match self.post::<Blacklist>(accid, path, &[("accid", accid)]).await? {
            Told::This(Blacklist { blacklist }) => blacklist,
            Told::Unknown => return Ok(Found::Unknown(VANISHED.to_owned())),
            Told::Barred(why) => return Ok(Found::Barred(why)),
        };
        let friends = told.friends.into_iter().map(|friend| FriendLine {
            owner: accid.to_owned(),
            friend: friend.faccid,
            remark: Some(friend.alias.unwrap_or_default()),
            extension: Some(friend.ex.unwrap_or_default()),
            server_extension: Some(friend.serverex.unwrap_or_default()),
            created_at: friend.createtime.and_then(rfc3339),
            updated_at: None,
        });
        Ok(Found::Lists(Lists { friends: friends.collect(), blocked: blacklist }))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        accid: &str,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Told<T>, VendorError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let url = format!("{}{path}", self.base);
        let request = || {
            let nonce = getrandom::u64().map_err(|error| error.to_string())?;
            let nonce = format!("{nonce:016x}");
            let time = self.clock.now().unix_timestamp().to_string();
            let secret = self.settings.app_secret.reveal();
            Request::post(&url)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded;charset=utf-8")
                .header("AppKey", &self.settings.app_key)
                .header("CheckSum", check_sum(secret, &nonce, &time))
                .header("Nonce", nonce)
                .header("CurTime", time)
                .body(Full::new(Bytes::from(body.clone())))
                .map_err(|error| error.to_string())
        };
        self.client.call(&format!("POST {path} of {accid}"), request, judge).await
    }
}

/// The lower-case hexadecimal SHA-1 of secret, nonce and time.
fn check_sum(secret: &str, nonce: &str, time: &str) -> String {
    hex::encode(Sha1::new().chain_update(secret).chain_update(nonce).chain_update(time).finalize())
}

fn judge<T: DeserializeOwned>(answer: &Answer) -> Verdict<Told<T>> {
    let outcome: Outcome = match answer.json() {
        Ok(outcome) => outcome,
        Err(_) if answer.status == StatusCode::OK || answer.status.is_server_error() => {
            return Verdict::Again(answer.in_words());
        }
        Err(_) => return Verdict::Never(answer.in_words()),
    };
    let desc = outcome.desc.as_deref().unwrap_or_default().to_lowercase();
    let says = |text: &str| desc.contains(text);
    match outcome.code {
        200 => match answer.json() {
            Ok(found) => Verdict::Done(Told::This(found)),
            Err(why) => Verdict::Again(why),
        },
        404 => Verdict::Done(Told::Unknown),
        // "alice not register"
        414 if says("not register") => Verdict::Done(Told::Unknown),
        422 => Verdict::Done(Told::Barred(answer.in_words())),
        403 | 414 if OF_THE_APP.iter().any(|word| says(word)) => Verdict::Never(answer.in_words()),
        403 | 414 => Verdict::Refused(answer.in_words()),
        416 => Verdict::TooOften(answer.retry_after().unwrap_or(PENALTY)),
        408 | 415 | 500..600 => Verdict::Again(answer.in_words()),
        _ => Verdict::Never(answer.in_words()),
    }
}

#[cfg(test)]
mod tests {
    use super::check_sum;

    #[test]
    fn the_check_sum_is_the_vendors() {
        let sum = check_sum("secret", "4tgggergigwow323t23t", "1443592222");
        assert_eq!(sum, "4900b1b7b27c8f0e5eecb224b956b660d14006d8");
    }
}
