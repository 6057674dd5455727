//! Odd ways in which clients of Easemob's API are known to ask.

use http::{Request, Version};
use prost::bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    Tenant, TestApp,
    easemob::{Easemob, expect_refusal, routes},
    http::{Answer, ask, exchange},
    tenant::acme,
    wire::Wire,
};

/// alice and bob, who are friends, and carol.
async fn client() -> (TestApp, Tenant, Easemob) {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let client = Easemob::of(&app, &tenant);
    (app, tenant, client)
}

/// Sends these bytes, in which `TOKEN` and `HOST` stand for the client's.
async fn raw(client: &Easemob, request: &str) -> Answer {
    let token = client.authorization.strip_prefix("Bearer ").unwrap();
    let host = client.url.strip_prefix("http://").unwrap();
    let request = request.replace("TOKEN", token).replace("HOST", host);
    let answer = exchange(&client.url, request.as_bytes()).await;
    Answer::parse(&answer, request.split(' ').next().unwrap())
        .unwrap_or_else(|| panic!("{request}\ngot {:?}", String::from_utf8_lossy(&answer)))
}

#[tokio::test]
async fn a_body_is_json_whatever_its_content_type_says() {
    let (_app, tenant, client) = client().await;
    let body = json!({ "remark": "老同学", "unknown": { "deep": [1, null] } }).to_string();
    for content_type in [
        "",
        "application/json",
        "application/json;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "no type at all",
    ] {
        tenant.remark("alice", "bob", "").await.unwrap();
        let headers = [("content-type", content_type)];
        let headers = if content_type.is_empty() { &[][..] } else { &headers };
        let path = "/user/alice/contacts/users/bob";
        client.send("PUT", path, headers, body.as_bytes()).await.ok();
        assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "老同学", "{content_type}");
    }
}

#[tokio::test]
async fn what_needs_no_body_reads_none() {
    let (app, tenant, client) = client().await;
    for route in routes(&app.url).await {
        if !route.body(&tenant, "alice", "bob").is_null() {
            continue;
        }
        let deletes = route.method == "DELETE"
            && route.path.contains("/users")
            && !route.path.contains("contacts")
            && !route.path.contains("blocks");
        let path = if deletes { "/users/nobody".to_owned() } else { route.of("alice", "bob") };
        for body in ["", "[]", "{}", "null", "a=b&c=d", "{", "\u{feff}", "[[[["] {
            for content_type in ["application/json", "application/x-www-form-urlencoded"] {
                let headers = [("content-type", content_type), ("content-length", "0")];
                let headers = if body.is_empty() { &headers[..] } else { &headers[..1] };
                let answer = client.send(&route.method, &path, headers, body.as_bytes()).await;
                let right = if deletes { 404 } else { 200 };
                assert_eq!(answer.status, right, "{route:?} with {body:?}: {answer:?}");
                answer.json();
            }
        }
    }
}

#[tokio::test]
async fn slashes_too_many_and_unknown_members_of_the_query_are_read_over() {
    let (app, tenant, client) = client().await;
    for route in routes(&app.url).await {
        if route.method == "DELETE" {
            continue; // The same paths, and what they delete is deleted once.
        }
        for number in 0..3 {
            let newcomer = format!("new{number}");
            let mut body = route.body(&tenant, "alice", "bob");
            if (route.method.as_str(), route.path.as_str()) == ("POST", "/users") {
                body["username"] = newcomer.into();
            }
            let path = route.of("alice", "bob");
            // Where something is put, a slash at the end may be that a name is missing.
            let slash = if route.method == "PUT" { "" } else { "/" };
            let path = match number {
                0 => format!("{path}{slash}"),
                1 => format!("{path}?version=1&needReturnRemark=true&x=%E5%A5%BD&&=&a"),
                _ => format!("{path}{slash}?"),
            };
            let client = match number {
                2 => Easemob { base: format!("//{}", &client.base[1..]), ..client.clone() },
                _ => client.clone(),
            };
            let answer = client.call(&route.method, &path, body).await.ok();
            let uri = answer["uri"].as_str().unwrap_or_default();
            let base = format!("{}/{}", client.url, client.base.trim_start_matches('/'));
            assert!(uri.is_empty() || uri.starts_with(&base), "{uri}");
            assert!(!uri[uri.len().min(7)..].contains("//") && !uri.ends_with('/'), "{uri}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_missing_is_nobody_and_never_everybody() {
    let (app, tenant, client) = client().await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.block("alice", &["carol"]).await.unwrap();
    let before = tables(app.pool()).await;
    for route in routes(&app.url).await {
        let names = if route.path.contains("{friend}") || route.path.contains("{blocked}") {
            &[("", "bob"), ("alice", ""), ("", "")][..]
        } else if route.path.contains('{') {
            &[("", "")][..]
        } else {
            continue;
        };
        for (owner, friend) in names {
            let path = route.of(owner, friend);
            // The list of all friends ends with a slash in some clients.
            if route.method == "POST" && path.ends_with('/') || route.method == "GET" {
                continue;
            }
            for path in [path.clone(), format!("{path}/")] {
                let body = route.body(&tenant, "alice", "bob");
                let answer = client.call(&route.method, &path, body).await;
                assert!(
                    [400, 404, 405].contains(&answer.status),
                    "{} {path}: {answer:?}",
                    route.method
                );
            }
        }
    }
    let answer = client.call("DELETE", "/users", json!(null)).await;
    let why = "limit must be provided";
    expect_refusal(&answer, 400, "illegal_argument", why);
    assert_eq!(tables(app.pool()).await, before, "something changed");
}

#[tokio::test]
async fn a_list_of_users_is_unblocked_as_a_whole_or_not_at_all() {
    let (_app, tenant, client) = client().await;
    tenant.block("alice", &["bob", "carol"]).await.unwrap();
    let unblock = async |names: Value| {
        let body = json!({ "usernames": names });
        client.call("DELETE", "/users/alice/blocks/users", body).await
    };
    let answer = unblock(json!(["bob", "nobody", "carol"])).await;
    let why = "Service resource not found";
    expect_refusal(&answer, 404, "service_resource_not_found", why);
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["carol", "bob"]);
    let answer = unblock(json!(["carol", "alice", "bob", "carol"])).await.ok();
    let told = answer["entities"].as_array().unwrap().iter().map(|user| &user["username"]);
    assert_eq!(told.collect::<Vec<_>>(), ["carol", "alice", "bob"]);
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), [""; 0]);
}

