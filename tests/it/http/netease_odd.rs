//! What odd clients send, and what nobody should: every answer is HTTP 200 with a code that SDKs can
//! read.

use befriend::clock::Clock;

use crate::support::{
    http::{Answer, ask, exchange},
    netease::{NOON, NetEase, code, form_of, members, netease, netease_with, text_of},
};

const ADD: &str = "/friend/add.action";
const GET: &str = "/friend/get.action";
const CALLS: [&str; 8] = [
    ADD,
    "/friend/update.action",
    "/friend/delete.action",
    GET,
    "/friend/getByAccid.action",
    "/user/create.action",
    "/user/setSpecialRelation.action",
    "/user/listBlackAndMuteList.action",
];

/// A refusal's code, after a look that it says why, and that it is no fault of ours.
#[track_caller]
fn refused(text: &str) -> i64 {
    let answer = members(text);
    assert!(answer["desc"].is_string(), "{text}");
    let code = code(&answer);
    assert!((400..500).contains(&code), "{text}");
    code
}

/// Sends a request whose head is written line by line, behind the client's headers.
async fn raw(client: &NetEase, first: &str, more: &[&str], body: &[u8]) -> Answer {
    let mut head = format!("{first}\r\nHost: befriend\r\nConnection: close\r\n");
    for (name, value) in client.headers() {
        head += &format!("{name}: {value}\r\n");
    }
    for line in more {
        head += &format!("{line}\r\n");
    }
    let request = [head.as_bytes(), b"\r\n", body].concat();
    let answer = exchange(&client.url, &request).await;
    Answer::parse(&answer, "POST").unwrap_or_else(|| panic!("{first}: no answer"))
}

#[tokio::test]
async fn a_chunked_body_is_read() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    let chunked = "Transfer-Encoding: chunked";
    let kind = "Content-Type: application/x-www-form-urlencoded;charset=utf-8";
    let body = b"b\r\naccid=alice\r\n11\r\n&faccid=bob&type=\r\n1\r\n1\r\n0\r\n\r\n";
    let first = format!("POST /nimserver{ADD} HTTP/1.1");
    let answer = raw(&client, &first, &[chunked, kind], body).await;
    assert_eq!(text_of(&answer), r#"{"code":200}"#);
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
}

#[tokio::test]
async fn what_javas_and_gos_encoders_make_of_a_text_is_read() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    for (encoded, alias) in [
        ("a+b%20c", "a b c"),
        ("1%2B1%3D2", "1+1=2"),
        ("*-._~", "*-._~"),
        ("%E5%90%8C%E4%BA%8B", "同事"),
        ("同事", "同事"),
        ("%f0%9f%91%8D", "👍"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("a=b", "a=b"),
    ] {
        let body = format!("accid=alice&faccid=bob&alias={encoded}");
        let path = "/friend/update.action";
        let answer = client.post(path, &client.headers(), body.as_bytes()).await;
        assert_eq!(answer, r#"{"code":200}"#, "{encoded}");
        assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, alias, "{encoded}");
    }
}

#[tokio::test]
async fn slashes_too_many_and_the_content_types_that_clients_send_do_no_harm() {
    let (_app, _tenant, client) = netease(&["alice"]).await;
    for path in [
        "//friend/get.action",
        "/nimserver//friend/get.action",
        "//nimserver//friend//get.action",
        "/nimserver/friend/get.action/",
        "/nimserver/friend/get.action?trace=1",
    ] {
        let first = format!("POST {path} HTTP/1.1");
        let answer = raw(&client, &first, &["Content-Length: 11"], b"accid=alice").await;
        assert_eq!(code(&members(&text_of(&answer))), 200, "{path}");
    }
    for kind in [
        "Content-Type: application/x-www-form-urlencoded;charset=UTF-8",
        "Content-Type: application/x-www-form-urlencoded; Charset=utf-8",
        "content-type: APPLICATION/X-WWW-FORM-URLENCODED",
        "Content-Type: text/plain",
        "Content-Type:",
        "X-custom-traceid: 1\r\nRequestId: 2",
        "Expect: 100-continue",
        "Accept: text/html",
        "User-Agent: yunxin-server-sdk-golang/1.0",
    ] {
        let first = format!("POST /nimserver{GET} HTTP/1.1");
        let answer = raw(&client, &first, &[kind, "Content-Length: 11"], b"accid=alice").await;
        assert_eq!(code(&members(&text_of(&answer))), 200, "{kind}");
    }
    let first = format!("POST /nimserver{GET} HTTP/1.0");
    let answer = raw(&client, &first, &["Content-Length: 11"], b"accid=alice").await;
    assert_eq!(code(&members(&text_of(&answer))), 200, "HTTP/1.0");
}

#[tokio::test]
async fn members_that_nobody_knows_are_left_alone_and_of_two_the_first_counts() {
    let (_app, tenant, client) = netease(&["alice", "bob", "carol"]).await;
    let form = [
        ("accid", "alice"),
        ("accid", "nobody"),
        ("unknown", "x"),
        ("", "y"),
        ("faccid", "bob"),
        ("faccid", "carol"),
        ("type", "1"),
        ("type", "rubbish"),
    ];
    client.taken(ADD, &form).await;
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
}

