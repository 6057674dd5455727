//! From a vendor to a folder: all users, then the lists of each, several at once, written in order.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Lists, Vendor, VendorError,
    folder::{Folder, What, failed},
};
use crate::transfer::{Audience, BlockLine, UserLine};

/// Between two notes of how far it is: what was pulled after the last one is pulled again.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// What is there at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Users with their lists.
    pub users: u64,
    /// Names that the vendor does not know; they stand in `unknown.txt`.
    pub unknown: u64,
}

/// Pulls everything of a vendor's app into a folder, or what is missing there of it: the users whom the
/// vendor lists, or those of a file with a name a line.
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
    let mut folder = Folder::open(folder, &vendor.source())?;
    if !folder.note.all_listed {
        audience.begin("listing users", None);
        audience.advance(folder.note.listed);
        let listed = match names {
            Some(names) => read_names(&mut folder, names, audience),
            None => list(vendor, &mut folder, stop, audience).await,
        };
        folder.save()?;
        listed?;
    }
    audience.begin("pulling lists", Some(folder.note.listed));
    audience.advance(folder.note.pulled);
    let pulled = pull_lists(vendor, &mut folder, stop, audience).await;
    folder.save()?;
    pulled?;
    let (all, unknown) = (folder.note.pulled, folder.note.unknown);
    Ok(Pulled { users: all - unknown, unknown })
}

/// The names of a file, empty lines aside.
fn read_names(
    folder: &mut Folder,
    names: &Path,
    audience: &mut dyn Audience,
) -> Result<(), VendorError> {
    let file = File::open(names).map_err(failed(names))?;
    for name in BufReader::new(file).lines() {
        let name = name.map_err(failed(names))?;
        let name = name.trim();
        if !name.is_empty() {
            let user = UserLine { username: name.to_owned(), ..UserLine::default() };
            folder.add(What::Listed, &user)?;
            folder.note.listed += 1;
            audience.advance(1);
        }
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
    folder.save()?;
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
                let lists = vendor.lists(&user.username).await?;
                Ok::<_, VendorError>((user, lists))
            }
        })
        .buffered(in_flight);
    let mut noted = Instant::now();
    loop {
        let next = tokio::select! {
            next = users.next() => next,
            () = stop.cancelled() => return Err(VendorError::Stopped),
        };
        let Some(pulled) = next else { return Ok(()) };
        let (user, lists) = pulled?;
        take(folder, &user, lists)?;
        audience.advance(1);
        if noted.elapsed() >= NOTE_EVERY {
            folder.save()?;
            noted = Instant::now();
        }
    }
}

fn take(folder: &mut Folder, user: &UserLine, lists: Option<Lists>) -> Result<(), VendorError> {
    folder.note.pulled += 1;
    let Some(lists) = lists else {
        folder.note.unknown += 1;
        return folder.add_text(What::Unknown, &user.username);
    };
    folder.add(What::Users, user)?;
    for friend in &lists.friends {
        folder.add(What::Friends, friend)?;
    }
    // Files have the oldest first.
    for blocked in lists.blocked.into_iter().rev() {
        let owner = user.username.clone();
        folder.add(What::Blocks, &BlockLine { owner, blocked, created_at: None })?;
    }
    Ok(())
}
