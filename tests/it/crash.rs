//! SIGKILL of the service, of its Postgres, or of both during writes: no acknowledged write is lost, and
//! both sides of every relation agree.

use std::{ops::RangeInclusive, sync::Arc};

use befriend::proto;
use nix::sys::signal::Signal;
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::support::{
    Tenant, invariants,
    process::{Folder, Service, eventually, is_alive, signal},
};

const WRITERS: usize = 8;

/// How many writes are acknowledged before the next kill.
const WRITES: u32 = 200;

/// The changes that a writer makes to its own users, again and again. The state after each change differs
/// from the state before it.
#[derive(Clone, Debug)]
struct Ledger {
    owner: String,
    /// A friend who is added by odd changes and removed by even ones.
    guest: Changes,
    /// A friend whose remark is the number of the change.
    remark: Changes,
    /// A user who is blocked by odd changes and unblocked by even ones.
    block: Changes,
}

/// How many changes were acknowledged, and how many were attempted: at most one more.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    acknowledged: u32,
    tried: u32,
}

impl Changes {
    /// The states that the database may have when no call is under way.
    fn possible(self) -> RangeInclusive<u32> {
        self.acknowledged..=self.tried
    }

    /// Which of the possible changes was the last, derived from the state.
    #[track_caller]
    fn settle(&mut self, is_last: impl Fn(u32) -> bool) {
        let last = self.possible().find(|change| is_last(*change));
        let last = last.unwrap_or_else(|| panic!("a change is missing, or one too many: {self:?}"));
        *self = Self { acknowledged: last, tried: last };
    }
}

impl Ledger {
    /// Creates the writer's users.
    async fn open(tenant: &Tenant, number: usize) -> Self {
        let owner = format!("writer{number}");
        let other = |role: &str| format!("{owner}-{role}");
        tenant.create(&[&owner, &other("guest"), &other("friend"), &other("foe")]).await;
        tenant.befriend(&owner, &other("friend")).await.unwrap();
        let none = Changes::default();
        Self { owner, guest: none, remark: none, block: none }
    }

    fn other(&self, role: &str) -> String {
        format!("{}-{role}", self.owner)
    }

    /// Writes until a write is not acknowledged, or until it is told to end; each write that is
    /// acknowledged adds a permit.
    async fn write(
        mut self,
        tenant: Tenant,
        acknowledged: Arc<Semaphore>,
        end: CancellationToken,
    ) -> Self {
        while !end.is_cancelled() && self.one_of_each(&tenant, &acknowledged).await.is_ok() {}
        self
    }

    async fn one_of_each(&mut self, tenant: &Tenant, count: &Semaphore) -> Result<(), Status> {
        let (guest, friend, foe) = (self.other("guest"), self.other("friend"), self.other("foe"));
        self.guest.tried += 1;
        if self.guest.tried % 2 == 1 {
            tenant.befriend(&self.owner, &guest).await?;
        } else {
            tenant.unfriend(&self.owner, &guest).await?;
        }
        self.guest.acknowledged += 1;
        count.add_permits(1);

        self.remark.tried += 1;
        tenant.remark(&self.owner, &friend, &self.remark.tried.to_string()).await?;
        self.remark.acknowledged += 1;
        count.add_permits(1);

        self.block.tried += 1;
        if self.block.tried % 2 == 1 {
            tenant.block(&self.owner, &[&foe]).await?;
        } else {
            let request =
                proto::UnblockUserRequest { owner: self.owner.clone(), username: foe.clone() };
            tenant.blocks().unblock_user(request).await?;
        }
        self.block.acknowledged += 1;
        count.add_permits(1);
        Ok(())
    }

    /// Compares the state with the acknowledged changes, and continues from the state.
    async fn check(&mut self, tenant: &Tenant) {
        let request = proto::ListFriendsRequest {
            owner: self.owner.clone(),
            page_size: 10,
            page_token: String::new(),
            include_remark: true,
        };
        let friends = tenant.friends().list_friends(request).await.unwrap().into_inner().entries;
        let is_guest = friends.iter().any(|entry| entry.username == self.other("guest"));
        let mut friend = friends.iter().filter(|entry| entry.username == self.other("friend"));
        let remark = friend.next().expect("the friend stays").remark.clone().unwrap();
        let blocked = !tenant.blocked_by(&self.owner).await.unwrap().is_empty();

        self.guest.settle(|change| (change % 2 == 1) == is_guest);
        self.remark
            .settle(|change| change.to_string() == remark || (change == 0 && remark.is_empty()));
        self.block.settle(|change| (change % 2 == 1) == blocked);
        // The version counts every change, and not only the last of each kind. One is the friend's.
        let changes =
            1 + [self.guest, self.remark, self.block].map(|c| c.acknowledged).iter().sum::<u32>();
        assert_eq!(tenant.head(&self.owner).await.unwrap().version, i64::from(changes), "{self:?}");
    }
}

