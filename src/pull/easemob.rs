//! Easemob's API, as far as a pull needs it: the token, and pages of users, contacts and blocks.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    client::{Client, Outcome, Pace, Response, base},
    error::PullError,
    lists::{Lists, ListsAnswer, UNKNOWN, UserPage, VANISHED},
    pages::Pages,
};
use crate::{
    domain::Secret,
    transfer::{FriendLine, UserLine, rfc3339},
};

/// How long to pause after a throttled call without a Retry-After header.
const PAUSE: Duration = Duration::from_secs(1);

/// Where Easemob's API is, and the credentials for it.
#[derive(Clone, Debug)]
pub struct EasemobSettings {
    /// The address of the API, as "https://a1.easemob.com".
    pub url: String,
    /// The app key at Easemob, "org#app".
    pub app_key: String,
    /// The app's client_id.
    pub client_id: String,
    /// The app's client_secret.
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
    count: Option<u64>,
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
    count: Option<u64>,
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
    count: Option<u64>,
    cursor: Option<String>,
}

/// The body of an error response.
#[derive(Deserialize)]
struct ErrorBody {
    error: Option<String>,
}

/// The answer to a call for a page.
enum PageAnswer<T> {
    Page(T),
    /// The user or the app does not exist.
    NotFound,
    /// The token has expired or was revoked.
    TokenRejected,
}

impl Easemob {
    /// Checks the settings. No call is made yet.
    ///
    /// # Errors
    /// [`PullError::Setting`] for a malformed address or app key.
    pub fn new(settings: EasemobSettings, pace: Pace) -> Result<Self, PullError> {
        let key = &settings.app_key;
        let (org, app) = key
            .split_once('#')
            .ok_or_else(|| PullError::Setting(format!("{key} is not an app key as org#app")))?;
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

    /// The page of users after `cursor`.
    pub(super) async fn users(&self, cursor: Option<&str>) -> Result<UserPage, PullError> {
        let page: Option<Users> = self.page("/users?limit=100", cursor).await?;
        let page = page.ok_or_else(|| PullError::Call {
            call: "GET /users".to_owned(),
            why: format!("there is no app {} at {}", self.settings.app_key, self.settings.url),
        })?;
        let (count, next) = (page.count, page.cursor);
        let users = page.entities.into_iter().map(|entity| UserLine {
            username: entity.username,
            nickname: Some(entity.nickname.unwrap_or_default()),
            activated: entity.activated,
            uuid: entity.uuid,
            created_at: entity.created.and_then(rfc3339),
            modified_at: entity.modified.and_then(rfc3339),
        });
        Ok(UserPage { users: users.collect(), count, next })
    }

    /// A user's friends and blocked users, or why the vendor does not return them.
    pub(super) async fn lists(&self, username: &str) -> Result<ListsAnswer, PullError> {
        let name = encoded(username);
        let mut lists = Lists { friends: Vec::new(), blocked: Vec::new() };
        let path = format!("/user/{name}/contacts?limit=50&needReturnRemark=true");
        let (mut pages, mut cursor) =
            (Pages::new(format!("GET /user/{name}/contacts"), None), None);
        loop {
            let page: Option<Contacts> = self.page(&path, cursor.as_deref()).await?;
            let Some(Contacts { data }) = page else {
                let why = if cursor.is_none() { UNKNOWN } else { VANISHED };
                return Ok(ListsAnswer::Unknown(why.to_owned()));
            };
            let entries = data.contacts.len();
            lists.friends.extend(data.contacts.into_iter().map(|contact| FriendLine {
                owner: username.to_owned(),
                friend: contact.username,
                remark: Some(contact.remark.unwrap_or_default()),
                ..FriendLine::default()
            }));
            cursor = pages.turn(entries, data.count, data.cursor)?;
            if cursor.is_none() {
                break;
            }
        }
        let path = format!("/users/{name}/blocks/users?pageSize=50");
        let mut pages = Pages::new(format!("GET /users/{name}/blocks/users"), None);
        loop {
            let page: Option<Blocks> = self.page(&path, cursor.as_deref()).await?;
            let Some(page) = page else { return Ok(ListsAnswer::Unknown(VANISHED.to_owned())) };
            let entries = page.data.len();
            lists.blocked.extend(page.data);
            cursor = pages.turn(entries, page.count, page.cursor)?;
            if cursor.is_none() {
                return Ok(ListsAnswer::Lists(lists));
            }
        }
    }

    /// A page; `None` if the user or the app does not exist.
    async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        cursor: Option<&str>,
    ) -> Result<Option<T>, PullError> {
        let name = format!("GET {}", path.split('?').next().unwrap_or_default());
        let cursor = cursor.map_or_else(String::new, |c| format!("&cursor={}", encoded(c)));
        let url = format!("{}{path}{cursor}", self.app);
        let mut rejected = None;
        loop {
            let token = self.token(rejected.as_deref()).await?;
            let request = || {
                Request::get(&url)
                    .header(header::AUTHORIZATION, format!("Bearer {token}"))
                    .header(header::ACCEPT, "application/json")
                    .body(Full::default())
                    .map_err(|error| error.to_string())
            };
            match self.client.call(&name, request, classify).await? {
                PageAnswer::Page(page) => return Ok(Some(page)),
                PageAnswer::NotFound => return Ok(None),
                PageAnswer::TokenRejected if rejected.is_none() => rejected = Some(token),
                PageAnswer::TokenRejected => {
                    let why = "the vendor refuses a token that it has just issued".to_owned();
                    return Err(PullError::Call { call: name, why });
                }
            }
        }
    }

