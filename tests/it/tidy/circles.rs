//! No circle between the files of the crate: each file can be read after those that it uses.
//!
//! Two files make a circle when each names items of the other, directly or by way of further files. A
//! module that declares another, or passes its items on by `pub use`, does not use it by that alone.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    none,
    references::{Crate, Reference},
};

/// The references that lie on a circle, for each pair of files one line with the items.
fn circles(references: &BTreeSet<Reference>) -> Vec<String> {
    let mut used: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for Reference { from, to, item, in_tests } in references {
        if !in_tests {
            used.entry(from).or_default().entry(to).or_default().insert(item);
        }
    }
    let below = |file| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![file]);
        while let Some(file) = open.pop() {
            let files = used.get(file).into_iter().flat_map(BTreeMap::keys);
            open.extend(files.filter(|file| seen.insert(**file)));
        }
        seen
    };
    let below: BTreeMap<&str, BTreeSet<&str>> =
        used.keys().map(|file| (*file, below(file))).collect();
    let mut lines = Vec::new();
    for (from, targets) in &used {
        for (to, items) in targets {
            if below.get(to).is_some_and(|files| files.contains(from)) {
                let items: Vec<&str> = items.iter().copied().collect();
                lines.push(format!("{from} -> {to}: {}", items.join(", ")));
            }
        }
    }
    lines
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    none(circles(&Crate::befriend().references()));
}

mod self_test {
    use super::*;
    use crate::tidy::Source;

    #[track_caller]
    fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| Source::new(path, text));
        circles(&Crate::of(&files.collect::<Vec<_>>()).references())
    }

    #[test]
    fn two_siblings_that_import_each_other_are_a_circle() {
        let found = circles_of(&[
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", "use crate::b::B; pub struct A;"),
            ("src/b.rs", "pub struct B(super::a::A);"),
        ]);
        assert_eq!(found, ["src/a.rs -> src/b.rs: b::B", "src/b.rs -> src/a.rs: a::A"]);
    }

    #[test]
    fn a_circle_of_three_is_found_through_reexports_and_macros() {
        let found = circles_of(&[
            ("src/lib.rs", "mod a; mod b; mod c;"),
            ("src/a/mod.rs", "mod deep; pub use deep::Deep;"),
            ("src/a/deep.rs", "pub struct Deep; fn f() { assert!(crate::b::yes(1)) }"),
            ("src/b.rs", "use crate::c::C as Other; pub fn yes(_: u8) -> bool { Other::yes() }"),
            ("src/c.rs", "use crate::a::Deep; pub struct C(Deep);"),
        ]);
        assert_eq!(
            found,
            [
                "src/a/deep.rs -> src/b.rs: b::yes",
                "src/b.rs -> src/c.rs: c::C",
                "src/c.rs -> src/a/deep.rs: a::deep::Deep",
            ]
        );
    }

    #[test]
    fn a_module_that_uses_its_child_beyond_passing_it_on_is_a_circle_when_the_child_uses_it() {
        let child = ("src/a/b.rs", "use super::A; pub struct B(A);");
        let passes_on = "mod b; pub use b::B; pub struct A;";
        let declares =
            |text| circles_of(&[("src/lib.rs", "mod a;"), ("src/a/mod.rs", text), child]);
        assert!(declares(passes_on).is_empty());
        let uses = ["src/a/b.rs -> src/a/mod.rs: a::A", "src/a/mod.rs -> src/a/b.rs: a::b::B"];
        assert_eq!(declares("mod b; pub struct A; fn f(_: b::B) {}"), uses);
        assert_eq!(declares("mod b; pub use b::B; pub struct A; fn f(_: B) {}"), uses);
    }

    #[test]
    fn tests_in_a_file_may_use_what_uses_the_file() {
        let tests = "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }";
        let files = [("src/lib.rs", "mod a; mod b;"), ("src/b.rs", "pub struct B(crate::a::A);")];
        assert!(circles_of(&[files[0], files[1], ("src/a.rs", tests)]).is_empty());
    }
}
