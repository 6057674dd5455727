//! The service as it is meant to be, in the simplest form.

use std::collections::{BTreeMap, BTreeSet};

use befriend::proto::{self, FriendRequestState as State};
use tonic::Code;

use super::{Answer, Op, Seen, USERS, name, remark_of};

/// All users of one app, and its limits.
pub struct Model {
    friend_limit: i32,
    block_limit: i32,
    /// Everybody who ever existed.
    users: BTreeMap<usize, User>,
    /// The last request from the one to the other, and its message.
    requests: BTreeMap<(usize, usize), (State, u8)>,
}

#[derive(Default)]
struct User {
    deleted: bool,
    version: i64,
    friends: BTreeSet<usize>,
    /// Also on those who are friends no more.
    remarks: BTreeMap<usize, String>,
    extensions: BTreeMap<usize, String>,
    /// The oldest first.
    blocked: Vec<usize>,
}

impl Model {
    pub fn with_limits(friend_limit: i32, block_limit: i32) -> Self {
        Self { friend_limit, block_limit, users: BTreeMap::new(), requests: BTreeMap::new() }
    }

    /// What a call must come to.
    pub fn apply(&mut self, op: &Op) -> Answer {
        self.run(op).unwrap_or_else(|refusal| refusal)
    }

    fn run(&mut self, op: &Op) -> Result<Answer, Answer> {
        match *op {
            Op::Create(user) => {
                if self.there(user).is_ok() {
                    return Err(refused(Code::AlreadyExists, "USER_ALREADY_EXISTS", user));
                }
                self.users.entry(user).or_default().deleted = false;
            }
            Op::Delete(user) => self.delete(user)?,
            Op::Limits { friends, blocks } => {
                (self.friend_limit, self.block_limit) = (friends, blocks);
            }
            Op::Add(owner, friend) => self.add(owner, friend)?,
            Op::Remove { owner, friend, clear_remark } => {
                not_self(owner, &[friend])?;
                self.there(owner)?;
                self.there(friend)?;
                if clear_remark {
                    self.user(owner).remarks.remove(&friend);
                }
                self.part(owner, friend);
            }
            Op::RemoveAll(owner) => return self.remove_all(owner),
            Op::Remark(owner, friend, remark) => {
                let remark = remark_of(remark);
                self.set_text(owner, friend, &remark, |user| &mut user.remarks)?;
                return Ok(Answer::Names(vec![name(friend), remark]));
            }
            Op::Extend(owner, friend, text) => {
                let text = remark_of(text);
                self.set_text(owner, friend, &text, |user| &mut user.extensions)?;
                return Ok(Answer::Names(vec![text]));
            }
            Op::Ask(one, other, text) => self.ask(one, other, text)?,
            Op::Accept(one, other) => self.accept(one, other)?,
            Op::Reject(one, other) => self.answer(one, other, State::Rejected)?,
            Op::Cancel(one, other) => self.answer(one, other, State::Cancelled)?,
            Op::Import(owner, ref names) => return self.import(owner, names),
            Op::Block(owner, ref others) => return self.block(owner, others),
            Op::Unblock(owner, other) => {
                self.there(owner)?;
                self.there(other)?;
                self.unblock(owner, other);
            }
        }
        Ok(Answer::Done)
    }

    fn user(&mut self, user: usize) -> &mut User {
        self.users.get_mut(&user).expect("the user was looked for before")
    }

    fn there(&self, user: usize) -> Result<(), Answer> {
        if self.users.get(&user).is_some_and(|user| !user.deleted) {
            Ok(())
        } else {
            Err(unknown(user))
        }
    }

    fn is_full(&mut self, user: usize) -> bool {
        self.user(user).friends.len() >= usize::try_from(self.friend_limit).unwrap()
    }

