//! The commands in the documents' ```sh blocks work.
//!
//! These tests do not run the commands. They check what goes out of date: a make target or a script that
//! no longer exists, a flag that has another name, a call whose message has other fields.

use std::{fs, path::Path};

use befriend::{cli::Cli, proto::DESCRIPTORS};
use clap::CommandFactory as _;
use prost_reflect::{DescriptorPool, MessageDescriptor};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A command of a document: the words of one line. Continued lines are joined.
struct Line {
    document: String,
    words: Vec<String>,
}

/// Splits a line into words as a shell does: with quotes, but without nesting.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word = String::new();
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('"'), '\\') => word.extend(chars.next()),
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if word.is_empty() => break,
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (Some(open), c) if c == open => quote = None,
            (_, c) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn documents() -> Vec<String> {
    let top = ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"];
    let mut found: Vec<String> = top.map(str::to_owned).to_vec();
    for entry in fs::read_dir(Path::new(ROOT).join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            found.push(format!("docs/{name}"));
        }
    }
    found
}

/// All commands of all ```sh blocks.
fn commands() -> Vec<Line> {
    let mut lines = vec![];
    for document in documents() {
        let text = fs::read_to_string(Path::new(ROOT).join(&document)).unwrap();
        for block in text.split("```sh\n").skip(1) {
            let block = block.split("```").next().unwrap().replace("\\\n", " ");
            for line in block.lines().flat_map(|line| line.split(" && ")) {
                let words = words(line);
                if !words.is_empty() {
                    lines.push(Line { document: document.clone(), words });
                }
            }
        }
    }
    lines
}

#[test]
fn every_make_target_in_the_documents_exists() {
    let makefile = fs::read_to_string(Path::new(ROOT).join("Makefile")).unwrap();
    let mut seen = 0;
    for line in commands().iter().filter(|line| line.words[0] == "make") {
        for target in line.words[1..].iter().filter(|word| !word.contains('=')) {
            let there = makefile.lines().any(|l| l.starts_with(&format!("{target}:")));
            assert!(there, "{}: make {target}", line.document);
            seen += 1;
        }
    }
    assert!(seen > 1, "make run and make test stand in the README");
}

#[test]
fn every_make_target_that_ci_and_the_makefile_name_exists() {
    let makefile = fs::read_to_string(Path::new(ROOT).join("Makefile")).unwrap();
    let phony = makefile.lines().find_map(|line| line.strip_prefix(".PHONY: ")).unwrap();
    let ci = fs::read_to_string(Path::new(ROOT).join(".ci/run")).unwrap();
    let of_ci: Vec<&str> = ci.lines().filter_map(|line| line.strip_prefix("step make ")).collect();
    assert!(of_ci.len() > 3, "CI runs make: {of_ci:?}");
    for target in phony.split(' ').chain(of_ci) {
        let is_there = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
        assert!(is_there, "there is no make {target}");
    }
}

#[test]
fn every_script_in_the_documents_exists() {
    let scripts = commands();
    for line in &scripts {
        for word in line.words.iter().filter(|word| word.starts_with("scripts/")) {
            assert!(Path::new(ROOT).join(word).exists(), "{}: {word}", line.document);
        }
    }
}

#[test]
fn every_befriend_command_in_the_documents_is_one() {
    let mut seen = 0;
    for line in commands() {
        let at =
            line.words.iter().position(|word| word == "befriend" || word.ends_with("/befriend"));
        // "docker-compose exec befriend befriend …": the last one is the binary.
        let Some(first) = at.filter(|_| !line.words[0].starts_with("docker")) else { continue };
        let words: Vec<&str> = line.words[first..].iter().map(String::as_str).collect();
        let words = words.split(|word| ["|", ">", "&"].contains(word)).next().unwrap();
        // What the reader fills in.
        let filled =
            words.iter().map(|word| if word.contains("...") { "postgres://x" } else { word });
        if let Err(error) = Cli::command().try_get_matches_from(filled) {
            use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
            assert!(
                matches!(error.kind(), DisplayHelp | DisplayVersion),
                "{}: {words:?}: {error}",
                line.document
            );
        }
        seen += 1;
    }
    assert!(seen > 0, "the README shows the binary's commands");
}

#[test]
fn every_call_in_the_documents_names_a_method_and_members_that_exist() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let mut seen = 0;
    for line in commands() {
        let Some(path) = line.words.iter().find_map(|word| word.strip_prefix("befriend.v1."))
        else {
            continue;
        };
        // A shell function takes the method as its argument.
        let Some((service, method)) = path.split_once('/').filter(|(_, m)| !m.starts_with('$'))
        else {
            continue;
        };
        let service = pool.get_service_by_name(&format!("befriend.v1.{service}"));
        let method = service.and_then(|s| s.methods().find(|m| m.name() == method));
        let method = method.unwrap_or_else(|| panic!("{}: there is no {path}", line.document));
        seen += 1;
        let Some(at) = line.words.iter().position(|word| word == "-d") else { continue };
        let message = line.words[at + 1].clone();
        let message: serde_json::Value = serde_json::from_str(&message)
            .unwrap_or_else(|error| panic!("{}: {message}: {error}", line.document));
        has_members(&line.document, &method.input(), &message);
    }
    assert!(seen > 2, "the README shows calls");
}

fn has_members(document: &str, descriptor: &MessageDescriptor, message: &serde_json::Value) {
    for (name, value) in message.as_object().unwrap() {
        let field = descriptor
            .get_field_by_name(name)
            .or_else(|| descriptor.get_field_by_json_name(name))
            .unwrap_or_else(|| panic!("{document}: {} has no {name}", descriptor.full_name()));
        if let (prost_reflect::Kind::Message(inner), true) = (field.kind(), value.is_object()) {
            has_members(document, &inner, value);
        }
    }
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    for document in documents() {
        let text = fs::read_to_string(Path::new(ROOT).join(&document)).unwrap();
        let folder = Path::new(ROOT).join(&document).parent().unwrap().to_owned();
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap();
            if link.is_empty() || link.contains("://") || link.contains(' ') {
                continue;
            }
            assert!(folder.join(link).exists(), "{document}: {link}");
        }
    }
}
