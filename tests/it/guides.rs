//! The migration guides, the first steps, the page about JSON, and what the README shows of HTTP: each ```sh block is run as it stands, in
//! order, against a fresh demo, and the ```json block behind it has the answers that come.

use std::{
    env, fs, iter, os::unix::fs::PermissionsExt as _, path::Path, process::Command, process::Stdio,
};

use befriend::proto::DESCRIPTORS;
use prost_reflect::DescriptorPool;
use serde_json::Value;

use crate::support::{
    TestApp,
    easemob::description,
    process::{self, BINARY, Folder, Service},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const EASEMOB: &str = "docs/migrating-from-easemob.md";
const NETEASE: &str = "docs/migrating-from-netease.md";
const JSON: &str = "docs/http-json.md";
const START: &str = "docs/getting-started.md";

/// Where befriend listens in the documents.
const SHOWN: &str = "127.0.0.1:50051";

/// Stands between the outputs of two blocks.
const END: &str = "-- the block ends here --";

/// Members that hold another number each time.
const TIMES: &[&str] =
    &["created", "modified", "createtime", "updatetime", "timestamp", "duration"];

/// A block of commands, and what the document says that they answer.
struct Step {
    commands: String,
    answers: Vec<Value>,
}

fn read(document: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(document)).unwrap()
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = vec![];
    let mut answerable = false;
    for block in read(document).split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        if language == "json" {
            assert!(answerable, "{document}: what asks for this?\n{text}");
            let answers = serde_json::Deserializer::from_str(text).into_iter();
            steps.last_mut().unwrap().answers = answers
                .collect::<Result<_, _>>()
                .unwrap_or_else(|error| panic!("{document}: {error}:\n{text}"));
        }
        answerable = language == "sh";
        if answerable {
            steps.push(Step { commands: text.to_owned(), answers: vec![] });
        }
    }
    steps
}

/// Runs the steps in one shell against a demo of their own, and compares what they print.
fn try_out(document: &str, steps: &[Step]) {
    assert!(steps.iter().any(|step| step.commands.contains("curl ")), "{document} has no curl");
    let folder = Folder::new();
    let mut demo = process::serve(&folder.data());
    demo.arg("--demo");
    let demo = Service::spawn(demo);
    demo.logs("serving");
    let address = demo.address().to_string();

    let blocks = steps.iter().map(|step| format!("{}\nprintf '\\n{END}\\n'\n", step.commands));
    let script = blocks.collect::<String>().replace(SHOWN, &address);
    let path = env::var_os("PATH").unwrap_or_default();
    let binary = Path::new(BINARY).parent().unwrap().to_owned();
    let path = env::join_paths(iter::once(binary).chain(env::split_paths(&path))).unwrap();
    let mut shell = Command::new("sh");
    // What reads a variable that no block sets, or fails, ends it.
    shell.args(["-eu", "-c", &script]).current_dir(&folder.0).stdin(Stdio::null()).env_clear();
    for name in ["HOME", "LD_LIBRARY_PATH", "PG_BIN_DIR"] {
        shell.envs(env::var_os(name).map(|value| (name, value)));
    }
    shell.env("PATH", path).env("BEFRIEND_DATA_DIR", folder.data());
    let output = shell.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{document}: {said}\n{printed}");

    let outputs: Vec<&str> = printed.split(&format!("\n{END}\n")).collect();
    assert_eq!(outputs.len(), steps.len() + 1, "{document}: {printed}");
    for (step, output) in steps.iter().zip(outputs).filter(|(step, _)| !step.answers.is_empty()) {
        let context = format!("{document}:\n{}answers\n{output}", step.commands);
        let got: Result<Vec<Value>, _> =
            serde_json::Deserializer::from_str(output).into_iter().collect();
        let got = got.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(got.len(), step.answers.len(), "{context}");
        for (shown, got) in step.answers.iter().zip(&got) {
            compare(shown, got, &address, &context);
        }
    }
}

/// What is shown and what came have the same members in the same order, and the same values but for
/// times and for what "…" stands in the place of.
#[track_caller]
fn compare(shown: &Value, got: &Value, address: &str, context: &str) {
    match (shown, got) {
        (Value::Object(shown), Value::Object(got)) => {
            let names = |object: &serde_json::Map<_, _>| object.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(shown), names(got), "{context}");
            for ((name, shown), got) in shown.iter().zip(got.values()) {
                if TIMES.contains(&name.as_str()) {
                    assert!(shown.is_u64() && got.is_u64(), "{name}: {context}");
                } else {
                    compare(shown, got, address, context);
                }
            }
        }
        (Value::Array(shown), Value::Array(got)) => {
            assert_eq!(shown.len(), got.len(), "{context}");
            for (shown, got) in shown.iter().zip(got) {
                compare(shown, got, address, context);
            }
        }
        (Value::String(shown), Value::String(got)) => {
            assert!(fits(&shown.replace(SHOWN, address), got), "{shown} and {got}: {context}");
        }
        _ => assert_eq!(shown, got, "{context}"),
    }
}

/// Whether a text is the pattern, in which "…" stands for some characters.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, more)) = pattern.split_once('…') else { return pattern == text };
    let Some(rest) = text.strip_prefix(start) else { return false };
    let mut ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.any(|end| fits(more, &rest[end..]))
}

