//! The house rules of CONTRIBUTING.md that a compiler does not check.
//!
//! Each check is a function from source text to the places that break its rule, with a test that runs
//! the check on the repository, and one that runs it on text that breaks the rule.

mod circles;
mod dependencies;
mod layers;
mod references;
mod sizes;
mod sql;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

struct Source {
    /// Relative to the checkout, as "src/ops/friends.rs".
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The file as Rust's syntax.
    fn syntax(&self) -> syn::File {
        syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    /// The lines of code, without those that are comments.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| {
            let line = line.trim_start();
            !line.starts_with("//") && !line.starts_with("--")
        })
    }

    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

/// These files, and all files below these folders but generated ones, whose names end so; sorted.
fn sources(places: &[&str], ending: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    for place in places {
        collect(&Path::new(ROOT).join(place), &mut paths);
    }
    paths.retain(|path| path.to_str().unwrap().ends_with(ending));
    paths.sort();
    assert!(!paths.is_empty(), "no files in {places:?}");
    paths
        .into_iter()
        .map(|path| Source {
            text: String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
            path: path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned(),
        })
        .collect()
}

/// The files of the client for TypeScript, and of its tests, that a person wrote.
fn typescript() -> Vec<Source> {
    let mut all = sources(&["clients/typescript/src"], ".ts");
    all.extend(sources(&["clients/typescript/test"], ".mjs"));
    all.extend(sources(&["clients/typescript/examples"], ".ts"));
    all
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        files.push(path.to_owned());
        return;
    }
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        // Another program wrote what is in there.
        if !path.ends_with("src/generated") {
            collect(&path, files);
        }
    }
}

/// Fails with the places that break a rule, a line each.
#[track_caller]
fn none(culprits: impl IntoIterator<Item = String>) {
    let culprits: Vec<String> = culprits.into_iter().collect();
    assert!(culprits.is_empty(), "\n{}", culprits.join("\n"));
}
