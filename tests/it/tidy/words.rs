//! What every file begins with, what no file holds, and what things are called.

use syn::visit::{self, Visit};

use super::{Source, none, sources, typescript};

/// What no file holds, neither ours nor the tests'.
const NOWHERE: &[&str] =
    &["#[allow", "#![allow", "todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX", "HACK"];

/// The one place of the tests that waits by the clock, for processes that have no other signal.
const POLLING: &str = "tests/it/support/process.rs";

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["util", "helper", "manager", "misc"];

/// How many words the name of a test has at least: a rule has a subject and a verb.
const WORDS_OF_A_TEST: usize = 3;

fn untitled(source: &Source) -> Option<String> {
    let begins = match source.path.rsplit_once('.') {
        Some((_, "rs")) => "//! ",
        Some((_, "sql")) => "-- ",
        Some((_, "ts" | "mjs")) => "// ",
        _ => "# ",
    };
    let mut lines = source.text.lines().skip_while(|line| line.starts_with("#!/"));
    let first = lines.next().unwrap_or_default();
    let is_titled = first.strip_prefix(begins).is_some_and(|line| line.len() > 10);
    (!is_titled).then(|| source.path.clone())
}

#[test]
fn every_file_says_at_its_top_what_it_is_for() {
    none(
        sources(&["src", "tests", "benches", "examples", "clients/rust"], ".rs")
            .iter()
            .filter_map(untitled),
    );
    none(sources(&["migrations"], ".sql").iter().filter_map(untitled));
    none(sources(&["scripts", ".ci"], "").iter().filter_map(untitled));
    none(typescript().iter().filter_map(untitled));
}

fn marks(source: &Source) -> Vec<String> {
    let lines = (1..).zip(source.text.lines());
    lines
        .flat_map(|(number, line)| {
            let marks = NOWHERE.iter().filter(move |mark| line.contains(**mark));
            marks.map(move |mark| format!("{}:{number}: {mark}", source.path))
        })
        .collect()
}

#[test]
fn nothing_is_left_to_do_and_no_lint_is_silenced_without_a_word() {
    let all = sources(
        &["src", "tests", "benches", "examples", "clients/rust", "proto", "migrations"],
        "",
    );
    none(all.iter().filter(|source| !source.is_in(&["tests/it/tidy/words.rs"])).flat_map(marks));
    none(typescript().iter().flat_map(marks));
}

fn waits(source: &Source) -> Option<String> {
    let waits = |line: &str| line.contains("sleep(") || line.contains("sleep_until(");
    source.code().any(waits).then(|| source.path.clone())
}

#[test]
fn no_test_waits_by_the_clock() {
    let all = sources(&["tests"], ".rs");
    none(all.iter().filter(|s| !s.is_in(&[POLLING, "tests/it/tidy/words.rs"])).filter_map(waits));
}

/// The names of everything that a file defines, and those of its tests.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    tests: Vec<String>,
}

impl Names {
    fn of(source: &Source) -> Self {
        let mut names = Self::default();
        names.visit_file(&source.syntax());
        names
    }
}

impl Visit<'_> for Names {
    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        let is_test = |path: &syn::Path| path.segments.last().is_some_and(|s| s.ident == "test");
        if item.attrs.iter().any(|attribute| is_test(attribute.path())) {
            self.tests.push(item.sig.ident.to_string());
        }
        visit::visit_item_fn(self, item);
    }

    fn visit_ident(&mut self, ident: &proc_macro2::Ident) {
        self.all.push(ident.to_string());
    }

    // Not ours to name.
    fn visit_path(&mut self, _: &syn::Path) {}
    fn visit_item_use(&mut self, _: &syn::ItemUse) {}
    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        self.visit_expr(&call.receiver);
        call.args.iter().for_each(|argument| self.visit_expr(argument));
    }
}

fn empty_names(source: &Source) -> Vec<String> {
    let names = Names::of(source).all.into_iter().chain([source.path.clone()]);
    let says_nothing = |name: &String| {
        let name = name.to_lowercase();
        EMPTY_NAMES.iter().any(|word| name.contains(word))
    };
    names.filter(says_nothing).map(|name| format!("{}: {name}", source.path)).collect()
}

#[test]
fn no_name_says_nothing() {
    none(
        sources(&["src", "tests", "benches", "examples", "clients/rust"], ".rs")
            .iter()
            .flat_map(empty_names),
    );
}

fn tests_that_tell_no_rule(source: &Source) -> Vec<String> {
    let tests = Names::of(source).tests.into_iter();
    tests
        .filter(|name| name.split('_').count() < WORDS_OF_A_TEST)
        .map(|name| format!("{}: {name}", source.path))
        .collect()
}

#[test]
fn the_name_of_every_test_is_a_sentence() {
    none(sources(&["src", "tests"], ".rs").iter().flat_map(tests_that_tell_no_rule));
}

mod self_test {
    use super::*;

    #[test]
    fn a_file_without_a_title_is_found() {
        let found = |path, text| untitled(&Source::new(path, text)).is_some();
        assert!(found("a.rs", "use std::fs;\n//! What it is for."));
        assert!(found("a.rs", "//! Short.\n"));
        assert!(!found("a.rs", "//! What it is for.\n"));
        assert!(found("scripts/a", "#!/bin/sh\nset -eu\n"));
        assert!(!found("scripts/a", "#!/bin/sh\n# What it is for.\n"));
        assert!(found("a.sql", "create table a ();"));
    }

    #[test]
    fn a_mark_is_found() {
        assert_eq!(marks(&Source::new("a.rs", "fn a() {}\n// TODO: all")), ["a.rs:2: TODO"]);
        assert_eq!(marks(&Source::new("a.rs", "#[allow(dead_code)]")).len(), 1);
    }

    #[test]
    fn a_test_that_sleeps_is_found() {
        assert!(waits(&Source::new("a.rs", "tokio::time::sleep(A_WHILE).await;")).is_some());
        assert!(waits(&Source::new("a.rs", "// It does not sleep().")).is_none());
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        let found = |path, text| empty_names(&Source::new(path, text));
        assert_eq!(found("a.rs", "struct UserManager;"), ["a.rs: UserManager"]);
        assert_eq!(found("a.rs", "fn f() { let helper = 1; }"), ["a.rs: helper"]);
        assert_eq!(found("src/utils.rs", ""), ["src/utils.rs: src/utils.rs"]);
        assert!(found("a.rs", "use other::Manager; fn f(_: Manager) {}").is_empty());
    }

    #[test]
    fn a_test_whose_name_is_no_sentence_is_found() {
        let text = "#[test] fn it_works() {} #[tokio::test] async fn a_full_list_refuses() {}";
        assert_eq!(tests_that_tell_no_rule(&Source::new("a.rs", text)), ["a.rs: it_works"]);
    }
}