#[test]
fn an_ellipsis_stands_for_some_characters() {
    for (pattern, text) in [("a", "a"), ("…", "abc"), ("/a/…/b", "/a/x/y/b"), ("bft_…", "bft_1")]
    {
        assert!(fits(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [("a", "b"), ("…", ""), ("/a/…/b", "/a/x/c"), ("bft_…", "bft_")] {
        assert!(!fits(pattern, text), "{pattern} {text}");
    }
}

#[test]
fn the_guide_for_easemob_gets_the_answers_that_it_shows() {
    try_out(EASEMOB, &steps(EASEMOB));
}

#[test]
fn the_guide_for_netease_gets_the_answers_that_it_shows() {
    try_out(NETEASE, &steps(NETEASE));
}

#[test]
fn the_page_about_json_gets_the_answers_that_it_shows() {
    try_out(JSON, &steps(JSON));
}

#[test]
fn the_first_steps_get_the_answers_that_they_show() {
    try_out(START, &steps(START));
}

#[test]
fn the_readme_gets_the_answers_that_it_shows_of_http() {
    let mut steps = steps("README.md");
    steps.retain(|step| step.commands.split_whitespace().any(|word| word.ends_with("curl")));
    steps.retain(|step| !step.commands.contains("grpcurl"));
    try_out("README.md", &steps);
}

#[test]
fn the_readmes_block_about_callbacks_finds_the_operators_token_and_shows_events() {
    let block = steps("README.md");
    let block = block.iter().find(|step| step.commands.contains("befriend receiver")).unwrap();
    let folder = Folder::new();
    let mut demo = process::serve(&folder.data());
    demo.arg("--demo");
    let demo = Service::spawn(demo);
    demo.logs("serving");
    // A machine without grpcurl has to know what it would be asked for.
    let programs = folder.0.join("bin");
    fs::create_dir(&programs).unwrap();
    let asked = folder.0.join("asked");
    let stand_in = format!("#!/bin/sh\necho \"$*\" >>'{}'\n", asked.display());
    fs::write(programs.join("grpcurl"), stand_in).unwrap();
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(programs.join("grpcurl"), executable).unwrap();

    let path = env::var_os("PATH").unwrap_or_default();
    let binary = Path::new(BINARY).parent().unwrap().to_owned();
    let path = [programs, binary].into_iter().chain(env::split_paths(&path));
    let mut shell = Command::new("sh");
    let script = format!("trap 'kill $receiver' EXIT\n{}", block.commands);
    let script = script.replace("receiver &", "receiver & receiver=$!");
    shell.args(["-eu", "-c", &script]).stdin(Stdio::null()).env_clear();
    for name in ["HOME", "LD_LIBRARY_PATH", "PG_BIN_DIR"] {
        shell.envs(env::var_os(name).map(|value| (name, value)));
    }
    shell.env("PATH", env::join_paths(path).unwrap()).env("BEFRIEND_DATA_DIR", folder.data());
    shell.env("BEFRIEND_RECEIVER_LISTEN", "127.0.0.1:0");
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let asked = fs::read_to_string(asked).unwrap();
    let token = fs::read_to_string(folder.data().join("operator-token")).unwrap();
    assert!(asked.contains(&format!("authorization: Bearer {token} -d ")), "{asked}");
    assert!(asked.contains("authorization: Bearer bft_"), "{asked}");
}

#[tokio::test]
async fn every_call_of_the_http_apis_stands_in_its_guide() {
    let (easemob, netease) = (read(EASEMOB), read(NETEASE));
    let app = TestApp::start().await;
    let description = description(&app.url).await;
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if let Some(path) = path.strip_prefix("/{org_name}/{app_name}") {
                let call = format!("`{} {path}`", method.to_uppercase());
                assert!(easemob.contains(&call), "{EASEMOB} lacks {call}");
            } else if let Some(path) = path.strip_prefix("/nimserver") {
                let call = format!("{path}`");
                assert!(netease.contains(&call), "{NETEASE} lacks {call}");
            }
        }
    }
}

#[test]
fn the_guides_name_methods_and_reasons_that_exist() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let methods: Vec<String> = pool
        .services()
        .flat_map(|service| {
            let name = service.name().to_owned();
            service.methods().map(|m| format!("{name}/{}", m.name())).collect::<Vec<_>>()
        })
        .collect();
    let reasons = pool.get_enum_by_name("befriend.v1.ErrorReason").unwrap();
    let is_reason =
        |name: &str| reasons.values().any(|reason| reason.name() == format!("ERROR_REASON_{name}"));
    for document in [EASEMOB, NETEASE] {
        let mut seen = 0;
        for code in read(document).split('`').skip(1).step_by(2) {
            if code.contains("Service/") && !code.contains(' ') {
                assert!(methods.iter().any(|method| method == code), "{document}: {code}");
                seen += 1;
            }
        }
        assert!(seen > 5, "{document} names methods");
        let rows = read(document);
        let rows = rows.lines().filter(|line| line.starts_with("| 4") || line.starts_with("| 5"));
        let cells = rows.map(|row| row.trim_end_matches('|').rsplit('|').next().unwrap());
        for reason in cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
            assert!(is_reason(reason), "{document}: {reason}");
        }
    }
}
