//! NetEase's API, as far as a pull needs it: a user's friends and blocked users, each list in one
//! response. The API can't list the users of an app.

use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use sha1::{Digest as _, Sha1};

use super::{
    client::{Client, Outcome, Pace, Response, base},
    error::PullError,
    lists::{Lists, ListsAnswer, UNKNOWN, VANISHED},
    pages::Pages,
};
use crate::{
    clock::Clock,
    domain::Secret,
    transfer::{FriendLine, rfc3339},
};

/// How long NetEase refuses an app that made too many calls.
const PENALTY: Duration = Duration::from_secs(10);

/// Words of a refusal that concerns the app, not one user. The codes are the same for both.
const OF_THE_APP: [&str; 5] = ["appkey", "app key", "checksum", "check sum", "curtime"];

/// Where NetEase's API is, and the credentials for it.
#[derive(Clone, Debug)]
pub struct NetEaseSettings {
    /// The address of the API, as "https://api-cn.yunxinapi.com/nimserver".
    pub url: String,
    /// The app's AppKey.
    pub app_key: String,
    /// The app's AppSecret.
    pub app_secret: Secret,
}

/// An app at NetEase.
pub struct NetEase {
    settings: NetEaseSettings,
    base: String,
    clock: Clock,
    client: Client,
}

/// The result of a call: it is in the body, whatever the HTTP status.
#[derive(Deserialize)]
struct ResultBody {
    code: i64,
    desc: Option<String>,
}

#[derive(Deserialize)]
struct Friends {
    /// How many friends the answer holds.
    size: Option<u64>,
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

/// The answer to a call about a user.
enum UserAnswer<T> {
    Found(T),
    Unknown,
    /// The user is banned; the text is the vendor's.
    Banned(String),
}

#[derive(Deserialize)]
struct Blacklist {
    #[serde(default)]
    blacklist: Vec<String>,
}

impl NetEase {
    /// Checks the settings. No call is made yet.
    ///
    /// # Errors
    /// [`PullError::Setting`] for a malformed address.
    pub fn new(settings: NetEaseSettings, pace: Pace, clock: Clock) -> Result<Self, PullError> {
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

    /// A user's friends and blocked users, or why the vendor does not return them.
    pub(super) async fn lists(&self, accid: &str) -> Result<ListsAnswer, PullError> {
        // All entries that changed since 1970. Not 0, which some servers take for a missing parameter.
        let since = [("accid", accid), ("updatetime", "1")];
        let path = "/friend/get.action";
        let friends = match self.post::<Friends>(accid, path, &since).await? {
            UserAnswer::Found(friends) => friends,
            UserAnswer::Unknown => return Ok(ListsAnswer::Unknown(UNKNOWN.to_owned())),
            UserAnswer::Banned(why) => return Ok(ListsAnswer::Refused(why)),
        };
        Pages::new(format!("POST {path} of {accid}"), None).turn(
            friends.friends.len(),
            friends.size,
            None,
        )?;
        let path = "/user/listBlackAndMuteList.action";
        let blacklist = match self.post::<Blacklist>(accid, path, &[("accid", accid)]).await? {
            UserAnswer::Found(Blacklist { blacklist }) => blacklist,
            UserAnswer::Unknown => return Ok(ListsAnswer::Unknown(VANISHED.to_owned())),
            UserAnswer::Banned(why) => return Ok(ListsAnswer::Refused(why)),
        };
        let friends = friends.friends.into_iter().map(|friend| FriendLine {
            owner: accid.to_owned(),
            friend: friend.faccid,
            remark: Some(friend.alias.unwrap_or_default()),
            extension: Some(friend.ex.unwrap_or_default()),
            server_extension: Some(friend.serverex.unwrap_or_default()),
            created_at: friend.createtime.and_then(rfc3339),
            updated_at: None,
        });
        Ok(ListsAnswer::Lists(Lists { friends: friends.collect(), blocked: blacklist }))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        accid: &str,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<UserAnswer<T>, PullError> {
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
        self.client.call(&format!("POST {path} of {accid}"), request, classify).await
    }
}

/// The lower-case hexadecimal SHA-1 of secret, nonce and time.
fn check_sum(secret: &str, nonce: &str, time: &str) -> String {
    hex::encode(Sha1::new().chain_update(secret).chain_update(nonce).chain_update(time).finalize())
}

fn classify<T: DeserializeOwned>(response: &Response) -> Outcome<UserAnswer<T>> {
    let result: ResultBody = match response.json() {
        Ok(result) => result,
        Err(_) if response.status == StatusCode::OK || response.status.is_server_error() => {
            return Outcome::Retry(response.summary());
        }
        Err(_) => return Outcome::Failed(response.summary()),
    };
    let desc = result.desc.as_deref().unwrap_or_default().to_lowercase();
    let says = |text: &str| desc.contains(text);
    match result.code {
        200 => match response.json() {
            Ok(found) => Outcome::Done(UserAnswer::Found(found)),
            Err(why) => Outcome::Retry(why),
        },
        404 => Outcome::Done(UserAnswer::Unknown),
        // "alice not register"
        414 if says("not register") => Outcome::Done(UserAnswer::Unknown),
        422 => Outcome::Done(UserAnswer::Banned(response.summary())),
        403 | 414 if OF_THE_APP.iter().any(|word| says(word)) => {
            Outcome::Failed(response.summary())
        }
        403 | 414 => Outcome::Refused(response.summary()),
        416 => Outcome::Throttled(response.retry_after().unwrap_or(PENALTY)),
        408 | 415 | 500..600 => Outcome::Retry(response.summary()),
        _ => Outcome::Failed(response.summary()),
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
