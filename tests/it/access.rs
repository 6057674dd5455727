//! Which callers each method accepts, for every method in the descriptors: a new method is tested
//! without a change here.

use befriend::proto;
use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};
use sqlx::{AssertSqlSafe, PgPool};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp, app::OPERATOR_TOKEN, expect_error, metadata, raw, tenant::acme,
};

/// Who may call a method.
#[derive(PartialEq)]
pub enum Caller {
    Anybody,
    App,
    AppOrOperator,
    Operator,
}

pub fn caller_of(method: &MethodDescriptor) -> Caller {
    match (method.parent_service().name(), method.name()) {
        ("TokenService", "IssueToken") => Caller::Anybody,
        ("AppService" | "AuditService" | "CallbackRuleService" | "OperatorTokenService", _) => {
            Caller::Operator
        }
        ("EventService", _) => Caller::AppOrOperator,
        _ => Caller::App,
    }
}

/// The value of a field in a valid request: something of app A, or of no app, never of app B alone. In A
/// alice and bob are friends, erin exists and carol does not; B has all of them.
fn value(method: &str, field: &FieldDescriptor, known: &Known) -> Value {
    let text = |text: &str| Value::String(text.to_owned());
    let list = |name: &str| Value::List(vec![text(name)]);
    match (method, field.name()) {
        (_, "app_key") => text(&known.app_key),
        ("AddFriend", "friend") => text("erin"),
        ("CreateUser" | "BatchCreateUsers", "username") => text("carol"),
        ("DeleteUser", "username") => text("erin"),
        ("DeactivateUser" | "UnblockUser", "username") => text("bob"),
        (_, "owner" | "username") => text("alice"),
        (_, "friend") => text("bob"),
        ("BlockUsers" | "ImportFriends", "usernames") => list("erin"),
        (_, "others") => list("bob"),
        (_, "remark" | "server_extension" | "nickname") => text("set-by-a"),
        (_, "page_token") => text(""),
        (_, "page_size") => Value::I32(0),
        (_, "clear_remark" | "include_remark" | "notify") => Value::Bool(true),
        ("RevokeToken", "access_token") => text(&known.foreign_token),
        (_, "rule_id") => text(&known.rule_id),
        (_, "event_id") => text(&known.event_id),
        ("SendFriendRequest", "recipient") => text("erin"),
        ("AcceptFriendRequest" | "RejectFriendRequest", "requester") => text("erin"),
        ("AcceptFriendRequest" | "RejectFriendRequest", "recipient") => text("alice"),
        ("CancelFriendRequest", "recipient") => text("frank"),
        (_, "requester") => text("alice"),
        (_, "message") => text("set-by-a"),
        (_, "extension") => text("set-by-a"),
        ("ListMutualFriends", "other") => text("bob"),
        ("ListFriendRequests", "direction") => Value::EnumNumber(1),
        ("ListFriendRequests", "states") => Value::List(vec![]),
        (_, "since_version") => Value::I64(0),
        (_, "updated_after") => timestamp(field, 0),
        (_, "update_mask") => {
            let Kind::Message(mask) = field.kind() else { panic!("a mask is a message") };
            Value::Message(DynamicMessage::new(mask))
        }
        ("ListEvents", "event_type") => text("friend.added"),
        ("ListEvents", "state") | (_, "actor_kind") => Value::EnumNumber(0),
        (_, "actor_name" | "action" | "signing_secret") => text(""),
        (_, "name") => text("set-by-a"),
        (_, "role") => Value::EnumNumber(1),
        (_, "ttl" | "grace_period") => timestamp(field, 3600),
        (_, "revoke_tokens") => Value::Bool(false),
        (_, "start_time") => timestamp(field, 0),
        (_, "end_time") => timestamp(field, 4_102_444_800),
        (_, "friend_limit" | "block_limit" | "requests_per_second") => Value::I32(77),
        (_, "client_id") => text(&known.app_key),
        (_, "client_secret") => text(&format!("the-secret-of-{}", known.app_key)),
        (_, "netease_app_key" | "netease_app_secret" | "ca_certificates") => text(""),
        (_, "remove_netease_credentials" | "enabled") => Value::Bool(true),
        (_, "url") => text("http://127.0.0.1:9/set-by-a"),
        (_, "event_types") => list("friend.added"),
        (_, "body_format") => Value::EnumNumber(2),
        (_, _) => match field.kind() {
            Kind::Message(message) if field.is_list() => {
                Value::List(vec![Value::Message(filled(method, message, known))])
            }
            Kind::Message(message) => Value::Message(filled(method, message, known)),
            _ => panic!(
                "access::value does not know the field {}: say there what stands in a valid \
                 request of {method}",
                field.full_name()
            ),
        },
    }
}

