//! Blocks in bulk: a later record is the newer block, and all are newer than what is there.

use super::{
    Approach, Fate, Gains, Heads, Listener, Staging, Tally, Told, all_done, past, persistently,
};
use crate::{
    domain::{Error, OwnerKey, Place, Refusal, Username},
    ops::{Call, requests},
    store::{
        blocks::{self, NewBlock},
        bulk::Gain,
        staging::{self, StagedBlock},
    },
};

/// Makes the staged blocks, in the order in which they stand in the files.
///
/// # Errors
/// Only those of the database; what does not go in is told.
pub async fn block(call: &Call, staging: &mut Staging, tell: Listener<'_>) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut batch: Vec<StagedBlock> = Vec::with_capacity(super::BATCH);
    staging::order_blocks(&mut staging.session).await?;
    loop {
        let records = staging::next_blocks(&mut staging.session).await?;
        let is_end = records.is_empty();
        for record in records {
            if record.repeated {
                tally.already += 1;
                tell(Told::Through(1));
            } else {
                batch.push(record);
            }
        }
        // All of a batch but at the end, so that each is as large as it may be.
        while batch.len() >= super::BATCH || (is_end && !batch.is_empty()) {
            let rest = batch.split_off(batch.len().min(super::BATCH));
            let fates =
                persistently(call, |call, approach| try_to_block(call, &batch, approach)).await?;
            tally.count(fates, tell);
            batch = rest;
        }
        if is_end {
            return Ok(tally);
        }
    }
}

async fn try_to_block(
    call: Call,
    batch: &[StagedBlock],
    approach: Approach,
) -> Result<Vec<(Place, Fate)>, Error> {
    let mut tx = call.core.db.begin(call.deadline).await?;
    let keys = batch.iter().flat_map(|block| [block.owner.0, block.blocked.0]);
    let heads = Heads::look(&mut tx, keys, approach).await?;
    let wanted: Vec<(OwnerKey, &Username)> =
        batch.iter().map(|block| (block.owner.0, &block.blocked.1)).collect();
    let standing = blocks::standing(&mut tx, &wanted).await?;
    let limit = call.app.limits.block_limit;
    let mut gains = Gains::default();
    let mut new = Vec::new();
    let mut fates = Vec::with_capacity(batch.len());
    for (block, place) in batch.iter().zip(&wanted) {
        let users = [&block.owner, &block.blocked].map(|(key, name)| (*key, name));
        let fate = match (heads.missing(users), full(block, &heads, &gains, limit)) {
            (Some(refusal), _) => Fate::Refused(refusal),
            _ if standing.contains(place) => Fate::Already,
            (None, Some(refusal)) => Fate::Refused(refusal),
            (None, None) => {
                gains.add(block.owner.0, Gain { blocks: 1, versions: 1, ..Gain::default() });
                // Held only: nobody is deleted meanwhile, and what they asked is cancelled.
                gains.add(block.blocked.0, Gain::default());
                new.push(block);
                Fate::Added
            }
        };
        fates.push((block.place, fate));
    }
    if !new.is_empty() {
        gains.take(&mut tx, &call).await?;
        let now = call.core.clock.now();
        let entries: Vec<NewBlock<'_>> = new
            .iter()
            .map(|block| NewBlock {
                owner: (block.owner.0, &block.owner.1),
                blocked: (block.blocked.0, &block.blocked.1),
                version: gains.next_version(block.owner.0),
                created_at: past(block.created_at, now),
            })
            .collect();
        all_done(blocks::put(&mut tx, &entries, now).await?, entries.len())?;
        for block in &new {
            if gains.has_requests(block.owner.0) && gains.has_requests(block.blocked.0) {
                let blocked = [&block.blocked.1];
                requests::cancel_from(&mut tx, &call, &block.owner.1, &blocked).await?;
            }
        }
        call.commit(tx, gains.of.into_keys()).await?;
    }
    Ok(fates)
}

fn full(block: &StagedBlock, heads: &Heads, gains: &Gains, limit: i32) -> Option<Refusal> {
    let count = heads.get(block.owner.0).map_or(0, |head| head.block_count);
    let full = count + gains.blocks(block.owner.0) >= limit;
    full.then(|| Refusal::BlockLimit { username: block.owner.1.clone(), limit })
}
