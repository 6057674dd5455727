//! Callers who send what no client would: refused as the caller's fault, and everybody else is served
//! on. For every method in the descriptors.

mod answers;
mod arriving;
#[cfg(target_os = "linux")]
mod attacks;
mod connections;
#[cfg(target_os = "linux")]
mod descriptors;
mod protocol;

use std::io::Write as _;

use befriend::clock::Clock;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use prost_reflect::{Kind, MethodDescriptor};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    access::{Caller, caller_of},
    support::{
        Tenant, TestApp,
        app::OPERATOR_TOKEN,
        raw,
        wire::{Answer, Wire, frame, frame_that_says},
    },
};

/// The bound of messages when nobody sets another.
const MAX_MESSAGE: usize = 1 << 20;

/// A server under attack, and a tenant who may call it.
struct Siege {
    app: TestApp,
    tenant: Tenant,
    wire: Wire,
}

impl Siege {
    async fn lay() -> Self {
        let app = TestApp::with(&["--failed-logins", "1000000"], Clock::system()).await;
        let tenant = app.tenant("acme#chat").await;
        tenant.create(&["alice", "bob"]).await;
        let wire = Wire::connect(&app.url).await;
        Self { app, tenant, wire }
    }

    /// Posts a body to a method, with a token that it takes.
    async fn post(
        &self,
        method: &MethodDescriptor,
        headers: &[(&str, &[u8])],
        body: Vec<u8>,
    ) -> Answer {
        let token = match caller_of(method) {
            Caller::Operator => OPERATOR_TOKEN.to_owned(),
            // An empty message ends the token that it comes with.
            Caller::App if method.name() == "RevokeToken" => {
                let (id, secret) = (&self.tenant.app.client_id, &self.tenant.client_secret);
                self.app.login(id, secret, None).await.unwrap().access_token
            }
            _ => self.tenant.token.clone(),
        };
        let bearer = format!("Bearer {token}");
        let mut all = vec![("authorization", bearer.as_bytes())];
        all.extend_from_slice(headers);
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let answer = self.wire.post(&path, &all, body).await;
        answer.unwrap_or_else(|error| panic!("{path} did not answer: {error}"))
    }

    /// Posts a message; whatever it is, the service does not break. Returns the code.
    async fn send(&self, method: &MethodDescriptor, what: &str, message: &[u8]) -> Code {
        self.attack(method, what, &[], frame(message)).await
    }

    /// Posts a body; whatever it is, the service does not break. Returns the code.
    async fn attack(
        &self,
        method: &MethodDescriptor,
        what: &str,
        headers: &[(&str, &[u8])],
        body: Vec<u8>,
    ) -> Code {
        let answer = self.post(method, headers, body).await;
        let status = answer.status();
        let name = raw::operation(method);
        assert_eq!(answer.http, 200, "{name}: {what}");
        let ours = !matches!(status.code(), Code::Internal | Code::Unknown | Code::Unavailable);
        assert!(ours, "{name}: {what} made {status:?}");
        let about_access = matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied);
        assert!(
            !about_access || name == "TokenService/IssueToken",
            "{name}: {what} did not even reach it: {status:?}"
        );
        status.code()
    }

    /// Like [`Self::attack`], for what can't be read as a message at all.
    async fn expect_unreadable(
        &self,
        method: &MethodDescriptor,
        what: &str,
        headers: &[(&str, &[u8])],
        body: Vec<u8>,
    ) {
        let status = self.post(method, headers, body).await.status();
        let name = raw::operation(method);
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {what}: {status:?}");
        let reason = status.get_error_details().error_info().unwrap().reason.clone();
        assert_eq!(reason, "INVALID_ARGUMENT", "{name}: {what}");
    }

    /// Everybody else is served as ever.
    async fn lift(self) {
        self.tenant.befriend("alice", "bob").await.unwrap();
        assert_eq!(self.tenant.friends_of("bob").await.unwrap(), ["alice"]);
    }
}

/// A number as protobuf writes it.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// A field with its number, its wire type and the bytes that follow.
fn field(number: u32, wire_type: u32, value: &[u8]) -> Vec<u8> {
    [&varint(u64::from(number << 3 | wire_type)), value].concat()
}

