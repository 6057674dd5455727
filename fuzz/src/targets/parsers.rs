//! What befriend parses without a service: page tokens, lines of files, and settings.

use std::{fs, path::Path};

use befriend::{
    config::ServeArgs,
    domain::{CallbackUrl, EventPosition, SyncPosition, Username, parse_duration, render_duration},
    page_token::{self, Position},
    store::Db,
    transfer::{Format, InvalidValues, Kind, Reader, Source},
};
use clap::Parser;
use uuid::Uuid;

/// A page token, and the position inside one.
pub fn page_token(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let owner = Username::parse("owner", "alice").expect("a name");
    let friends = page_token::friends(Uuid::nil(), &owner);
    let _ = friends.read(text);
    let _ = page_token::blocks(Uuid::nil(), &owner).read(text);
    let _ = page_token::events(Uuid::nil(), ()).read(text);
    let _ = page_token::block_changes(Uuid::nil(), &owner, 0).read(text);
    if let Some(name) = <String as Position>::decode(text.to_owned()) {
        let token = friends.write(Some(name.clone()));
        assert_eq!(friends.read(&token).expect("a token of the same list"), name);
    }
    comes_back::<i64>(text);
    comes_back::<EventPosition>(text);
    comes_back::<SyncPosition>(text);
}

/// A position that was read from text is written as text that reads as the same position.
fn comes_back<P: Position>(text: &str) {
    let Some(position) = P::decode(text.to_owned()) else { return };
    let written = position.encode();
    let again = P::decode(written.clone()).expect("a written position can be read");
    assert_eq!(again.encode(), written);
}

/// A file to import: the first byte chooses what it holds and its format. `path` is where it is written.
pub fn file(path: &Path, input: &[u8]) {
    let [form, content @ ..] = input else { return };
    let kind = Kind::ALL[usize::from(form >> 1) % Kind::ALL.len()];
    let format = if form & 1 == 0 { Format::JsonLines } else { Format::Csv };
    let leave_out = form & 64 != 0;
    let invalid_values = if leave_out { InvalidValues::LeaveOut } else { InvalidValues::Refuse };
    fs::write(path, content).expect("a file");
    let source = Source { path: path.to_owned(), kind, format };
    let Ok(mut reader) = Reader::open(&source, invalid_values) else { return };
    let mut before = 0;
    while let Ok(Some((line, _))) = reader.next_line() {
        assert!(line > before, "line {line} after line {before}");
        before = line;
    }
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    serve: ServeArgs,
}

/// The database's URL, and the flags of `befriend serve`, each ended by a newline.
pub async fn settings(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (url, flags) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(Flags { serve }) = Flags::try_parse_from(["befriend"].into_iter().chain(flags.lines()))
    else {
        return;
    };
    let _ = Db::new(url, &serve.pool.db());
    let _ =
        (serve.bounds(), serve.access.credentials_key.keyring(), serve.callbacks.webhook(false));
    let _ = CallbackUrl::parse("url", url);
    if let Ok(duration) = parse_duration(url) {
        assert_eq!(parse_duration(&render_duration(duration)), Ok(duration), "{url:?}");
    }
}
