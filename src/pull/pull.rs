//! From a vendor to a folder: all users, then the lists of each, several at once, written in order.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Found, Vendor, VendorError,
    folder::{Folder, MissingLine, What, failed},
    names::Names,
};
use crate::transfer::{Audience, BlockLine, UserLine};

/// Between two notes of how far it is: what was pulled after the last one is pulled again.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// After so many refused users in a row it is seen whether it is the app that is refused.
const REFUSED_IN_A_ROW: usize = 100;

/// Why there is nothing of a user.
pub(super) const UNKNOWN: &str = "is unknown there";

/// Why there is nothing of a user of whom something was told a moment ago.
pub(super) const VANISHED: &str = "became unknown there while the lists were read";

/// What is there at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Users with their lists.
    pub users: u64,
    /// Users whom the vendor does not know; they stand in `missing.jsonl`, as the refused ones.
    pub unknown: u64,
    /// Users of whom the vendor tells nothing.
    pub refused: u64,
    /// Lines of the file of names that can be none.
    pub bad_names: u64,
}

/// Pulls everything of a vendor's app into a folder, or what is missing there of it: the users whom the
/// vendor lists, or those of a file with a name a line. The audience is told of every user, and every
/// line of the file, that is left out, at the end and whenever the pull is repeated.
///
/// # Errors
/// [`VendorError`]; whatever it is, the next call goes on about where this one ended.
pub async fn pull(
    vendor: &Vendor,
    folder: &Path,
    names: Option<&Path>,
    stop: &CancellationToken,
    audience: &mut dyn Audience,
) -> Result<Pulled, VendorError> {
    let names = names.map(Names::read).transpose()?;
    for bad in names.iter().flat_map(|names| &names.bad) {
        audience.problem(bad);
    }
    let bad_names = names.as_ref().map_or(0, |names| names.bad.len() as u64);
    let mut folder = Folder::open(folder, &vendor.source(), names.as_ref().map(Names::digest))?;
    if !folder.note.all_listed {
        audience.begin("listing users", None);
        audience.advance(folder.note.listed);
        let listed = match names {
            Some(names) => add_names(&mut folder, names, audience),
            None => list(vendor, &mut folder, stop, audience).await,
        };
        keep(&mut folder, listed)?;
    }
    audience.begin("pulling lists", Some(folder.note.listed));
    audience.advance(folder.note.pulled);
    let pulled = pull_lists(vendor, &mut folder, stop, audience).await;
    keep(&mut folder, pulled)?;
    tell_missing(&folder, audience)?;
    let (all, unknown, refused) = (folder.note.pulled, folder.note.unknown, folder.note.refused);
    Ok(Pulled { users: all - unknown - refused, unknown, refused, bad_names })
}

/// Notes how far it came, unless it ended in the midst of writing.
fn keep(folder: &mut Folder, done: Result<(), VendorError>) -> Result<(), VendorError> {
    if !matches!(done, Err(VendorError::Folder { .. })) {
        folder.save()?;
    }
    done
}

fn add_names(
    folder: &mut Folder,
    names: Names,
    audience: &mut dyn Audience,
) -> Result<(), VendorError> {
    for name in names.names {
        let user = UserLine { username: name.into_string(), ..UserLine::default() };
        folder.add(What::Listed, &user)?;
        folder.note.listed += 1;
        audience.advance(1);
    }
    folder.note.all_listed = true;
    Ok(())
}

async fn list(
    vendor: &Vendor,
    folder: &mut Folder,
    stop: &CancellationToken,
    audience: &mut dyn Audience,
) -> Result<(), VendorError> {
    let mut noted = Instant::now();
    while !folder.note.all_listed {
        let cursor = folder.note.cursor.clone();
        let page = tokio::select! {
            page = vendor.users(cursor.as_deref()) => page?,
            () = stop.cancelled() => return Err(VendorError::Stopped),
        };
        for user in &page.users {
            folder.add(What::Listed, user)?;
        }
        folder.note.listed += page.users.len() as u64;
        audience.advance(page.users.len() as u64);
        folder.note.all_listed = page.next.is_none();
        folder.note.cursor = page.next;
        if noted.elapsed() >= NOTE_EVERY {
            folder.save()?;
            noted = Instant::now();
        }
    }
    Ok(())
}

