//! Calls on one pair's request at the same moment: every race ends in a state that some order of the
//! calls, one after the other, gives.

use befriend::{clock::Clock, proto::FriendRequestState as State};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp, invariants,
    race::{codes, names, only, race},
};

/// How often each race is run, a pair of users each.
const ROUNDS: usize = 12;

/// A call on the request from the one to the other, of whom the message is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Move {
    Ask,
    AskBack,
    Accept,
    Reject,
    Cancel,
    Add,
    Import,
    Remove,
    Block,
    BlockBack,
    Delete,
}

async fn act(tenant: &Tenant, what: Move, one: &str, other: &str) -> Result<(), Status> {
    match what {
        Move::Ask => tenant.ask(one, other, "please").await.map(drop),
        Move::AskBack => tenant.ask(other, one, "please").await.map(drop),
        Move::Accept => tenant.accept(one, other).await.map(drop),
        Move::Reject => tenant.reject(one, other, "no").await.map(drop),
        Move::Cancel => tenant.cancel(one, other, "never mind").await.map(drop),
        Move::Add => tenant.befriend(one, other).await.map(drop),
        Move::Import => tenant.import(one, &[other]).await.map(drop),
        Move::Remove => tenant.unfriend(one, other).await.map(drop),
        Move::Block => tenant.block(other, &[one]).await.map(drop),
        Move::BlockBack => tenant.block(one, &[other]).await.map(drop),
        Move::Delete => tenant.delete(one).await.map(drop),
    }
}

/// All that can be seen of a pair afterwards, and what the calls came to.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    codes: [Code; 2],
    friends: bool,
    there: Option<State>,
    back: Option<State>,
    pending: [Option<(i32, i32)>; 2],
}

async fn look(tenant: &Tenant, codes: [Code; 2], one: &str, other: &str) -> Outcome {
    let mut pending = [None; 2];
    for (place, user) in pending.iter_mut().zip([one, other]) {
        if tenant.head(user).await.is_ok() {
            *place = Some(tenant.pending(user).await);
        }
    }
    let both = pending.iter().all(Option::is_some);
    let friends = match tenant.friends_of(other).await {
        Ok(friends) => friends.iter().any(|friend| friend == one),
        Err(_) => false,
    };
    Outcome {
        codes,
        friends,
        there: if both { tenant.state_of(one, other).await } else { None },
        back: if both { tenant.state_of(other, one).await } else { None },
        pending,
    }
}

fn code(answer: &Result<(), Status>) -> Code {
    answer.as_ref().map_or_else(Status::code, |()| Code::Ok)
}