#[tokio::test]
async fn a_body_that_is_no_form_in_utf8_is_414() {
    let (_app, _tenant, client) = netease(&["alice", "bob"]).await;
    let multipart =
        "--x\r\nContent-Disposition: form-data; name=\"accid\"\r\n\r\nalice\r\n--x--\r\n";
    let bodies: [&[u8]; 12] = [
        b"",
        b"&&&===",
        b"accid",
        b"accid=",
        b"accid=alice\xff&faccid=bob&type=1",
        b"accid=alice&faccid=bob&type=1&msg=%FF",
        b"accid=alice&faccid=bob&type=1&msg=%E5%A5",
        b"accid=alice&faccid=bob&type=1&msg=a%00b",
        b"accid=alice%00&faccid=bob&type=1",
        b"\0\0\0\0",
        br#"{"accid":"alice","faccid":"bob","type":1}"#,
        multipart.as_bytes(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(body);
        let answer = client.post(ADD, &client.headers(), body).await;
        assert_eq!(refused(&answer), 414, "{shown:?}");
    }
    let kind = "Content-Type: multipart/form-data; boundary=x";
    let length = format!("Content-Length: {}", multipart.len());
    let first = format!("POST /nimserver{ADD} HTTP/1.1");
    let answer = raw(&client, &first, &[kind, &length], multipart.as_bytes()).await;
    assert_eq!(refused(&text_of(&answer)), 414);
}

#[tokio::test]
async fn a_body_of_any_size_gets_an_answer() {
    let (_app, _tenant, client) = netease(&["alice"]).await;
    let ten = 10 << 20;
    let huge = [b"accid=alice&ex=".as_slice(), &vec![b'x'; ten]].concat();
    let answer = client.post(GET, &client.headers(), &huge).await;
    assert_eq!(refused(&answer), 414);
    assert!(answer.contains("too large"), "{answer}");
    // Also where nobody looks at the body.
    assert_eq!(refused(&client.post(GET, &[], &huge).await), 414);
    assert_eq!(refused(&client.post("/no/such.action", &[], &huge).await), 404);
    let many = "a=b&".repeat(200_000) + "accid=alice";
    assert_eq!(code(&members(&client.post(GET, &client.headers(), many.as_bytes()).await)), 200);
}

#[tokio::test]
async fn other_methods_and_other_paths_are_refused_in_the_same_form() {
    let (_app, _tenant, client) = netease(&["alice"]).await;
    for prefix in ["/nimserver", ""] {
        for call in CALLS {
            for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
                let path = format!("{prefix}{call}?accid=alice");
                let answer = text_of(&ask(&client.url, method, &path, &[], b"").await);
                assert_eq!(refused(&answer), 414, "{method} {path}: {answer}");
            }
        }
        for unknown in ["/friend/like.action", "/user/getUinfos.action", "/x.action", "/.action"] {
            let path = format!("{prefix}{unknown}");
            for method in ["POST", "GET"] {
                let answer = text_of(&ask(&client.url, method, &path, &[], b"").await);
                assert_eq!(refused(&answer), 404, "{method} {path}: {answer}");
            }
        }
    }
    for path in ["/nimserver", "/nimserver/", "/nimserver/friend", "/nimserver/FRIEND/ADD.ACTION"] {
        let answer = text_of(&ask(&client.url, "POST", path, &[], b"").await);
        assert_eq!(refused(&answer), 404, "{path}");
    }
    let answer = ask(&client.url, "POST", "/nimserver/health/liveness.action", &[], b"").await;
    assert_eq!(refused(&text_of(&answer)), 414);
}

#[tokio::test]
async fn hostile_values_in_every_member_of_every_call_are_never_a_fault_of_ours() {
    let (_app, tenant, client) = netease(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let good: [(&str, &str); 15] = [
        ("accid", "alice"),
        ("faccid", "bob"),
        ("targetAcc", "bob"),
        ("type", "1"),
        ("msg", "hello"),
        ("serverex", "s"),
        ("alias", "a"),
        ("ex", "e"),
        ("isDeleteAlias", "false"),
        ("updatetime", "0"),
        ("createtime", "0"),
        ("name", "n"),
        ("token", "t"),
        ("relationType", "1"),
        ("value", "1"),
    ];
    let long = "9".repeat(5000);
    let hostile = [
        "",
        " ",
        "\0",
        "'; drop table users; --",
        "${jndi:ldap://127.0.0.1/a}",
        "\u{202e}\u{feff}\u{0301}",
        "{}",
        "[1]",
        "null",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "253402300800000",
        "1e400",
        "NaN",
        long.as_str(),
    ];
    for path in CALLS {
        for at in 0..good.len() {
            for value in hostile {
                let mut form = good;
                form[at].1 = value;
                let body = form_of(&form);
                let text = client.post(path, &client.headers(), body.as_bytes()).await;
                // The last one is how the vendor tells that two are no friends.
                if code(&members(&text)) != 200 && text != r#"{"code":404}"# {
                    refused(&text);
                }
            }
        }
    }
    tenant.profile("alice").await.unwrap();
}

#[tokio::test]
async fn hostile_headers_are_refused_in_the_same_form() {
    let flags = ["--failed-logins", "1000"];
    let (_app, tenant, client) = netease_with(&flags, Clock::stopped_at(NOON)).await;
    tenant.create(&["alice"]).await;
    for place in 0..4 {
        for value in ["\t", "a\tb", "\u{e4}\u{f6}", "a, b", "'--", "%00", &"x".repeat(4000)] {
            let mut headers = client.headers();
            value.clone_into(&mut headers[place].1);
            let answer = client.post(GET, &headers, b"accid=alice").await;
            assert_eq!(refused(&answer), 414, "{}: {value:?}", headers[place].0);
        }
        // Of two headers of one name the first counts.
        let mut headers = client.headers();
        let (name, _) = headers[place];
        headers.push((name, "another".to_owned()));
        let answer = client.post(GET, &headers, b"accid=alice").await;
        assert_eq!(code(&members(&answer)), 200, "{name} twice");
    }
}