async fn pull_lists(
    vendor: &Vendor,
    folder: &mut Folder,
    stop: &CancellationToken,
    audience: &mut dyn Audience,
) -> Result<(), VendorError> {
    let path = folder.path_of(What::Listed);
    let listed = BufReader::new(File::open(&path).map_err(failed(&path))?).lines();
    let done = usize::try_from(folder.note.pulled).unwrap_or(usize::MAX);
    let in_flight = vendor.pace().in_flight.max(1);
    let mut users = stream::iter(listed.skip(done))
        .map(|line| {
            let line = line.and_then(|line| Ok(serde_json::from_str::<UserLine>(&line)?));
            let user = line.map_err(failed(&path));
            async move {
                let user = user?;
                let found = vendor.lists(&user.username).await;
                Ok::<_, VendorError>((user, found))
            }
        })
        .buffered(in_flight);
    let mut noted = Instant::now();
    // Refused, since the vendor answered last. Until it answers again it may be the app that is
    // refused: these users are not noted.
    let mut refused = Vec::new();
    loop {
        let next = tokio::select! {
            next = users.next() => next,
            () = stop.cancelled() => return Err(VendorError::Stopped),
        };
        let Some(next) = next else { break };
        let (user, found) = next?;
        match found {
            Err(VendorError::Refused { call, why }) => refused.push((user, call, why)),
            found => {
                let found = found?;
                take_refused(folder, &mut refused, audience)?;
                take(folder, &user, found)?;
                folder.note.answered = Some(user.username);
                audience.advance(1);
            }
        }
        if refused.len() == REFUSED_IN_A_ROW {
            ask_again(vendor, folder, &refused, stop).await?;
            take_refused(folder, &mut refused, audience)?;
        }
        if noted.elapsed() >= NOTE_EVERY {
            folder.save()?;
            noted = Instant::now();
        }
    }
    ask_again(vendor, folder, &refused, stop).await?;
    take_refused(folder, &mut refused, audience)
}

/// A user whose lists were refused, by which call, and why.
type RefusedUser = (UserLine, String, String);

/// Whether users are refused or the app: it is the app if the one of whom the vendor answered before
/// is refused now, or if there is none.
async fn ask_again(
    vendor: &Vendor,
    folder: &Folder,
    refused: &[RefusedUser],
    stop: &CancellationToken,
) -> Result<(), VendorError> {
    let Some((_, call, why)) = refused.last() else { return Ok(()) };
    if let Some(answered) = &folder.note.answered {
        let found = tokio::select! {
            found = vendor.lists(answered) => found,
            () = stop.cancelled() => return Err(VendorError::Stopped),
        };
        return found.map(|_| ());
    }
    Err(VendorError::Refused { call: call.clone(), why: format!("{why} (so far it refuses all)") })
}

fn take_refused(
    folder: &mut Folder,
    refused: &mut Vec<RefusedUser>,
    audience: &mut dyn Audience,
) -> Result<(), VendorError> {
    for (user, call, why) in refused.drain(..) {
        take(folder, &user, Found::Barred(format!("{call}: {why}")))?;
        audience.advance(1);
    }
    Ok(())
}

fn take(folder: &mut Folder, user: &UserLine, found: Found) -> Result<(), VendorError> {
    let username = user.username.clone();
    match found {
        Found::Unknown(why) => {
            folder.add(What::Missing, &MissingLine { username, why })?;
            folder.note.unknown += 1;
        }
        Found::Barred(why) => {
            folder.add(What::Missing, &MissingLine { username, why })?;
            folder.note.refused += 1;
        }
        Found::Lists(lists) => {
            folder.add(What::Users, user)?;
            for friend in &lists.friends {
                folder.add(What::Friends, friend)?;
            }
            // Files have the oldest first.
            for blocked in lists.blocked.into_iter().rev() {
                let owner = username.clone();
                folder.add(What::Blocks, &BlockLine { owner, blocked, created_at: None })?;
            }
        }
    }
    folder.note.pulled += 1;
    Ok(())
}

fn tell_missing(folder: &Folder, audience: &mut dyn Audience) -> Result<(), VendorError> {
    let path = folder.path_of(What::Missing);
    let told = File::open(&path).and_then(|file| {
        for line in BufReader::new(file).lines() {
            let line: MissingLine = serde_json::from_str(&line?)?;
            audience.problem(&format!("{}: {}", line.username, line.why));
        }
        Ok::<_, io::Error>(())
    });
    told.map_err(failed(&path))
}