    fn add(&mut self, owner: usize, friend: usize) -> Result<(), Answer> {
        not_self(owner, &[friend])?;
        self.there(owner)?;
        self.there(friend)?;
        if self.user(owner).friends.contains(&friend) {
            return Ok(());
        }
        for user in [owner, friend] {
            if self.is_full(user) {
                return Err(refused(Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED", user));
            }
        }
        self.join(owner, friend);
        Ok(())
    }

    fn remove_all(&mut self, owner: usize) -> Result<Answer, Answer> {
        self.there(owner)?;
        let friends = self.user(owner).friends.clone();
        for &friend in &friends {
            self.part(owner, friend);
        }
        self.user(owner).remarks.clear();
        Ok(Answer::Count(i32::try_from(friends.len()).unwrap()))
    }

    /// Sets a remark or an extension.
    fn set_text(
        &mut self,
        owner: usize,
        friend: usize,
        text: &str,
        texts: fn(&mut User) -> &mut BTreeMap<usize, String>,
    ) -> Result<(), Answer> {
        self.there(owner)?;
        if !self.user(owner).friends.contains(&friend) {
            self.there(friend)?;
            return Err(refused(Code::FailedPrecondition, "NOT_FRIENDS", friend));
        }
        let user = self.user(owner);
        if texts(user).insert(friend, text.to_owned()).unwrap_or_default() != text {
            user.version += 1;
        }
        Ok(())
    }

    fn state(&self, one: usize, other: usize) -> Option<State> {
        self.requests.get(&(one, other)).map(|(state, _)| *state)
    }

    fn blocks(&mut self, owner: usize, other: usize) -> bool {
        self.user(owner).blocked.contains(&other)
    }

    fn waits(&self, one: usize, other: usize) -> Result<(), Answer> {
        if self.state(one, other) == Some(State::Pending) {
            return Ok(());
        }
        Err(refused_pair(Code::NotFound, "FRIEND_REQUEST_NOT_FOUND"))
    }

    fn ask(&mut self, one: usize, other: usize, text: u8) -> Result<(), Answer> {
        not_self(one, &[other])?;
        self.there(one)?;
        self.there(other)?;
        if self.user(one).friends.contains(&other) {
            return Err(refused_pair(Code::FailedPrecondition, "ALREADY_FRIENDS"));
        }
        if self.blocks(other, one) {
            return Err(refused_pair(Code::FailedPrecondition, "BLOCKED"));
        }
        if self.state(other, one) == Some(State::Pending) {
            return self.agree(other, one);
        }
        let asked = (State::Pending, text);
        if self.requests.insert((one, other), asked) != Some(asked) {
            self.user(one).version += 1;
            self.user(other).version += 1;
        }
        Ok(())
    }

    fn accept(&mut self, one: usize, other: usize) -> Result<(), Answer> {
        self.there(one)?;
        self.there(other)?;
        let friends = self.user(one).friends.contains(&other);
        if self.state(one, other) == Some(State::Accepted) && friends {
            return Ok(());
        }
        self.waits(one, other)?;
        if self.blocks(one, other) || self.blocks(other, one) {
            return Err(refused_pair(Code::FailedPrecondition, "BLOCKED"));
        }
        self.agree(one, other)
    }

    fn agree(&mut self, one: usize, other: usize) -> Result<(), Answer> {
        for user in [one, other] {
            if self.is_full(user) {
                return Err(refused(Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED", user));
            }
        }
        self.join(one, other);
        Ok(())
    }

    fn answer(&mut self, one: usize, other: usize, state: State) -> Result<(), Answer> {
        self.there(one)?;
        self.there(other)?;
        if self.state(one, other) != Some(state) {
            self.waits(one, other)?;
            self.close(one, other, state);
        }
        Ok(())
    }

    /// Ends what waits; what does not stays.
    fn close(&mut self, one: usize, other: usize, state: State) {
        if let Some(request) = self.requests.get_mut(&(one, other))
            && request.0 == State::Pending
        {
            request.0 = state;
            self.user(one).version += 1;
            self.user(other).version += 1;
        }
    }

    fn join(&mut self, owner: usize, friend: usize) {
        self.close(owner, friend, State::Accepted);
        self.close(friend, owner, State::Accepted);
        for (a, b) in [(owner, friend), (friend, owner)] {
            self.user(a).friends.insert(b);
            self.user(a).version += 1;
        }
    }

    fn part(&mut self, owner: usize, friend: usize) {
        for (a, b) in [(owner, friend), (friend, owner)] {
            if self.user(a).friends.remove(&b) {
                self.user(a).version += 1;
                self.user(a).extensions.remove(&b);
            }
        }
    }

    fn unblock(&mut self, owner: usize, other: usize) {
        let user = self.user(owner);
        let before = user.blocked.len();
        user.blocked.retain(|blocked| *blocked != other);
        if user.blocked.len() < before {
            user.version += 1;
        }
    }

    fn block(&mut self, owner: usize, others: &[usize]) -> Result<Answer, Answer> {
        not_self(owner, others)?;
        self.there(owner)?;
        let mut wanted: Vec<usize> = Vec::new();
        for &other in others {
            if !wanted.contains(&other) {
                self.there(other)?;
                wanted.push(other);
            }
        }
        let limit = usize::try_from(self.block_limit).unwrap();
        let user = self.user(owner);
        let fresh: Vec<usize> =
            wanted.iter().copied().filter(|other| !user.blocked.contains(other)).collect();
        if !fresh.is_empty() && user.blocked.len() + fresh.len() > limit {
            return Err(refused(Code::ResourceExhausted, "BLOCK_LIMIT_EXCEEDED", owner));
        }
        user.version += i64::try_from(fresh.len()).unwrap();
        user.blocked.extend(&fresh);
        for other in fresh {
            self.close(other, owner, State::Cancelled);
        }
        Ok(Answer::Names(wanted.into_iter().map(name).collect()))
    }

    fn import(&mut self, owner: usize, names: &[String]) -> Result<Answer, Answer> {
        self.there(owner)?;
        let full_before = self.is_full(owner);
        let mut wanted: Vec<String> = Vec::new();
        for name in names.iter().map(|name| name.to_lowercase()) {
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
        let [mut succeeded, mut not_found, mut full, mut failed] = [(); 4].map(|()| Vec::new());
        for username in wanted {
            let list = match (0..USERS).find(|user| name(*user) == username) {
                Some(user) if user == owner => &mut failed,
                Some(user) if self.there(user).is_err() => &mut not_found,
                Some(user) if self.user(owner).friends.contains(&user) => &mut succeeded,
                Some(_) if full_before => {
                    return Err(refused(Code::ResourceExhausted, "FRIEND_LIMIT_EXCEEDED", owner));
                }
                Some(user) if self.is_full(owner) || self.is_full(user) => &mut full,
                Some(user) => {
                    self.join(owner, user);
                    &mut succeeded
                }
                None if username.contains(' ') => &mut failed,
                None => &mut not_found,
            };
            list.push(username);
        }
        Ok(Answer::Imported { succeeded, not_found, full, failed })
    }

    /// The user leaves all lists, and is forgotten by all: who comes under the name later is another.
    fn delete(&mut self, user: usize) -> Result<(), Answer> {
        self.there(user)?;
        for other in self.users.keys().copied().collect::<Vec<_>>() {
            self.part(user, other);
            self.unblock(user, other);
            self.unblock(other, user);
            self.user(other).remarks.remove(&user);
            self.close(user, other, State::Cancelled);
            self.close(other, user, State::Cancelled);
        }
        self.requests.retain(|(one, other), _| *one != user && *other != user);
        let gone = self.user(user);
        gone.remarks.clear();
        gone.version += 1;
        gone.deleted = true;
        Ok(())
    }

    /// All that must be seen of a user; nothing when there is none.
    pub fn look(&self, user: usize) -> Option<Seen> {
        let seen = self.users.get(&user).filter(|user| !user.deleted)?;
        let count = |len: usize| i32::try_from(len).unwrap();
        let waiting = |at: fn(&(usize, usize)) -> usize| {
            let waits = |(pair, request): &(&(usize, usize), &(State, u8))| {
                at(pair) == user && request.0 == State::Pending
            };
            count(self.requests.iter().filter(waits).count())
        };
        let remark = |friend| seen.remarks.get(friend).cloned().unwrap_or_default();
        Some(Seen {
            head: proto::ListSummary {
                friend_count: count(seen.friends.len()),
                block_count: count(seen.blocked.len()),
                version: seen.version,
                incoming_friend_request_count: waiting(|(_, asked)| *asked),
                outgoing_friend_request_count: waiting(|(asks, _)| *asks),
            },
            friends: seen.friends.iter().map(|friend| (name(*friend), remark(friend))).collect(),
            blocked: seen.blocked.iter().rev().map(|other| name(*other)).collect(),
            relations: (0..USERS)
                .map(|other| {
                    let blocks_us = |other: &User| other.blocked.contains(&user);
                    (
                        seen.friends.contains(&other),
                        seen.blocked.contains(&other),
                        self.users.get(&other).is_some_and(blocks_us),
                    )
                })
                .collect(),
            sent: (0..USERS)
                .filter_map(|other| Some((name(other), self.state(user, other)?)))
                .collect(),
        })
    }
}

fn not_self(owner: usize, others: &[usize]) -> Result<(), Answer> {
    if others.contains(&owner) {
        return Err(refused(Code::InvalidArgument, "SELF_RELATION", owner));
    }
    Ok(())
}

fn refused(code: Code, reason: &str, who: usize) -> Answer {
    Answer::Refused { code, reason: reason.to_owned(), who: Some(name(who)) }
}

/// A refusal that names two users.
fn refused_pair(code: Code, reason: &str) -> Answer {
    Answer::Refused { code, reason: reason.to_owned(), who: None }
}

fn unknown(user: usize) -> Answer {
    refused(Code::NotFound, "USER_NOT_FOUND", user)
}