/// A field of bytes.
fn delimited(number: u32, value: &[u8]) -> Vec<u8> {
    field(number, 2, &[&varint(value.len() as u64), value].concat())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_empty_or_random_message_breaks_no_method() {
    let siege = Siege::lay().await;
    // The same every time: a failure can be looked into.
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
    for method in raw::methods() {
        siege.send(&method, "an empty message", &[]).await;
        for _ in 0..20 {
            let mut message = vec![0; random.next_u32() as usize % 200];
            random.fill_bytes(&mut message);
            siege.send(&method, &format!("{message:02x?}"), &message).await;
        }
    }
    siege.lift().await;
}

#[tokio::test]
async fn fields_of_the_wrong_type_break_no_method() {
    let siege = Siege::lay().await;
    for method in raw::methods() {
        for number in 1..=5 {
            for (wire_type, value) in [
                (0, &[0xff; 9][..]),                  // A number without an end,
                (0, &[0xff; 12]),                     // and one that is too long.
                (1, &[0xff; 8]),                      // Eight bytes,
                (1, &[0xff; 3]),                      // and fewer.
                (2, &[0x80, 0x80, 0x80, 0x80, 0x7f]), // A string longer than the message,
                (2, &[2, 0xff, 0xfe]),                // and one that is no UTF-8.
                (3, &[]),                             // A group without an end,
                (4, &[]),                             // an end without a group,
                (5, &[1, 2, 3, 4]),                   // four bytes,
                (6, &[1]),                            // and types that are none.
                (7, &[1]),
            ] {
                let message = field(number, wire_type, value);
                siege.send(&method, &format!("{message:02x?}"), &message).await;
            }
        }
        // Field numbers at both ends of what there is.
        for key in [0, 7, u64::from(u32::MAX), u64::MAX] {
            siege.send(&method, "a strange key", &varint(key)).await;
        }
    }
    siege.lift().await;
}

#[tokio::test]
async fn deep_nesting_breaks_no_method() {
    let siege = Siege::lay().await;
    for method in raw::methods() {
        for number in 1..=3 {
            let nested = (0..200).fold(Vec::new(), |inner, _| delimited(number, &inner));
            siege.send(&method, "200 messages in each other", &nested).await;
        }
        // Unknown groups, which a reader skips by going into them.
        let groups = [field(99, 3, &[]).repeat(10_000), field(99, 4, &[]).repeat(10_000)].concat();
        siege.expect_unreadable(&method, "10000 groups in each other", &[], frame(&groups)).await;
    }
    siege.lift().await;
}

#[tokio::test]
async fn huge_fields_break_no_method() {
    let siege = Siege::lay().await;
    let huge = "x".repeat(MAX_MESSAGE - 100);
    for method in raw::methods() {
        for known in method.input().fields() {
            let message = match known.kind() {
                Kind::String => delimited(known.number(), huge.as_bytes()),
                Kind::Message(_) => delimited(known.number(), &delimited(1, huge.as_bytes())),
                _ => field(known.number(), 0, &varint(u64::MAX)),
            };
            siege.send(&method, known.name(), &message).await;
            if known.is_list() {
                let many = delimited(known.number(), b"").repeat(100_000);
                let code = siege.send(&method, "100000 empty entries", &many).await;
                assert_eq!(code, Code::InvalidArgument);
            }
        }
    }
    siege.lift().await;
}

#[tokio::test]
async fn a_message_above_the_bound_is_refused() {
    let siege = Siege::lay().await;
    let over = delimited(1, &vec![b'x'; MAX_MESSAGE]);
    for method in raw::methods() {
        siege.expect_unreadable(&method, "1 MiB and a bit", &[], frame(&over)).await;
        // It is refused for what it says it will be, before it comes.
        let says = frame_that_says(0, u32::MAX, b"a bit");
        siege.expect_unreadable(&method, "4 GiB, as it says", &[], says).await;
    }
    siege.lift().await;
}

#[tokio::test]
async fn what_unpacks_to_more_than_the_bound_is_refused() {
    let siege = Siege::lay().await;
    let bomb = gzip(&vec![0; 64 * MAX_MESSAGE]);
    assert!(bomb.len() < MAX_MESSAGE, "its parcel is small");
    let bomb = frame_that_says(1, u32::try_from(bomb.len()).unwrap(), &bomb);
    for method in raw::methods() {
        let headers: [(&str, &[u8]); 1] = [("grpc-encoding", b"gzip")];
        siege.expect_unreadable(&method, "a bomb", &headers, bomb.clone()).await;
    }
    siege.lift().await;
}

#[tokio::test]
async fn what_can_not_be_unpacked_is_refused() {
    let siege = Siege::lay().await;
    let packed = gzip(b"\x0a\x05alice");
    let whole = u32::try_from(packed.len()).unwrap();
    let encoded: [(&str, &[u8]); 1] = [("grpc-encoding", b"gzip")];
    for method in raw::methods() {
        let half = frame_that_says(1, whole / 2, &packed[..packed.len() / 2]);
        siege.expect_unreadable(&method, "half a parcel", &encoded, half).await;
        let rubbish = frame_that_says(1, 7, b"rubbish");
        siege.expect_unreadable(&method, "no parcel", &encoded, rubbish).await;
        let unsaid = frame_that_says(1, whole, &packed);
        siege.expect_unreadable(&method, "a parcel of no kind", &[], unsaid.clone()).await;
        let unknown: [(&str, &[u8]); 1] = [("grpc-encoding", b"snappy")];
        let code = siege.attack(&method, "an unknown kind", &unknown, unsaid).await;
        assert_eq!(code, Code::Unimplemented);
    }
    siege.lift().await;
}

#[tokio::test]
async fn a_body_that_is_not_one_whole_frame_breaks_no_method() {
    let siege = Siege::lay().await;
    let message = delimited(1, b"nobody");
    let len = u32::try_from(message.len()).unwrap();
    for method in raw::methods() {
        siege.expect_unreadable(&method, "no frame", &[], Vec::new()).await;
        siege.expect_unreadable(&method, "half a head", &[], vec![0, 0, 0]).await;
        let short = frame_that_says(0, len + 1, &message);
        siege.expect_unreadable(&method, "a frame that ends early", &[], short).await;
        let strange = frame_that_says(9, len, &message);
        siege.expect_unreadable(&method, "a frame of no kind", &[], strange).await;
        let rest = frame_that_says(0, len - 1, &message);
        siege.attack(&method, "bytes after the frame", &[], rest).await;
        siege.attack(&method, "two frames", &[], frame(&message).repeat(2)).await;
    }
    siege.lift().await;
}

#[tokio::test]
async fn a_timeout_that_is_none_is_refused() {
    let siege = Siege::lay().await;
    for method in raw::methods() {
        for timeout in [&b""[..], b"5", b"m", b"-5m", b"123456789m", b"5x", b"5 S", b"\xff\xfe"] {
            let headers = [("grpc-timeout", timeout)];
            siege.expect_unreadable(&method, "a timeout", &headers, frame(&[])).await;
        }
        // One that is over before it begins, and one that outlives the universe.
        siege.attack(&method, "no time", &[("grpc-timeout", b"0n")], frame(&[])).await;
        siege.attack(&method, "all time", &[("grpc-timeout", b"99999999H")], frame(&[])).await;
    }
    siege.lift().await;
}

#[tokio::test]
async fn strange_credentials_are_no_credentials() {
    let siege = Siege::lay().await;
    let long = format!("Bearer {}", "x".repeat(8_000));
    for method in raw::methods() {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        for strange in
            [&b"Bearer \xff\xfe\xfd"[..], "Bearer ключ".as_bytes(), b"\x09", long.as_bytes()]
        {
            let headers = [("authorization", strange)];
            let answer = siege.wire.post(&path, &headers, frame(&[])).await.unwrap();
            assert_eq!(answer.status().code(), Code::Unauthenticated, "{path}");
        }
    }
    // Metadata above the bound is the caller's fault; beyond all bounds it ends the call.
    let path = "/befriend.v1.UserService/GetUser";
    for (length, taken) in [(15_000, true), (16_500, false), (100_000, false), (250_000, false)] {
        let long = "x".repeat(length);
        let answer = siege.wire.post(path, &[("x-long", long.as_bytes())], frame(&[])).await;
        let status = answer.unwrap().status();
        let code = if taken { Code::Unauthenticated } else { Code::ResourceExhausted };
        assert_eq!(status.code(), code, "{length}: {status:?}");
    }
    let endless = "x".repeat(1_000_000);
    let headers = [("authorization", endless.as_bytes())];
    let answer = siege.wire.post(path, &headers, frame(&[])).await;
    assert!(answer.map_or(true, |answer| answer.http == 431), "it was taken");
    siege.lift().await;
}
