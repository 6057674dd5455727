//! The rules of company, without a database.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::{JoinHandle, yield_now},
    time::Instant,
};
use uuid::Uuid;

use super::{Batch, BatchItem, Batcher, Outcome};
use crate::{
    domain::{Error, Outage},
    store::{Db, DbSettings},
};

/// What the items of a test share.
struct Stage {
    db: Db,
    /// Each group takes one before it works.
    permits: Semaphore,
    /// The sizes of the groups, in the order in which they began.
    groups: Mutex<Vec<usize>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Good,
    /// Fails the whole group.
    Bad,
    /// Fails the whole group, when a commit was sent.
    Unclear,
    Panics,
    /// Can't work in company.
    Shy,
}

struct Item {
    stage: Arc<Stage>,
    number: usize,
    manner: Manner,
    deadline: Instant,
}

impl BatchItem for Item {
    type Answer = usize;

    const INLINE: bool = true;

    fn db(&self) -> &Db {
        &self.stage.db
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Each app has a hundred numbers.
    fn app_id(&self) -> Uuid {
        Uuid::from_u128((self.number / 100) as u128)
    }

    async fn run(items: &[Self], batch: Batch) -> Result<Vec<Outcome<usize>>, Error> {
        let stage = &items[0].stage;
        stage.groups.lock().unwrap().push(items.len());
        if batch.brief {
            stage.permits.acquire().await.expect("never closed").forget();
        }
        let anybody = |manner| items.iter().any(|item| item.manner == manner);
        assert!(!anybody(Manner::Panics), "as it was told");
        if anybody(Manner::Unclear) {
            return Err(Error::Unavailable(Outage::DuringCommit));
        }
        if anybody(Manner::Bad) {
            return Err(Error::Internal("as it was told".to_owned()));
        }
        let outcome = |item: &Self| match item.manner {
            Manner::Shy if items.len() > 1 => Outcome::RunAlone,
            _ => Outcome::Done(Ok(item.number)),
        };
        Ok(items.iter().map(outcome).collect())
    }
}

type Asked = JoinHandle<Result<usize, Error>>;

/// One turn at a time or as many as were said, of up to eight.
struct Play {
    stage: Arc<Stage>,
    batcher: Arc<Batcher<Item>>,
}

impl Play {
    fn open() -> Self {
        Self::with_turns(1)
    }

    fn with_turns(turns: usize) -> Self {
        let settings = DbSettings {
            max_connections: 1,
            min_connections: 0,
            acquire_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(1),
            lock_timeout: Duration::from_secs(1),
        };
        let db = Db::new("postgres://nobody@nowhere/nothing", &settings).unwrap();
        let (permits, groups) = (Semaphore::new(0), Mutex::default());
        let stage = Arc::new(Stage { db, permits, groups });
        Self { stage, batcher: Batcher::new("test", turns, 8) }
    }

    /// Members who come one after the other, and have all come when this returns.
    async fn come(&self, manners: &[Manner]) -> Vec<Asked> {
        self.come_for(manners, Duration::from_secs(60)).await
    }

    async fn come_for(&self, manners: &[Manner], patience: Duration) -> Vec<Asked> {
        let mut asked = Vec::new();
        for (number, manner) in manners.iter().copied().enumerate() {
            asked.push(self.ask(number, manner, patience));
            yield_now().await;
        }
        // The first group takes its items before the others come.
        yield_now().await;
        asked
    }

    fn ask(&self, number: usize, manner: Manner, patience: Duration) -> Asked {
        let deadline = Instant::now() + patience;
        let item = Item { stage: Arc::clone(&self.stage), number, manner, deadline };
        let batcher = Arc::clone(&self.batcher);
        tokio::spawn(async move { batcher.submit(item).await })
    }

    /// Comes back when so many groups have begun.
    async fn have_begun(&self, groups: usize) {
        for _ in 0..100 {
            if self.groups().len() >= groups {
                return;
            }
            yield_now().await;
        }
        panic!("{:?} have begun, and not {groups}", self.groups());
    }