/// A server with room for a crowd, and its tenant.
async fn crowd() -> (TestApp, Tenant) {
    let app = TestApp::with(&["--db-connections", "16"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    (app, tenant)
}

/// Runs two calls on a request one after the other, both ways; then many times at once, each begun by
/// either: what comes out must be what came out of one of the two orders.
async fn any_order(set_up: &[Move], first: Move, second: Move) {
    let (app, tenant) = crowd().await;
    let mut allowed = Vec::new();
    for (pair, swapped) in [("x", false), ("y", true)] {
        let (one, other) = (format!("{pair}.one"), format!("{pair}.other"));
        tenant.create(&[&one, &other]).await;
        for what in set_up {
            act(&tenant, *what, &one, &other).await.unwrap();
        }
        let codes = if swapped {
            let second = code(&act(&tenant, second, &one, &other).await);
            [code(&act(&tenant, first, &one, &other).await), second]
        } else {
            let first = code(&act(&tenant, first, &one, &other).await);
            [first, code(&act(&tenant, second, &one, &other).await)]
        };
        allowed.push(look(&tenant, codes, &one, &other).await);
    }
    for round in 0..ROUNDS {
        let (one, other) = (format!("one{round}"), format!("other{round}"));
        tenant.create(&[&one, &other]).await;
        for what in set_up {
            act(&tenant, *what, &one, &other).await.unwrap();
        }
        let answers = race(2, |number| {
            let (tenant, one, other) = (tenant.clone(), one.clone(), other.clone());
            // Whichever task comes first has the head start.
            let what = if (number + round) % 2 == 0 { first } else { second };
            async move { act(&tenant, what, &one, &other).await }
        });
        let mut codes: Vec<Code> = answers.await.iter().map(code).collect();
        if round % 2 == 1 {
            codes.reverse();
        }
        let outcome = look(&tenant, [codes[0], codes[1]], &one, &other).await;
        assert!(
            allowed.contains(&outcome),
            "{first:?} and {second:?} came to {outcome:?}; one by one to {allowed:?}"
        );
    }
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_answers_at_once_end_as_one_of_them_came_first() {
    any_order(&[Move::Ask], Move::Accept, Move::Cancel).await;
    any_order(&[Move::Ask], Move::Accept, Move::Reject).await;
    any_order(&[Move::Ask], Move::Accept, Move::Accept).await;
    any_order(&[Move::Ask], Move::Reject, Move::Cancel).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_and_an_answer_at_once_end_as_one_of_them_came_first() {
    any_order(&[Move::Ask], Move::Block, Move::Accept).await;
    any_order(&[Move::Ask], Move::BlockBack, Move::Accept).await;
    any_order(&[Move::Ask], Move::Block, Move::Cancel).await;
    any_order(&[], Move::Block, Move::Ask).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cross_make_friends_exactly_once() {
    any_order(&[], Move::Ask, Move::Ask).await;
    any_order(&[Move::Ask], Move::AskBack, Move::Cancel).await;
    any_order(&[Move::Ask], Move::AskBack, Move::Accept).await;
    let (app, tenant) = crowd().await;
    for round in 0..ROUNDS {
        let (one, other) = (format!("one{round}"), format!("other{round}"));
        tenant.create(&[&one, &other]).await;
        let answers = race(2, |number| {
            let (tenant, one, other) = (tenant.clone(), one.clone(), other.clone());
            async move {
                let what = if number == 0 { Move::Ask } else { Move::AskBack };
                act(&tenant, what, &one, &other).await
            }
        });
        only(&answers.await, &[]);
        assert_eq!(tenant.friends_of(&one).await.unwrap(), std::slice::from_ref(&other));
        let states = (tenant.state_of(&one, &other).await, tenant.state_of(&other, &one).await);
        let accepted = Some(State::Accepted);
        assert!(states == (accepted, None) || states == (None, accepted), "{states:?}");
        assert_eq!(tenant.head(&one).await.unwrap().version, 3, "asked, agreed, friends");
    }
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_add_and_a_request_at_once_end_as_one_of_them_came_first() {
    any_order(&[], Move::Add, Move::Ask).await;
    any_order(&[], Move::Import, Move::AskBack).await;
    any_order(&[Move::Ask], Move::Add, Move::Accept).await;
    any_order(&[Move::Ask], Move::Import, Move::Cancel).await;
    any_order(&[Move::Ask, Move::Add], Move::Remove, Move::Accept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_and_a_request_at_once_leave_nothing_behind() {
    any_order(&[], Move::Delete, Move::Ask).await;
    any_order(&[], Move::Delete, Move::AskBack).await;
    any_order(&[Move::Ask], Move::Delete, Move::Accept).await;
    any_order(&[Move::Ask], Move::Delete, Move::Reject).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_race_for_the_last_places_among_requests_as_many_get_in_as_are_free() {
    let flags = ["--db-connections", "16", "--max-pending-requests", "5"];
    let app = TestApp::with(&flags, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let others = names("other", 40);
    tenant.create(&others.iter().map(String::as_str).collect::<Vec<_>>()).await;
    tenant.create(&["idol", "fan"]).await;
    let answers = race(80, |number| {
        let (tenant, other) = (tenant.clone(), others[number % 40].clone());
        async move {
            if number < 40 {
                tenant.ask(&other, "idol", "").await
            } else {
                tenant.ask("fan", &other, "").await
            }
        }
    });
    let answers = answers.await;
    only(&answers, &[Code::ResourceExhausted]);
    assert_eq!(codes(&answers)["Ok"], 10);
    assert_eq!((tenant.pending("idol").await, tenant.pending("fan").await), ((5, 0), (0, 5)));
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once_among_a_few_users_deadlocks_nobody_and_leaves_both_sides_in_agreement()
{
    let (app, tenant) = crowd().await;
    let users = names("user", 5);
    tenant.create(&users.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let moves = [
        Move::Ask,
        Move::Accept,
        Move::AskBack,
        Move::Reject,
        Move::Ask,
        Move::Remove,
        Move::Cancel,
        Move::Block,
        Move::Ask,
        Move::Import,
        Move::Remove,
    ];
    let answers = race(24, |number| {
        let (tenant, users) = (tenant.clone(), users.clone());
        async move {
            let mut answers = Vec::new();
            for step in 0..33 {
                let (a, b) = ((number + step) % 5, (number * 3 + step * 2) % 5);
                let (one, other) = (&users[a], &users[if a == b { (b + 1) % 5 } else { b }]);
                let what = moves[(number * 5 + step) % moves.len()];
                answers.push(act(&tenant, what, one, other).await);
                if what == Move::Block {
                    answers.push(tenant.unblock(other, one).await.map(drop));
                }
            }
            answers
        }
    });
    let answers: Vec<_> = answers.await.into_iter().flatten().collect();
    only(&answers, &[Code::FailedPrecondition, Code::NotFound]);
    invariants::hold(app.pool()).await;
}