/// The parts of a valid request that the server made.
#[derive(Default)]
pub struct Known {
    pub app_key: String,
    pub foreign_token: String,
    pub rule_id: String,
    pub event_id: String,
}

fn timestamp(field: &FieldDescriptor, seconds: i64) -> Value {
    let Kind::Message(message) = field.kind() else { panic!("{} is no time", field.full_name()) };
    let mut time = DynamicMessage::new(message);
    time.set_field_by_name("seconds", Value::I64(seconds));
    Value::Message(time)
}

pub fn filled(method: &str, message: MessageDescriptor, known: &Known) -> DynamicMessage {
    let mut request = DynamicMessage::new(message.clone());
    for field in message.fields() {
        let value = value(method, &field, known);
        request.set_field(&field, value);
    }
    request
}

/// A tenant in whose rows every text contains the mark.
pub async fn marked_tenant(app: &TestApp, app_key: &str, usernames: &[&str], mark: &str) -> Tenant {
    let tenant = app.tenant(app_key).await;
    let rule = proto::CreateCallbackRuleRequest {
        app_key: app_key.to_owned(),
        url: format!("http://127.0.0.1:9/{mark}"),
        ..proto::CreateCallbackRuleRequest::default()
    };
    app.callback_rules().create_callback_rule(rule).await.unwrap();
    for name in usernames {
        tenant.create_one(name, mark).await.unwrap();
    }
    for (owner, friend) in [("alice", "bob"), ("bob", "alice")] {
        tenant.befriend_with(owner, friend, mark).await.unwrap();
        tenant.remark(owner, friend, mark).await.unwrap();
        tenant.block(owner, &[friend]).await.unwrap();
    }
    tenant.ask("erin", "alice", mark).await.unwrap();
    tenant.ask("alice", "frank", mark).await.unwrap();
    tenant
}

/// All rows of an app in all tables, as text. A table belongs to an app by its column app_id, or to
/// one of the app's users by its column owner_key.
pub async fn rows_of(app: &Tenant, pool: &PgPool) -> Vec<String> {
    let tables: Vec<(String, bool, bool)> = sqlx::query_as(
        "select table_name::text, bool_or(column_name = 'app_id'), bool_or(column_name = 'owner_key')
         from information_schema.columns
         where table_schema = 'public'
           and table_name not in ('_sqlx_migrations', 'outbox_leases', 'dispatchers',
                                  'operator_tokens',
                                  -- A call is recorded also when it changes nothing.
                                  'audit_events')
         group by table_name",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut rows = Vec::new();
    for (table, by_app, by_owner) in tables {
        let of_app = match (by_app, by_owner) {
            (true, _) => "t.app_id = $1::uuid",
            (false, true) => "t.owner_key in (select owner_key from users where app_id = $1::uuid)",
            (false, false) => panic!(
                "the table {table} has neither app_id nor owner_key: tell access::rows_of which \
                 app its rows belong to"
            ),
        };
        let select =
            format!("select '{table}: ' || t::text from {table} t where {of_app} order by 1");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(select))
            .bind(&app.app.uuid)
            .fetch_all(pool)
            .await
            .unwrap();
        rows.extend(found);
    }
    rows
}