/// Writers at work on a service.
struct Work {
    writers: Vec<JoinHandle<Ledger>>,
    acknowledged: Arc<Semaphore>,
    end: CancellationToken,
}

impl Work {
    fn begin(ledgers: &[Ledger], tenant: &Tenant) -> Self {
        let (acknowledged, end) = (Arc::new(Semaphore::new(0)), CancellationToken::new());
        let writers = ledgers.iter().cloned().map(|ledger| {
            tokio::spawn(ledger.write(tenant.clone(), Arc::clone(&acknowledged), end.clone()))
        });
        Self { writers: writers.collect(), acknowledged, end }
    }

    /// Returns when so many writes have been acknowledged that all writers are at full speed.
    async fn goes_on(&self) {
        self.acknowledged.acquire_many(WRITES).await.unwrap().forget();
    }

    /// Returns when all writers have stopped.
    async fn end(self) -> Vec<Ledger> {
        self.end.cancel();
        let mut ledgers = Vec::new();
        for writer in self.writers {
            ledgers.push(writer.await.unwrap());
        }
        ledgers
    }
}

async fn open_all(tenant: &Tenant) -> Vec<Ledger> {
    let mut ledgers = Vec::new();
    for number in 0..WRITERS {
        ledgers.push(Ledger::open(tenant, number).await);
    }
    ledgers
}

async fn check_all(ledgers: &mut [Ledger], tenant: &Tenant, folder: &Folder) {
    for ledger in ledgers {
        ledger.check(tenant).await;
    }
    let pool = folder.pool().await;
    invariants::hold(&pool).await;
    invariants::heads_are_the_newest_entries(&pool).await;
    pool.close().await;
}

/// A few times: lets writers work, kills all `victims` at the same moment, starts the service again, and
/// checks.
async fn survives(victims: impl Fn(&Folder, &Service) -> Vec<i32>) {
    let folder = Folder::new();
    let mut service = Service::start(&folder.data());
    let mut tenant = service.tenant("acme#chat").await;
    let mut ledgers = open_all(&tenant).await;
    for _ in 0..3 {
        let work = Work::begin(&ledgers, &tenant);
        work.goes_on().await;
        for pid in victims(&folder, &service) {
            signal(pid, Signal::SIGKILL);
        }
        ledgers = work.end().await;
        service.kill();
        service = Service::start(&folder.data());
        tenant.channel = service.channel();
        check_all(&mut ledgers, &tenant, &folder).await;
    }
    service.stop().await;
    folder.is_left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_when_the_service_is_killed() {
    survives(|_, service| vec![service.pid()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_when_all_processes_are_killed_at_once() {
    survives(|folder, service| vec![service.pid(), folder.watchdog(), folder.postmaster()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_postgres_is_killed_starts_it_again_and_has_lost_nothing() {
    let folder = Folder::new();
    let service = Service::start(&folder.data());
    let tenant = service.tenant("acme#chat").await;
    let mut ledgers = open_all(&tenant).await;
    for with_watchdog in [false, true, false] {
        let work = Work::begin(&ledgers, &tenant);
        work.goes_on().await;
        let killed = folder.postmaster();
        if with_watchdog {
            signal(folder.watchdog(), Signal::SIGKILL);
        }
        signal(killed, Signal::SIGKILL);
        // Most writers wait and continue. Some end, and do not know whether their last write was committed.
        eventually("the service's return", async || {
            !is_alive(killed) && tenant.head("writer0").await.is_ok()
        })
        .await;
        ledgers = work.end().await;
        assert_ne!(folder.postmaster(), killed);
        check_all(&mut ledgers, &tenant, &folder).await;
    }
    service.stop().await;
    folder.is_left_alone().await;
}
