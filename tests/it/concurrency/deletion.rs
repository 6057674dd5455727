//! Users who are created and deleted amid calls that name them.

use befriend::proto;
use sqlx::PgPool;
use tonic::{Code, Status};

use super::{CALLERS, create, crowd, import, remove_all, unblock};
use crate::support::{
    Tenant, invariants,
    race::{codes, expected, names, only, race},
};

async fn delete(tenant: Tenant, username: &'static str) -> Result<(), Status> {
    let request = proto::DeleteUserRequest { username: username.to_owned() };
    tenant.users().delete_user(request).await.map(drop)
}

/// Whether anything in anybody's list still names this user.
async fn traces_of(pool: &PgPool, username: &str) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from friends where friend_name = $1 and not deleted)
              + (select count(*) from blocks where blocked_name = $1 and not deleted)
              + (select count(*) from blocked_by where blocker_name = $1)
              + (select count(*) from users u join friends f using (owner_key)
                 where u.username = $1 and not f.deleted)
              + (select count(*) from users u join blocks b using (owner_key)
                 where u.username = $1 and not b.deleted)
              + (select count(*) from users u join blocked_by y using (owner_key)
                 where u.username = $1)",
    )
    .bind(username)
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_deleted_amid_calls_that_name_them_stands_nowhere_afterwards() {
    let (app, tenant) = crowd(3000, 500).await;
    let others = names("other", 150);
    create(&tenant, &[vec!["victim".to_owned(), "owner".to_owned()], others.clone()].concat())
        .await;
    for chunk in others[..120].chunks(10) {
        import(tenant.clone(), "victim".to_owned(), chunk.to_vec()).await.unwrap();
    }
    for other in &others[100..] {
        tenant.block(other, &["victim"]).await.unwrap();
    }
    let answers = race(CALLERS, |number| {
        let (tenant, other) = (tenant.clone(), others[number].clone());
        let late = others[149 - number].clone();
        async move {
            match number % 8 {
                _ if number == 32 => delete(tenant, "victim").await,
                0 => tenant.befriend("victim", &late).await.map(drop),
                1 => tenant.befriend(&late, "victim").await.map(drop),
                2 => tenant.block(&other, &["victim", "owner"]).await.map(drop),
                3 => tenant.block("victim", &[&other, &late]).await.map(drop),
                4 => import(tenant, other, vec!["victim".to_owned(), late]).await.map(drop),
                5 => tenant.remark(&other, "victim", "gone soon").await.map(drop),
                6 => tenant.unfriend("victim", &other).await.map(drop),
                _ => unblock(tenant, late, "victim".to_owned()).await,
            }
        }
    })
    .await;
    only(&answers, &[Code::NotFound, Code::FailedPrecondition]);
    assert!(answers[32].is_ok());
    assert_eq!(tenant.head("victim").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(traces_of(app.pool(), "victim").await, 0);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_who_delete_and_clear_at_once_do_not_get_into_each_others_way() {
    let (app, tenant) = crowd(3000, 500).await;
    let circle = ["a", "b", "c", "d", "e", "f", "g", "h"];
    tenant.create(&circle).await;
    for a in circle {
        for b in circle {
            if a < b {
                tenant.befriend(a, b).await.unwrap();
                tenant.block(a, &[b]).await.unwrap();
                tenant.block(b, &[a]).await.unwrap();
            }
        }
    }
    // Half of the circle is deleted while the other half empties its lists of them.
    let answers = race(8, |number| {
        let (tenant, user) = (tenant.clone(), circle[number]);
        async move {
            if number % 2 == 0 {
                delete(tenant, user).await
            } else {
                remove_all(tenant, user).await.map(drop)
            }
        }
    })
    .await;
    only(&answers, &[]);
    for gone in ["a", "c", "e", "g"] {
        assert_eq!(traces_of(app.pool(), gone).await, 0, "{gone}");
    }
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn remove_all_friends_does_not_wait_for_a_deleted_friend_to_be_cleaned_up() {
    let (app, tenant) = crowd(3000, 500).await;
    tenant.create(&["owner", "gone", "other"]).await;
    tenant.befriend("owner", "gone").await.unwrap();
    tenant.befriend("owner", "other").await.unwrap();
    // As if the service had been killed between the deletion and the cleaning of lists.
    sqlx::query("update users set deleted_at = now(), leaving = true where username = 'gone'")
        .execute(app.pool())
        .await
        .unwrap();
    assert_eq!(remove_all(tenant.clone(), "owner").await.unwrap(), 2);
    assert_eq!(tenant.head("owner").await.unwrap().friend_count, 0);
    befriend::server::upkeep::round(&app.core).await;
    assert_eq!(traces_of(app.pool(), "gone").await, 0);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_comes_and_goes_amid_calls_keeps_all_lists_in_agreement() {
    let (app, tenant) = crowd(3000, 500).await;
    let others = names("other", 8);
    create(&tenant, &[vec!["phoenix".to_owned()], others.clone()].concat()).await;
    let answers = race(32, |number| {
        let (tenant, other) = (tenant.clone(), others[number % 8].clone());
        async move {
            let mut answers = Vec::new();
            for step in 0..6 {
                answers.push(match (number + step) % 6 {
                    0 => delete(tenant.clone(), "phoenix").await,
                    1 | 2 => {
                        let user = proto::NewUser {
                            username: "phoenix".to_owned(),
                            nickname: String::new(),
                        };
                        let request = proto::CreateUserRequest { user: Some(user) };
                        tenant.users().create_user(request).await.map(drop)
                    }
                    3 => tenant.befriend("phoenix", &other).await.map(drop),
                    4 => tenant.block(&other, &["phoenix"]).await.map(drop),
                    _ => tenant.block("phoenix", &[&other]).await.map(drop),
                });
            }
            answers
        }
    })
    .await
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    only(&answers, &[Code::NotFound, Code::AlreadyExists]);
    invariants::hold(app.pool()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_batches_with_users_in_common_one_creates_all_and_the_other_none() {
    let (app, tenant) = crowd(3000, 500).await;
    for round in 0..8 {
        let answers = race(2, |number| {
            let mut batch = names(&format!("round{round}-"), 60);
            if number == 1 {
                batch.reverse();
            }
            let users = batch
                .into_iter()
                .map(|username| proto::NewUser { username, nickname: format!("of {number}") });
            let request = proto::BatchCreateUsersRequest { users: users.collect() };
            let tenant = tenant.clone();
            async move { tenant.users().batch_create_users(request).await.map(drop) }
        })
        .await;
        assert_eq!(codes(&answers), expected(&[(Code::Ok, 1), (Code::AlreadyExists, 1)]));
        let winner = answers.iter().position(Result::is_ok).unwrap();
        let of_winner: i64 = sqlx::query_scalar(
            "select count(*) from users where username like $1 and nickname = $2",
        )
        .bind(format!("round{round}-%"))
        .bind(format!("of {winner}"))
        .fetch_one(app.pool())
        .await
        .unwrap();
        assert_eq!(of_winner, 60);
    }
}