#[tokio::test]
async fn no_call_of_one_app_touches_or_tells_anything_of_another() {
    // Nothing is delivered, so that events stay as they are.
    let app = TestApp::with(&["--deliver", "false"], befriend::clock::Clock::system()).await;
    let everybody = ["alice", "bob", "carol", "erin", "frank", "of-b-only"];
    let b = marked_tenant(&app, "b#app", &everybody, "of-b").await;
    let before = rows_of(&b, app.pool()).await;
    assert!(before.iter().any(|row| row.contains("of-b")));

    for (number, method) in raw::methods().into_iter().enumerate() {
        if !matches!(caller_of(&method), Caller::App | Caller::AppOrOperator) {
            continue;
        }
        let name = raw::operation(&method);
        let key = format!("a#app{number}");
        let a = marked_tenant(&app, &key, &["alice", "bob", "erin", "frank"], "of-a").await;
        let events = a.events().list_events(proto::ListEventsRequest::default()).await.unwrap();
        let event = events.into_inner().events.into_iter().next().unwrap();
        let known = Known {
            app_key: key,
            foreign_token: b.token.clone(),
            rule_id: event.rule_id,
            event_id: event.event_id,
        };
        let request = filled(method.name(), method.input(), &known).encode_to_vec();
        let bearer = format!("Bearer {}", a.token);
        let answer = raw::call(&app.channel, &method, &[("authorization", &bearer)], request).await;
        let answer = answer.unwrap_or_else(|refused| {
            panic!("{name} refused its request ({refused}): make access::value give a valid one")
        });
        let leaks = answer.windows(4).any(|window| window == b"of-b");
        assert!(!leaks, "{name} told of another app: {:?}", String::from_utf8_lossy(&answer));
        assert_eq!(rows_of(&b, app.pool()).await, before, "{name} changed another app");
    }
    assert_eq!(b.friends_of("alice").await.unwrap(), ["bob"], "its token was not revoked");
}

#[tokio::test]
async fn every_method_is_refused_without_a_valid_token() {
    // Failed logins are throttled; this test makes more of them than usual.
    let app = TestApp::with(&["--failed-logins", "1000"], befriend::clock::Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let right_form = format!("Bearer bft_{}", "A".repeat(43));
    let secret = format!("Bearer {}", tenant.client_secret);
    let (basic, bare) = (format!("Basic {}", tenant.token), tenant.token.clone());
    let longer = format!("Bearer {}x", tenant.token);
    let wrong =
        ["", "Bearer", "Bearer ", "Bearer rubbish", &right_form, &secret, &basic, &bare, &longer];
    for method in raw::methods() {
        let reason = match caller_of(&method) {
            Caller::Anybody => "INVALID_CREDENTIALS",
            _ => "UNAUTHENTICATED",
        };
        let shut = |answer: Result<Vec<u8>, Status>| {
            expect_error(answer, Code::Unauthenticated, reason);
        };
        shut(raw::call(&app.channel, &method, &[], Vec::new()).await);
        for authorization in wrong {
            let headers = [("authorization", authorization)];
            shut(raw::call(&app.channel, &method, &headers, Vec::new()).await);
        }
    }
}

#[tokio::test]
async fn every_method_is_refused_with_the_other_kind_of_token() {
    let (app, tenant) = acme(&[]).await;
    for method in raw::methods() {
        let (token, required) = match caller_of(&method) {
            Caller::Anybody | Caller::AppOrOperator => continue,
            Caller::App => (OPERATOR_TOKEN, "app"),
            Caller::Operator => (tenant.token.as_str(), "operator"),
        };
        let headers = [("authorization", &*format!("Bearer {token}"))];
        let refused = raw::call(&app.channel, &method, &headers, Vec::new()).await;
        let details = expect_error(refused, Code::PermissionDenied, "TOKEN_SCOPE");
        assert_eq!(metadata(&details, "required"), required, "{}", raw::operation(&method));
    }
}

#[tokio::test]
async fn the_scheme_of_a_token_is_read_in_any_case() {
    let (app, tenant) = acme(&["alice"]).await;
    let method = raw::methods().into_iter().find(|m| m.name() == "GetUser").unwrap();
    let request = filled("GetUser", method.input(), &Known::default()).encode_to_vec();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let headers = [("authorization", &*format!("{scheme} {}", tenant.token))];
        raw::call(&app.channel, &method, &headers, request.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn guessing_the_operators_token_is_throttled() {
    let app = TestApp::with(&["--failed-logins", "3"], befriend::clock::Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let method = raw::methods().into_iter().find(|m| m.name() == "ListApps").unwrap();
    let try_as = async |token: &str| {
        let headers = [("authorization", &*format!("Bearer {token}"))];
        raw::call(&app.channel, &method, &headers, Vec::new()).await
    };
    for guess in ["a guess", "another", "a third"] {
        expect_error(try_as(guess).await, Code::Unauthenticated, "UNAUTHENTICATED");
    }
    let details = expect_error(try_as("a fourth").await, Code::ResourceExhausted, "RATE_LIMITED");
    assert!(details.retry_info().unwrap().retry_delay.unwrap().as_secs() <= 60);
    // Guesses from the operator's own address do not lock the operator out.
    try_as(OPERATOR_TOKEN).await.unwrap();
    tenant.create(&["alice"]).await; // Apps are not affected.
}
