//! Credentials that an app's owner chose: clients that used Easemob or NetEase keep theirs.

use super::{Facts, Invalid, REPLACED, Secret};

/// A change of an app's credentials. `None` leaves a pair as it is.
#[derive(Clone, Debug, Default)]
pub struct CredentialsChange {
    /// Easemob's client_id and client_secret.
    pub client: Option<Credentials>,
    /// NetEase's AppKey and AppSecret.
    pub netease: NetEaseChange,
}

/// A public half and a secret half.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// A client_id or an AppKey.
    pub id: String,
    /// A client_secret or an AppSecret.
    pub secret: Secret,
}

/// A change of an app's NetEase credentials.
#[derive(Clone, Debug, Default)]
pub enum NetEaseChange {
    /// They stay as they are.
    #[default]
    Keep,
    /// They are removed: the app's NetEase clients are refused.
    Remove,
    /// They are replaced.
    Set(Credentials),
}

impl CredentialsChange {
    /// Reads a change. A pair with two empty halves stays as it is.
    ///
    /// # Errors
    /// [`Invalid::Argument`] for half a pair, for an illegal text, for a removal together with a new pair,
    /// and when nothing would change.
    pub fn parse(
        client: (&str, &str),
        netease: (&str, &str),
        remove_netease: bool,
    ) -> Result<Self, Invalid> {
        let client = Credentials::parse(("client_id", "client_secret"), client.0, client.1)?;
        let fields = ("netease_app_key", "netease_app_secret");
        let netease = match Credentials::parse(fields, netease.0, netease.1)? {
            Some(_) if remove_netease => {
                let why = "can't be removed and replaced in the same call";
                return Err(Invalid::argument("netease_app_key", why));
            }
            Some(pair) => NetEaseChange::Set(pair),
            None if remove_netease => NetEaseChange::Remove,
            None if client.is_none() => {
                return Err(Invalid::argument("client_id", "no credentials are given"));
            }
            None => NetEaseChange::Keep,
        };
        Ok(Self { client, netease })
    }
}

impl CredentialsChange {
    /// Which secrets it replaces or removes, without the secrets.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        if self.client.is_some() {
            facts.insert("client_secret".to_owned(), REPLACED.into());
        }
        match self.netease {
            NetEaseChange::Keep => {}
            NetEaseChange::Remove => {
                facts.insert("netease_app_secret".to_owned(), "removed".into());
            }
            NetEaseChange::Set(_) => {
                facts.insert("netease_app_secret".to_owned(), REPLACED.into());
            }
        }
        facts
    }
}

impl Credentials {
    /// The longest id or secret, in characters.
    pub const MAX_CHARS: usize = 128;
    /// The shortest secret that can be chosen, in characters: a shorter one can be guessed.
    pub const MIN_SECRET_CHARS: usize = 16;

    /// Reads both halves, which came in as the request's `fields`; `None` when both are empty.
    ///
    /// # Errors
    /// [`Invalid::Argument`] for one half without the other, for an id that is not 1-128 visible ASCII
    /// characters, and for a secret that is not 16-128 of them.
    pub fn parse(
        fields: (&'static str, &'static str),
        id: &str,
        secret: &str,
    ) -> Result<Option<Self>, Invalid> {
        if id.is_empty() && secret.is_empty() {
            return Ok(None);
        }
        for (field, text, min) in [(fields.0, id, 1), (fields.1, secret, Self::MIN_SECRET_CHARS)] {
            if !is_legal(text) || text.len() < min {
                let max = Self::MAX_CHARS;
                let why =
                    format!("must be {min}-{max} visible ASCII characters, and both must be given");
                return Err(Invalid::argument(field, why));
            }
        }
        Ok(Some(Self { id: id.to_owned(), secret: Secret::presented(secret) }))
    }
}

/// Whether a text can be an id or a secret at all: a cheap check before the database is asked.
#[must_use]
pub fn is_legal(text: &str) -> bool {
    (1..=Credentials::MAX_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_two_halves_of_visible_ascii_or_none() {
        let parse = |id: &str, secret: &str| Credentials::parse(("id", "secret"), id, secret);
        assert!(parse("", "").unwrap().is_none());
        let secret = "se#cret-16-chars";
        let both = parse("YXA6-id", secret).unwrap().unwrap();
        assert_eq!((both.id.as_str(), both.secret.reveal()), ("YXA6-id", secret));
        for (id, secret) in [("a", ""), ("", secret), ("a b", secret), ("a\n", secret)] {
            assert!(parse(id, secret).is_err(), "{id:?} and {secret:?} were taken");
        }
        for bad in [&secret[1..], "0123456789abcde\u{e4}", "0123456789 abcdef", &"b".repeat(129)] {
            assert!(parse("a", bad).is_err(), "{bad:?} was taken");
        }
        assert!(parse("a", &"b".repeat(128)).is_ok());
    }
}
