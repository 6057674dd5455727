//! Blocks in bulk: a later record is the newer block, and all are newer than the existing blocks.

use super::{
    batches::{self, BATCH, ImportEvent, ImportListener, RecordOutcome, Tally, past},
    staging::Staging,
};
use crate::{
    domain::{Error, Place, Refusal, UserRef},
    ops::{
        changes::{
            block::{self, BlockListFull},
            heads::Heads,
            list_changes::{Events, ListChanges},
        },
        core::Context,
    },
    store::staging::{self, StagedBlock},
};

/// Makes the staged blocks, in the order in which they stand in the files.
///
/// # Errors
/// Only those of the database; a record that is refused is reported to `progress`.
pub async fn block(
    context: &Context,
    staging: &mut Staging,
    progress: ImportListener<'_>,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut batch: Vec<StagedBlock> = Vec::with_capacity(BATCH);
    staging::order_blocks(&mut staging.session).await?;
    loop {
        let records = staging::next_blocks(&mut staging.session).await?;
        let is_end = records.is_empty();
        for record in records {
            if record.repeated {
                tally.already += 1;
                progress(ImportEvent::Progress(1));
            } else {
                batch.push(record);
            }
        }
        // Only the last batch is smaller than it may be.
        while batch.len() >= BATCH || (is_end && !batch.is_empty()) {
            let rest = batch.split_off(batch.len().min(BATCH));
            let outcomes = batches::run(context, |context| block_batch(context, &batch)).await?;
            tally.count(outcomes, progress);
            batch = rest;
        }
        if is_end {
            return Ok(tally);
        }
    }
}

async fn block_batch(
    context: Context,
    batch: &[StagedBlock],
) -> Result<Vec<(Place, RecordOutcome)>, Error> {
    let core = &context.core;
    let mut tx = core.db.begin(context.deadline).await?;
    let pairs: Vec<[UserRef<'_>; 2]> =
        batch.iter().map(|block| [block.owner(), block.blocked()]).collect();
    let heads = Heads::lock(&mut tx, pairs.iter().flatten().map(|user| user.key)).await?;
    let mut changes = ListChanges::new(core, heads);
    block::read_pairs(&mut changes, &mut tx, &pairs).await?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for (block, pair) in batch.iter().zip(pairs) {
        outcomes.push((block.place, decide(&mut changes, &context, block, pair)));
    }
    if !changes.is_empty() {
        changes.commit(tx, core).await?;
    }
    Ok(outcomes)
}

fn decide<'a>(
    changes: &mut ListChanges<'a>,
    context: &Context,
    record: &StagedBlock,
    [owner, blocked]: [UserRef<'a>; 2],
) -> RecordOutcome {
    for user in [owner, blocked] {
        if changes.heads.user(user).is_err() {
            return RecordOutcome::Refused(Refusal::NoUser(user.name.clone()));
        }
    }
    if block::is_blocked(changes, owner, blocked) {
        return RecordOutcome::Already;
    }
    let created_at = past(record.created_at, changes.now);
    let users = std::iter::once(blocked);
    match block::make(changes, &context.app, owner, users, created_at, Events::Skip) {
        Ok(()) => RecordOutcome::Added,
        Err(BlockListFull { username, limit }) => {
            RecordOutcome::Refused(Refusal::BlockLimit { username, limit })
        }
    }
}
