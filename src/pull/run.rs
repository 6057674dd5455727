//! The pull itself: first all users of an app, then the lists of each user, several users at once, to
//! files of a folder in the order of the users.

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
    error::PullError,
    folder::{Folder, MissingLine, PullFile},
    lists::ListsAnswer,
    names::Names,
    pages::Pages,
    vendor::Vendor,
};
use crate::transfer::{BlockLine, ProgressSink, UserLine};

/// The time between two checkpoints. What was pulled after the last one is pulled again.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// After so many refused users in a row the pull checks whether the vendor refuses the whole app.
const REFUSED_IN_A_ROW: usize = 100;

/// The counts of a pull that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Users whose lists were pulled.
    pub users: u64,
    /// Users whom the vendor does not know. They are in `missing.jsonl`, as the refused ones.
    pub unknown: u64,
    /// Users whose lists the vendor refuses to return.
    pub refused: u64,
    /// Lines of the file of names that are not usernames.
    pub bad_names: u64,
}

/// Pulls an app into a folder: all users whom the vendor lists, or those of a file with a name a line.
/// A folder that holds a part of the app is completed. Every user and every line of the file that is
/// left out is reported to `progress`, also when a complete pull is repeated.
///
/// # Errors
/// [`PullError`]. The next call continues about where this one ended.
pub async fn pull(
    vendor: &Vendor,
    folder: &Path,
    names: Option<&Path>,
    stop: &CancellationToken,
    progress: &mut dyn ProgressSink,
) -> Result<Pulled, PullError> {
    let names = names.map(Names::read).transpose()?;
    for bad in names.iter().flat_map(|names| &names.bad) {
        progress.problem(bad);
    }
    let bad_names = names.as_ref().map_or(0, |names| names.bad.len() as u64);
    let mut folder = Folder::open(folder, &vendor.source(), names.as_ref().map(Names::digest))?;
    if !folder.checkpoint.all_listed {
        progress.begin("listing users", None);
        progress.advance(folder.checkpoint.listed);
        let listed = match names {
            Some(names) => add_names(&mut folder, names, progress),
            None => list_users(vendor, &mut folder, stop, progress).await,
        };
        save(&mut folder, listed)?;
    }
    progress.begin("pulling lists", Some(folder.checkpoint.listed));
    progress.advance(folder.checkpoint.pulled);
    let pulled = pull_lists(vendor, &mut folder, stop, progress).await;
    save(&mut folder, pulled)?;
    report_missing(&folder, progress)?;
    let done = &folder.checkpoint;
    let (unknown, refused) = (done.unknown, done.refused);
    Ok(Pulled { users: done.pulled - unknown - refused, unknown, refused, bad_names })
}

/// Saves the folder after a step, also after a failed one, unless writing to the folder failed.
fn save(folder: &mut Folder, step: Result<(), PullError>) -> Result<(), PullError> {
    if !matches!(step, Err(PullError::File { .. })) {
        folder.save()?;
    }
    step
}

fn add_names(
    folder: &mut Folder,
    names: Names,
    progress: &mut dyn ProgressSink,
) -> Result<(), PullError> {
    for name in names.names {
        let user = UserLine { username: name.into_string(), ..UserLine::default() };
        folder.append(PullFile::Listed, &user)?;
        folder.checkpoint.listed += 1;
        progress.advance(1);
    }
    folder.checkpoint.all_listed = true;
    Ok(())
}

async fn list_users(
    vendor: &Vendor,
    folder: &mut Folder,
    stop: &CancellationToken,
    progress: &mut dyn ProgressSink,
) -> Result<(), PullError> {
    let mut saved_at = Instant::now();
    let mut pages = Pages::new("GET /users", folder.checkpoint.cursor.as_deref());
    while !folder.checkpoint.all_listed {
        let cursor = folder.checkpoint.cursor.clone();
        let page = tokio::select! {
            page = vendor.users(cursor.as_deref()) => page?,
            () = stop.cancelled() => return Err(PullError::Stopped),
        };
        let next = pages.turn(page.users.len(), page.count, page.next)?;
        for user in &page.users {
            folder.append(PullFile::Listed, user)?;
        }
        folder.checkpoint.listed += page.users.len() as u64;
        progress.advance(page.users.len() as u64);
        folder.checkpoint.all_listed = next.is_none();
        folder.checkpoint.cursor = next;
        if saved_at.elapsed() >= CHECKPOINT_INTERVAL {
            folder.save()?;
            saved_at = Instant::now();
        }
    }
    Ok(())
}

/// A user whose lists the vendor refused to return.
struct RefusedUser {
    user: UserLine,
    call: String,
    why: String,
}