    fn groups(&self) -> Vec<usize> {
        self.stage.groups.lock().unwrap().clone()
    }
}

use Manner::{Bad, Good, Panics, Shy, Unclear};

#[tokio::test]
async fn the_first_begins_at_once_and_who_comes_meanwhile_shares_the_next_turn() {
    let play = Play::open();
    let asked = play.come(&[Good; 6]).await;
    assert_eq!(play.groups(), [1], "nobody waits for company");
    play.stage.permits.add_permits(2);
    for (number, asked) in asked.into_iter().enumerate() {
        assert_eq!(asked.await.unwrap().unwrap(), number, "each gets their own answer");
    }
    assert_eq!(play.groups(), [1, 5]);
}

#[tokio::test]
async fn beside_another_turn_those_who_come_in_the_same_moment_share_one() {
    let play = Play::with_turns(2);
    let mut asked = play.come(&[Good]).await;
    assert_eq!(play.groups(), [1]);
    asked.extend((1..6).map(|number| play.ask(number, Good, Duration::from_secs(60))));
    // The first turn is still under way when the second begins.
    play.have_begun(2).await;
    assert_eq!(play.groups(), [1, 5]);
    play.stage.permits.add_permits(2);
    for (number, asked) in asked.into_iter().enumerate() {
        assert_eq!(asked.await.unwrap().unwrap(), number);
    }
}

#[tokio::test]
async fn a_turn_has_no_more_items_than_it_may() {
    let play = Play::open();
    let asked = play.come(&[Good; 20]).await;
    play.stage.permits.add_permits(10);
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(play.groups(), [1, 8, 8, 3]);
}

#[tokio::test]
async fn an_app_with_many_items_lets_those_of_another_into_the_next_turn() {
    let play = Play::open();
    let mut first_app = play.come(&[Good; 30]).await;
    let other_app: Vec<Asked> =
        [100, 101].map(|number| play.ask(number, Good, Duration::from_secs(60))).into();
    yield_now().await;
    play.stage.permits.add_permits(2);
    for (number, asked) in (100..).zip(other_app) {
        assert_eq!(asked.await.unwrap().unwrap(), number);
    }
    play.have_begun(3).await;
    let rest = first_app.split_off(7);
    for (number, asked) in first_app.into_iter().enumerate() {
        assert_eq!(asked.await.unwrap().unwrap(), number, "who came first goes first");
    }
    assert!(rest.iter().all(|asked| !asked.is_finished()));
    play.stage.permits.add_permits(3);
    for asked in rest {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(play.groups(), [1, 8, 8, 8, 7]);
}

#[tokio::test]
async fn who_spoils_a_group_fails_alone() {
    let play = Play::open();
    let asked = play.come(&[Good, Good, Bad, Good]).await;
    play.stage.permits.add_permits(2);
    let mut failed = Vec::new();
    for (number, asked) in asked.into_iter().enumerate() {
        if asked.await.unwrap().is_err() {
            failed.push(number);
        }
    }
    assert_eq!(failed, [2]);
    assert_eq!(play.groups(), [1, 3, 1, 1, 1]);
}

#[tokio::test]
async fn nobody_is_tried_again_once_a_commit_was_sent() {
    let play = Play::open();
    let asked = play.come(&[Good, Good, Unclear, Good]).await;
    play.stage.permits.add_permits(2);
    let mut outcomes = Vec::new();
    for asked in asked {
        outcomes.push(asked.await.unwrap());
    }
    assert!(outcomes[0].is_ok());
    for outcome in &outcomes[1..] {
        assert!(matches!(outcome, Err(Error::Unavailable(Outage::DuringCommit))), "{outcome:?}");
    }
    assert_eq!(play.groups(), [1, 3]);
}

#[tokio::test]
async fn who_cannot_work_in_company_works_alone() {
    let play = Play::open();
    let asked = play.come(&[Shy, Shy, Good]).await;
    play.stage.permits.add_permits(2);
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(play.groups(), [1, 2, 1]);
}

#[tokio::test]
async fn a_caller_who_goes_away_stops_nobody() {
    let play = Play::open();
    let mut asked = play.come(&[Good; 4]).await;
    // The second goes while waiting: it is not worked for.
    asked.remove(1).abort();
    yield_now().await;
    play.stage.permits.add_permits(1);
    asked.remove(0).await.unwrap().unwrap();
    play.have_begun(2).await;
    assert_eq!(play.groups(), [1, 2]);
    // The third goes while its group works.
    asked.remove(0).abort();
    yield_now().await;
    play.stage.permits.add_permits(1);
    assert_eq!(asked.remove(0).await.unwrap().unwrap(), 3);
}

#[tokio::test]
async fn a_group_whose_callers_have_all_gone_ends_its_turn() {
    let play = Play::open();
    let asked = play.come(&[Good]).await;
    asked[0].abort();
    yield_now().await;
    let next = play.come(&[Good]).await;
    play.stage.permits.add_permits(1);
    for asked in next {
        asked.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_panic_is_an_error_for_its_group_and_nothing_to_the_next() {
    let play = Play::open();
    let mut asked = play.come(&[Good, Panics, Good]).await;
    play.stage.permits.add_permits(3);
    asked.remove(0).await.unwrap().unwrap();
    for asked in asked {
        assert!(matches!(asked.await.unwrap(), Err(Error::Internal(_))));
    }
    for asked in play.come(&[Good]).await {
        asked.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn who_begins_a_turn_and_panics_or_goes_away_passes_it_on() {
    let play = Play::open();
    let mut asked = play.come(&[Panics, Good]).await;
    play.stage.permits.add_permits(2);
    assert!(asked.remove(0).await.unwrap_err().is_panic());
    assert_eq!(asked.remove(0).await.unwrap().unwrap(), 1);
    let mut asked = play.come(&[Good, Good, Good]).await;
    asked.remove(0).abort();
    play.stage.permits.add_permits(1);
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(play.groups(), [1, 1, 1, 2]);
}

#[tokio::test]
async fn a_group_works_until_its_last_deadline_and_no_longer() {
    let play = Play::open();
    let mut asked = play.come_for(&[Good], Duration::from_millis(20)).await;
    let result = asked.remove(0).await.unwrap();
    assert!(matches!(result, Err(Error::DeadlineExceeded)), "{result:?}");
    play.stage.permits.add_permits(1);
    for asked in play.come(&[Good]).await {
        asked.await.unwrap().unwrap();
    }
}
