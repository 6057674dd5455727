//! Easemob's API, as far as a pull needs it: token, users, contacts and blocks, all by pages.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    Found, Lists, UserPage, VendorError,
    client::{Answer, Client, Pace, Verdict, base},
    pull::{UNKNOWN, VANISHED},
};
use crate::{
    domain::Secret,
    transfer::{FriendLine, UserLine, rfc3339},
};

/// How long no calls are made when one was refused without a time to come again.
const PAUSE: Duration = Duration::from_secs(1);

/// Where, and as whom.
#[derive(Clone, Debug)]
pub struct EasemobSettings {
    /// The address of the API, as "https://a1.easemob.com".
    pub url: String,
    /// The app key there, "org#app".
    pub app_key: String,
    /// The app's client_id.
    pub client_id: String,
    /// Its client_secret.
    pub client_secret: Secret,
}

/// An app at Easemob.
pub struct Easemob {
    settings: EasemobSettings,
    /// "https://a1.easemob.com/org/app".
    app: String,
    client: Client,
    token: Mutex<Option<String>>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct Users {
    entities: Vec<Entity>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Entity {
    username: String,
    uuid: Option<String>,
    nickname: Option<String>,
    activated: Option<bool>,
    created: Option<i64>,
    modified: Option<i64>,
}

#[derive(Deserialize)]
struct Contacts {
    data: ContactsPage,
}

#[derive(Deserialize)]
struct ContactsPage {
    contacts: Vec<Contact>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Contact {
    username: String,
    remark: Option<String>,
}

#[derive(Deserialize)]
struct Blocks {
    data: Vec<String>,
    cursor: Option<String>,
}

/// What the vendor says of its errors.
#[derive(Deserialize)]
struct Refusal {
    error: Option<String>,
}

/// What comes of a call for a page.
enum Paged<T> {
    Page(T),
    Unknown,
    /// The token is not good any more.
    Stale,
}

impl Easemob {
    /// Prepares calls; makes none yet.
    ///
    /// # Errors
    /// [`VendorError::Setting`] for an address or an app key that is none.
    pub fn new(settings: EasemobSettings, pace: Pace) -> Result<Self, VendorError> {
        let key = &settings.app_key;
        let (org, app) = key
            .split_once('#')
            .ok_or_else(|| VendorError::Setting(format!("{key} is no app key as org#app")))?;
        let app = format!("{}/{}/{}", base(&settings.url)?, encoded(org), encoded(app));
        let (client, token) = (Client::new(pace)?, Mutex::default());
        Ok(Self { settings, app, client, token })
    }

    pub(super) fn pace(&self) -> Pace {
        self.client.pace()
    }

    pub(super) fn source(&self) -> String {
        format!("easemob {}", self.app)
    }

    pub(super) fn address(&self) -> &str {
        &self.app
    }

    /// A page of all users, after `cursor`.
    pub(super) async fn users(&self, cursor: Option<&str>) -> Result<UserPage, VendorError> {
        let page: Option<Users> = self.page("/users?limit=100", cursor).await?;
        let page = page.ok_or_else(|| VendorError::Call {
            call: "GET /users".to_owned(),
            why: format!("there is no app {} at {}", self.settings.app_key, self.settings.url),
        })?;
        let users = page.entities.into_iter().map(|entity| UserLine {
            username: entity.username,
            nickname: Some(entity.nickname.unwrap_or_default()),
            activated: entity.activated,
            uuid: entity.uuid,
            created_at: entity.created.and_then(rfc3339),
            modified_at: entity.modified.and_then(rfc3339),
        });
        Ok(UserPage { users: users.collect(), next: moved_on(page.cursor, cursor, "/users")? })
    }

    /// A user's friends and blocked users, or why there are none.
    pub(super) async fn lists(&self, username: &str) -> Result<Found, VendorError> {
        let name = encoded(username);
        let mut lists = Lists { friends: Vec::new(), blocked: Vec::new() };
        let path = format!("/user/{name}/contacts?limit=50&needReturnRemark=true");
        let mut cursor = None;
        loop {
            let page: Option<Contacts> = self.page(&path, cursor.as_deref()).await?;
            let Some(Contacts { data }) = page else {
                let why = if cursor.is_none() { UNKNOWN } else { VANISHED };
                return Ok(Found::Unknown(why.to_owned()));
            };
            lists.friends.extend(data.contacts.into_iter().map(|contact| FriendLine {
                owner: username.to_owned(),
                friend: contact.username,
                remark: Some(contact.remark.unwrap_or_default()),
                ..FriendLine::default()
            }));
            cursor = moved_on(data.cursor, cursor.as_deref(), &path)?;
            if cursor.is_none() {
                break;
            }
        }
        let path = format!("/users/{name}/blocks/users?pageSize=50");
        loop {
            let page: Option<Blocks> = self.page(&path, cursor.as_deref()).await?;
            let Some(page) = page else { return Ok(Found::Unknown(VANISHED.to_owned())) };
            lists.blocked.extend(page.data);
            cursor = moved_on(page.cursor, cursor.as_deref(), &path)?;
            if cursor.is_none() {
                return Ok(Found::Lists(lists));
            }
        }
    }

    /// A page; nothing when what it is of does not exist.
    async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        cursor: Option<&str>,
    ) -> Result<Option<T>, VendorError> {
        let name = format!("GET {}", path.split('?').next().unwrap_or_default());
        let cursor = cursor.map_or_else(String::new, |c| format!("&cursor={}", encoded(c)));
        let url = format!("{}{path}{cursor}", self.app);
        let mut stale = None;
        loop {
            let token = self.token(stale.as_deref()).await?;
            let request = || {
                Request::get(&url)
                    .header(header::AUTHORIZATION, format!("Bearer {token}"))
                    .header(header::ACCEPT, "application/json")
                    .body(Full::default())
                    .map_err(|error| error.to_string())
            };
            match self.client.call(&name, request, judge).await? {
                Paged::Page(page) => return Ok(Some(page)),
                Paged::Unknown => return Ok(None),
                Paged::Stale if stale.is_none() => stale = Some(token),
                Paged::Stale => {
                    let why = "a token that was given out just now is refused".to_owned();
                    return Err(VendorError::Call { call: name, why });
                }
            }
        }
    }

    /// A token: the one that is known, unless it is the stale one; else a new one.
    async fn token(&self, stale: Option<&str>) -> Result<String, VendorError> {
        let mut known = self.token.lock().await;
        if let Some(token) = known.as_deref().filter(|token| Some(*token) != stale) {
            return Ok(token.to_owned());
        }
        let login = json!({
            "grant_type": "client_credentials",
            "client_id": self.settings.client_id,
            "client_secret": self.settings.client_secret.reveal(),
        })
        .to_string();
        let url = format!("{}/token", self.app);
        let request = || {
            Request::builder()
                .method(Method::POST)
                .uri(&url)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(login.clone())))
                .map_err(|error| error.to_string())
        };
        let judge = |answer: &Answer| match judge::<Token>(answer) {
            Verdict::Done(Paged::Page(token)) => Verdict::Done(token),
            // Neither passes: what is wrong are the credentials or the app.
            Verdict::Done(_) => Verdict::Never(answer.in_words()),
            Verdict::TooOften(time) => Verdict::TooOften(time),
            Verdict::Again(why) => Verdict::Again(why),
            Verdict::Never(why) | Verdict::Refused(why) => Verdict::Never(why),
        };
        let token = self.client.call("POST /token", request, judge).await?;
        *known = Some(token.access_token.clone());
        Ok(token.access_token)
    }
}