async fn pull_lists(
    vendor: &Vendor,
    folder: &mut Folder,
    stop: &CancellationToken,
    progress: &mut dyn ProgressSink,
) -> Result<(), PullError> {
    let path = folder.path_of(PullFile::Listed);
    let listed = BufReader::new(File::open(&path).map_err(PullError::file(&path))?).lines();
    let done = usize::try_from(folder.checkpoint.pulled).unwrap_or(usize::MAX);
    let in_flight = vendor.pace().in_flight.max(1);
    let mut answers = stream::iter(listed.skip(done))
        .map(|line| {
            let line = line.and_then(|line| Ok(serde_json::from_str::<UserLine>(&line)?));
            let user = line.map_err(PullError::file(&path));
            async move {
                let user = user?;
                let answer = vendor.lists(&user.username).await;
                Ok::<_, PullError>((user, answer))
            }
        })
        .buffered(in_flight);
    let mut saved_at = Instant::now();
    // The users refused since the vendor's last answer. They are recorded when the vendor answers
    // again: until then it may be refusing the whole app.
    let mut refused = Vec::new();
    loop {
        let next = tokio::select! {
            next = answers.next() => next,
            () = stop.cancelled() => return Err(PullError::Stopped),
        };
        let Some(next) = next else { break };
        let (user, answer) = next?;
        match answer {
            Err(PullError::Refused { call, why }) => refused.push(RefusedUser { user, call, why }),
            answer => {
                let answer = answer?;
                record_refused(folder, &mut refused, progress)?;
                record(folder, &user, answer)?;
                folder.checkpoint.answered = Some(user.username);
                progress.advance(1);
            }
        }
        if refused.len() == REFUSED_IN_A_ROW {
            check_app_not_refused(vendor, folder, &refused, stop).await?;
            record_refused(folder, &mut refused, progress)?;
        }
        if saved_at.elapsed() >= CHECKPOINT_INTERVAL {
            folder.save()?;
            saved_at = Instant::now();
        }
    }
    check_app_not_refused(vendor, folder, &refused, stop).await?;
    record_refused(folder, &mut refused, progress)
}

/// Fails if the vendor refuses the whole app: it refuses now the user whom it answered last, or it has
/// never answered for any user.
async fn check_app_not_refused(
    vendor: &Vendor,
    folder: &Folder,
    refused: &[RefusedUser],
    stop: &CancellationToken,
) -> Result<(), PullError> {
    let Some(RefusedUser { call, why, .. }) = refused.last() else { return Ok(()) };
    if let Some(answered) = &folder.checkpoint.answered {
        let answer = tokio::select! {
            answer = vendor.lists(answered) => answer,
            () = stop.cancelled() => return Err(PullError::Stopped),
        };
        return answer.map(drop);
    }
    Err(PullError::Refused { call: call.clone(), why: format!("{why} (so far it refuses all)") })
}

fn record_refused(
    folder: &mut Folder,
    refused: &mut Vec<RefusedUser>,
    progress: &mut dyn ProgressSink,
) -> Result<(), PullError> {
    for RefusedUser { user, call, why } in refused.drain(..) {
        record(folder, &user, ListsAnswer::Refused(format!("{call}: {why}")))?;
        progress.advance(1);
    }
    Ok(())
}

/// Writes the answer for a user to the files of the folder.
fn record(folder: &mut Folder, user: &UserLine, answer: ListsAnswer) -> Result<(), PullError> {
    let username = user.username.clone();
    match answer {
        ListsAnswer::Unknown(why) => {
            folder.append(PullFile::Missing, &MissingLine { username, why })?;
            folder.checkpoint.unknown += 1;
        }
        ListsAnswer::Refused(why) => {
            folder.append(PullFile::Missing, &MissingLine { username, why })?;
            folder.checkpoint.refused += 1;
        }
        ListsAnswer::Lists(lists) => {
            folder.append(PullFile::Users, user)?;
            for friend in &lists.friends {
                folder.append(PullFile::Friends, friend)?;
            }
            // Files hold the oldest block first.
            for blocked in lists.blocked.into_iter().rev() {
                let owner = username.clone();
                folder.append(PullFile::Blocks, &BlockLine { owner, blocked, created_at: None })?;
            }
        }
    }
    folder.checkpoint.pulled += 1;
    Ok(())
}

fn report_missing(folder: &Folder, progress: &mut dyn ProgressSink) -> Result<(), PullError> {
    let path = folder.path_of(PullFile::Missing);
    let mut report = || {
        for line in BufReader::new(File::open(&path)?).lines() {
            let MissingLine { username, why } = serde_json::from_str(&line?)?;
            progress.problem(&format!("{username}: {why}"));
        }
        Ok::<_, io::Error>(())
    };
    report().map_err(PullError::file(&path))
}