/// How many rows the tables of lists have, and how many users are there.
async fn tables(pool: &sqlx::PgPool) -> Vec<(i64, i64)> {
    let mut counts = Vec::new();
    for table in ["users", "friends", "blocks"] {
        let column = if table == "users" { "deleted_at is null" } else { "not deleted" };
        let count = format!("select count(*), count(*) filter (where {column}) from {table}");
        counts.push(sqlx::query_as(sqlx::AssertSqlSafe(count)).fetch_one(pool).await.unwrap());
    }
    counts
}

#[tokio::test]
async fn names_may_come_percent_encoded_and_in_upper_case() {
    let (_app, tenant, client) = client().await;
    tenant.create(&["a@b.c"]).await;
    for (path, name) in [
        ("/users/%61%6Cice", "alice"),
        ("/users/ALICE", "alice"),
        ("/users/%41LICE", "alice"),
        ("/users/a%40b.c", "a@b.c"),
        ("/users/a@b.c", "a@b.c"),
    ] {
        let found = client.get(path).await.ok();
        assert_eq!(found["entities"][0]["username"], name);
    }
    // An address that escapes its app's name is the same address.
    for base in ["/%61cme/chat", "/acme/ch%61t"] {
        let client = Easemob { base: base.to_owned(), ..client.clone() };
        let all = client.get("/users/alice/contacts/users").await.ok();
        assert_eq!(all["uri"], format!("{}/acme/chat/users/alice/contacts/users", client.url));
    }
    let page = client.get("/user/ALICE/contacts").await.ok();
    assert_eq!(page["uri"], format!("{}/acme/chat/users/alice/rostersByPage", client.url));
}

#[tokio::test]
async fn http_1_0_and_1_1_are_spoken_with_and_without_a_host() {
    let (_app, _tenant, client) = client().await;
    let path = "/acme/chat/users/alice/contacts/users";
    for (request, uri) in [
        (format!("GET {path} HTTP/1.0\r\nAuthorization: Bearer TOKEN\r\n\r\n"), "localhost"),
        (
            format!("GET {path} HTTP/1.0\r\nHost: HOST\r\nAUTHORIZATION: bearer TOKEN\r\n\r\n"),
            &client.url["http://".len()..],
        ),
        (
            format!(
                "GET {path} HTTP/1.1\r\nhost: im.example.com\r\nauthorization:Bearer TOKEN\r\n\
                 Connection: close\r\n\r\n"
            ),
            "im.example.com",
        ),
        (
            format!(
                "GET http://im.example.com:81{path} HTTP/1.1\r\nhost: other\r\n\
                 authorization: BEARER   TOKEN  \r\nConnection: close\r\n\r\n"
            ),
            "im.example.com:81",
        ),
    ] {
        let answer = raw(&client, &request).await.ok();
        assert_eq!(answer["data"], json!(["bob"]));
        assert_eq!(answer["uri"], format!("http://{uri}{path}"), "{request}");
    }
}