    /// The current token; a new one if there is none, or if it is the rejected one.
    async fn token(&self, rejected: Option<&str>) -> Result<String, PullError> {
        let mut current = self.token.lock().await;
        if let Some(token) = current.as_deref().filter(|token| Some(*token) != rejected) {
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
        let classify = |response: &Response| match classify::<Token>(response) {
            Outcome::Done(PageAnswer::Page(token)) => Outcome::Done(token),
            // The app does not exist, or its credentials are wrong.
            Outcome::Done(_) => Outcome::Failed(response.summary()),
            Outcome::Throttled(time) => Outcome::Throttled(time),
            Outcome::Retry(why) => Outcome::Retry(why),
            Outcome::Failed(why) | Outcome::Refused(why) => Outcome::Failed(why),
        };
        let token = self.client.call("POST /token", request, classify).await?;
        *current = Some(token.access_token.clone());
        Ok(token.access_token)
    }
}

fn classify<T: DeserializeOwned>(response: &Response) -> Outcome<PageAnswer<T>> {
    match response.status {
        StatusCode::OK => match response.json() {
            Ok(page) => Outcome::Done(PageAnswer::Page(page)),
            Err(why) => Outcome::Retry(why),
        },
        StatusCode::UNAUTHORIZED => Outcome::Done(PageAnswer::TokenRejected),
        StatusCode::NOT_FOUND => {
            // This code is for a missing user. Others are for a missing app or a wrong path.
            let body: Result<ErrorBody, _> = response.json();
            match body.ok().and_then(|body| body.error).as_deref() {
                Some("service_resource_not_found") => Outcome::Done(PageAnswer::NotFound),
                _ => Outcome::Failed(response.summary()),
            }
        }
        StatusCode::TOO_MANY_REQUESTS => {
            Outcome::Throttled(response.retry_after().unwrap_or(PAUSE))
        }
        StatusCode::REQUEST_TIMEOUT => Outcome::Retry(response.summary()),
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => Outcome::Refused(response.summary()),
        status if status.is_server_error() => Outcome::Retry(response.summary()),
        _ => Outcome::Failed(response.summary()),
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
