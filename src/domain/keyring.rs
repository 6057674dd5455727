//! Encrypts secrets that the service must read again, with keys that are not in the database.

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest,
};
use uuid::Uuid;

use super::{Secret, SecretKind};

/// The first byte of a sealed secret: the format.
const FORMAT: u8 = 1;

/// How many bytes of a key's digest name the key in a sealed secret.
const KEY_ID: usize = 4;

/// Keys for secrets. The first key seals; every key opens what it sealed, so that keys can be rotated.
#[derive(Default)]
pub struct Keyring(Vec<Key>);

struct Key {
    id: [u8; KEY_ID],
    key: LessSafeKey,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.0.len())
    }
}

impl Keyring {
    /// Reads keys that are separated by commas: each 32 bytes in base64, as `openssl rand -base64 32`
    /// prints them. `None` when one of them is no such key.
    #[must_use]
    pub fn parse(keys: &Secret) -> Option<Self> {
        let keys = keys.reveal().split(',').map(|key| Key::parse(key.trim()));
        keys.collect::<Option<_>>().map(Self)
    }

    /// Seals a secret of an app; `None` for a keyring without keys.
    #[must_use]
    pub fn seal(&self, secret: &Secret, app_id: Uuid) -> Option<Vec<u8>> {
        let Key { id, key } = self.0.first()?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the system has a random generator");
        let mut text = secret.reveal().as_bytes().to_vec();
        // The app is part of what is authenticated: a sealed secret that is copied to another app's row
        // does not open.
        let app = Aad::from(app_id.into_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let start = [&[FORMAT], id.as_slice(), nonce.as_ref()].concat();
        key.seal_in_place_append_tag(nonce, app, &mut text).ok()?;
        Some([start, text].concat())
    }

    /// Opens a sealed secret of an app; `None` when no key fits.
    #[must_use]
    pub fn open(&self, sealed: &[u8], app_id: Uuid) -> Option<Secret> {
        let (&format, rest) = sealed.split_first()?;
        let (id, rest) = rest.split_at_checked(KEY_ID)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
        if format != FORMAT {
            return None;
        }
        self.0.iter().filter(|key| key.id == id).find_map(|Key { key, .. }| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut text = text.to_vec();
            let opened =
                key.open_in_place(nonce, Aad::from(app_id.into_bytes()), &mut text).ok()?;
            std::str::from_utf8(opened).ok().map(Secret::presented)
        })
    }
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(SecretKind::CredentialsKey.prefix()).unwrap_or(text);
        // Tools differ in padding, and in the alphabet: standard or URL-safe.
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let url_safe = text.contains(['-', '_']);
        let alphabet = if url_safe { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
        let bytes = GeneralPurpose::new(alphabet, config).decode(text).ok()?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok()?;
        let digest = digest::digest(&digest::SHA256, &bytes);
        let id = digest.as_ref()[..KEY_ID].try_into().ok()?;
        Some(Self { id, key: LessSafeKey::new(key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(keys: &str) -> Keyring {
        Keyring::parse(&Secret::presented(keys)).unwrap()
    }

    const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "__________________________________________8";

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_app_and_not_otherwise() {
        let (app, secret) = (Uuid::from_u128(1), Secret::presented("6d0d"));
        let sealed = keyring(OLD).seal(&secret, app).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"6d0d"), "it can be read");
        assert_eq!(keyring(OLD).open(&sealed, app).unwrap().reveal(), "6d0d");
        assert!(keyring(NEW).open(&sealed, app).is_none(), "another key");
        assert!(keyring(OLD).open(&sealed, Uuid::from_u128(2)).is_none(), "another app");
        for cut in 0..sealed.len() {
            assert!(keyring(OLD).open(&sealed[..cut], app).is_none(), "a part of {cut} bytes");
        }
        let again = keyring(OLD).seal(&secret, app).unwrap();
        assert_ne!(sealed, again, "the same secret looks different each time");
    }

    #[test]
    fn the_first_key_seals_and_all_keys_open() {
        let (app, secret) = (Uuid::from_u128(1), Secret::presented("6d0d"));
        let both = keyring(&format!("{NEW}, {OLD}"));
        let old = keyring(OLD).seal(&secret, app).unwrap();
        assert_eq!(both.open(&old, app).unwrap().reveal(), "6d0d");
        let fresh = both.seal(&secret, app).unwrap();
        assert!(keyring(NEW).open(&fresh, app).is_some());
        assert!(keyring(OLD).open(&fresh, app).is_none());
        assert!(Keyring::default().seal(&secret, app).is_none(), "there is no key");
    }

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        let generated = Secret::generate(SecretKind::CredentialsKey);
        assert!(Keyring::parse(&generated).is_some());
        for bad in ["", "short", "AAECAw==", &format!("{OLD},"), &format!("{OLD}{OLD}"), "\u{e4}"] {
            assert!(Keyring::parse(&Secret::presented(bad)).is_none(), "{bad:?} was taken");
        }
    }
}