#[tokio::test]
async fn a_body_may_come_in_chunks_and_after_a_go_ahead() {
    let (_app, tenant, client) = client().await;
    let head = "PUT /acme/chat/user/alice/contacts/users/bob HTTP/1.1\r\nHost: HOST\r\n\
                Authorization: Bearer TOKEN\r\nConnection: close\r\n";
    let chunks =
        "2\r\n{\"\r\n9;ext=1\r\nremark\":\"\r\n8\r\nchunked\"\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n";
    raw(&client, &format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}")).await.ok();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "chunked");
    // No body at all, but chunks.
    let add = head.replace("PUT", "POST").replace("/user/", "/users/").replace("bob", "carol");
    raw(&client, &format!("{add}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")).await.ok();

    let token = &tenant.token;
    let body = r#"{"remark":"at last"}"#;
    let head = head.replace("TOKEN", token).replace("HOST", "x");
    let head = format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut tcp = TcpStream::connect(&client.url["http://".len()..]).await.unwrap();
    tcp.write_all(head.as_bytes()).await.unwrap();
    let mut go = [0; 25];
    tcp.read_exact(&mut go).await.unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");
    tcp.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    Answer::parse(&answer, "PUT").unwrap().ok();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "at last");

    // Who may not is told without having sent anything.
    let head = head.replace(token.as_str(), "rubbish");
    let answer = exchange(&client.url, head.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn requests_follow_each_other_on_one_connection() {
    let (_app, tenant, client) = client().await;
    let token = &tenant.token;
    let get = |path: &str, last: &str| {
        format!(
            "GET /acme/chat{path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {token}\r\n{last}\r\n"
        )
    };
    let requests = [
        get("/users/alice", ""),
        get("/users/nobody", ""),
        get("/nothing", ""),
        get("/users/bob", "connection: close\r\n"),
    ];
    let answers = exchange(&client.url, requests.concat().as_bytes()).await;
    let answers = String::from_utf8(answers).unwrap();
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "404", "200"]);
}

#[tokio::test]
async fn http_2_is_spoken_without_asking() {
    let (_app, tenant, client) = client().await;
    let wire = Wire::connect(&client.url).await;
    for (method, path, body) in [
        ("POST", "/users/alice/contacts/users/carol", ""),
        ("PUT", "/user/alice/contacts/users/carol", r#"{"remark":"by HTTP/2"}"#),
        ("GET", "/users/alice/contacts/users", ""),
    ] {
        let request = Request::builder()
            .method(method)
            .version(Version::HTTP_2)
            .uri(format!("http://im.example.com{}{path}", client.base))
            .header("authorization", &client.authorization);
        let request = request.body(()).unwrap();
        let answer = wire.send(request, Bytes::from(body)).await.unwrap();
        assert_eq!(answer.http, 200, "{answer:?}");
        let json: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(json["uri"].as_str().unwrap().starts_with("http://im.example.com/acme/chat/"));
    }
    assert_eq!(tenant.entry("alice", "carol").await.unwrap().remark, "by HTTP/2");
}

#[tokio::test]
async fn a_token_is_got_with_a_stale_one_in_hand() {
    let (_app, tenant, client) = client().await;
    let login = json!({
        "grant_type": "client_credentials",
        "client_id": tenant.app.client_id,
        "client_secret": tenant.client_secret,
        "ttl": "7200",
    });
    for authorization in ["Bearer stale", "Basic x", "", &client.authorization] {
        let stale = Easemob { authorization: authorization.to_owned(), ..client.clone() };
        for content_type in ["application/json", "application/x-www-form-urlencoded"] {
            let headers = [("content-type", content_type)];
            let body = format!("{login}\n");
            let issued = stale.send("POST", "/token", &headers, body.as_bytes()).await.ok();
            let token = issued["access_token"].as_str().unwrap();
            let fresh = Easemob { authorization: format!("bearer {token}"), ..client.clone() };
            fresh.get("/users/alice").await.ok();
        }
    }
}

#[tokio::test]
async fn an_answer_is_json_whatever_is_accepted() {
    let (_app, _tenant, client) = client().await;
    for accept in ["*/*", "text/html, application/xhtml+xml", "image/png", "nonsense"] {
        let headers = [("accept", accept), ("accept-encoding", "gzip, deflate, br")];
        let answer = client.send("GET", "/users/alice", &headers, b"").await;
        answer.ok();
        assert_eq!(answer.header("content-encoding"), "");
    }
}

#[tokio::test]
async fn an_address_is_told_as_a_proxy_says_it_was_asked_for() {
    let (_app, _tenant, client) = client().await;
    let path = "/users/alice/contacts/users";
    let host = &client.url["http://".len()..];
    for (proto, scheme) in
        [("https", "https"), ("http", "http"), ("javascript", "http"), ("HTTPS ", "http")]
    {
        let headers = [("x-forwarded-proto", proto)];
        let told = client.send("GET", path, &headers, b"").await.ok();
        assert_eq!(told["uri"], format!("{scheme}://{host}/acme/chat{path}"), "{proto}");
    }
}

#[tokio::test]
async fn an_id_of_the_caller_comes_back() {
    let (app, _tenant, client) = client().await;
    let headers = [("x-request-id", "their-id-7")];
    for path in ["/users/alice", "/users/nobody"] {
        let answer = client.send("GET", path, &headers, b"").await;
        assert_eq!(answer.header("x-request-id"), "their-id-7");
    }
    let answer = ask(&app.url, "GET", "/acme/chat/users/alice", &headers, b"").await;
    assert_eq!((answer.status, answer.header("x-request-id")), (401, "their-id-7"));
    let why = "Unable to authenticate (OAuth)";
    expect_refusal(&answer, 401, "unauthorized", why);
}