fn judge<T: DeserializeOwned>(answer: &Answer) -> Verdict<Paged<T>> {
    match answer.status {
        StatusCode::OK => match answer.json() {
            Ok(page) => Verdict::Done(Paged::Page(page)),
            Err(why) => Verdict::Again(why),
        },
        StatusCode::UNAUTHORIZED => Verdict::Done(Paged::Stale),
        StatusCode::NOT_FOUND => {
            // The user, not the app or the path.
            let refusal: Result<Refusal, _> = answer.json();
            match refusal.ok().and_then(|refusal| refusal.error).as_deref() {
                Some("service_resource_not_found") => Verdict::Done(Paged::Unknown),
                _ => Verdict::Never(answer.in_words()),
            }
        }
        StatusCode::TOO_MANY_REQUESTS => Verdict::TooOften(answer.retry_after().unwrap_or(PAUSE)),
        StatusCode::REQUEST_TIMEOUT => Verdict::Again(answer.in_words()),
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => Verdict::Refused(answer.in_words()),
        status if status.is_server_error() => Verdict::Again(answer.in_words()),
        _ => Verdict::Never(answer.in_words()),
    }
}

/// Where the next page begins. A place that is where this one began would lead on for ever.
fn moved_on(
    next: Option<String>,
    before: Option<&str>,
    path: &str,
) -> Result<Option<String>, VendorError> {
    let next = next.filter(|cursor| !cursor.is_empty());
    if next.is_some() && next.as_deref() == before {
        let why = "the cursor does not move on".to_owned();
        return Err(VendorError::Refused { call: format!("GET {path}"), why });
    }
    Ok(next)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
