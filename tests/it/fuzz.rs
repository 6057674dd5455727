//! The fuzz targets of `fuzz/`, with the inputs of the corpus and with random changes of them. `make fuzz`
//! runs the same targets for longer, guided by coverage.

#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

use std::{fs, net::SocketAddr, path::Path};

use befriend::clock::Clock;
use proptest::{
    prelude::Rng as _,
    test_runner::{RngAlgorithm, TestRng},
};

use self::targets::{
    answers, parsers,
    site::{FLAGS, Site},
    surfaces,
};
use crate::support::{TestApp, app::OPERATOR_TOKEN};

/// How many random inputs each target gets.
const RANDOM: usize = 300;

/// The inputs of a target's corpus, and random changes of them: the same in each run.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(folder).expect("a target has a corpus");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let corpus: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).expect("a file")).collect();
    assert!(!corpus.is_empty(), "{target}: the corpus is empty");
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let changed = (0..RANDOM).map(|n| changed(&mut rng, &corpus, n % corpus.len()));
    corpus.iter().cloned().chain(changed.collect::<Vec<_>>()).collect()
}

/// One input of the corpus after one to four random changes.
fn changed(rng: &mut TestRng, corpus: &[Vec<u8>], at: usize) -> Vec<u8> {
    let mut input = corpus[at].clone();
    for _ in 0..=below(rng, 4) {
        let place = below(rng, input.len() + 1);
        let byte = rng.next_u32().to_le_bytes()[0];
        match below(rng, 5) {
            0 => input.insert(place, byte),
            1 if place < input.len() => input[place] = byte,
            2 => input.truncate(place),
            3 => {
                let other = &corpus[below(rng, corpus.len())];
                let from = below(rng, other.len() + 1);
                input.splice(place.., other[from..].iter().copied());
            }
            _ => input = [&input[..place], &input].concat(),
        }
        input.truncate(4096);
    }
    input
}

/// A random number below `bound`.
fn below(rng: &mut TestRng, bound: usize) -> usize {
    usize::try_from(rng.next_u32()).expect("32 bits fit") % bound
}

async fn site() -> (TestApp, Site) {
    let app = TestApp::with(FLAGS, Clock::system()).await;
    let address: SocketAddr = app.url.trim_start_matches("http://").parse().expect("an address");
    let site = Site::prepare(address, OPERATOR_TOKEN, "fuzz#app").await;
    (app, site)
}

#[tokio::test]
async fn whatever_a_grpc_call_holds_is_not_an_internal_error() {
    let (_app, site) = site().await;
    for input in inputs("grpc") {
        surfaces::grpc(&site, &input).await;
    }
}

#[tokio::test]
async fn whatever_an_http_request_holds_is_not_an_internal_error() {
    let (_app, site) = site().await;
    for input in inputs("http") {
        surfaces::http(&site, &input).await;
    }
}

#[tokio::test]
async fn whatever_frames_come_others_are_served_on() {
    let (_app, site) = site().await;
    for input in inputs("frames") {
        surfaces::frames(&site, &input).await;
    }
    surfaces::http(&site, b"\x02GET /openapi.json\n").await;
}

#[tokio::test]
async fn whatever_a_receiver_answers_is_a_recorded_attempt() {
    let (_app, site) = site().await;
    for input in inputs("receiver") {
        answers::receiver(&site, &input).await;
    }
}

#[tokio::test]
async fn whatever_a_vendor_answers_a_pull_ends() {
    for input in inputs("vendor") {
        answers::vendor(&input).await;
    }
}

#[test]
fn whatever_a_file_holds_is_read_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    for input in inputs("file") {
        parsers::file(&folder.path().join("file"), &input);
    }
}

#[test]
fn whatever_a_page_token_holds_is_read_or_refused() {
    for input in inputs("page_token") {
        parsers::page_token(&input);
    }
}

#[tokio::test]
async fn whatever_settings_say_is_taken_or_refused() {
    for input in inputs("settings") {
        parsers::settings(&input).await;
    }
}
