//! Files of one sitting, functions of one screen.

use syn::visit::{self, Visit};

use super::{Source, none, sources, typescript};

/// The longest file, in lines.
const LONGEST_FILE: usize = 400;

/// The longest function, in lines, from its signature to its closing brace.
const LONGEST_FUNCTION: usize = 70;

/// The functions of a file, each with its length in lines.
fn functions(file: &syn::File) -> Vec<(String, usize)> {
    struct Functions(Vec<(String, usize)>);

    impl Functions {
        fn add(&mut self, signature: &syn::Signature, body: &syn::Block) {
            let first = signature.fn_token.span.start().line;
            let last = body.brace_token.span.close().end().line;
            self.0.push((signature.ident.to_string(), last - first + 1));
        }
    }

    impl Visit<'_> for Functions {
        fn visit_item_fn(&mut self, item: &syn::ItemFn) {
            self.add(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }

        fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
            self.add(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }

        fn visit_trait_item_fn(&mut self, item: &syn::TraitItemFn) {
            if let Some(body) = &item.default {
                self.add(&item.sig, body);
            }
            visit::visit_trait_item_fn(self, item);
        }
    }

    let mut functions = Functions(Vec::new());
    functions.visit_file(file);
    functions.0
}

fn too_long_a_file(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (lines > LONGEST_FILE).then(|| format!("{} has {lines} lines", source.path))
}

fn too_long(source: &Source) -> Vec<String> {
    let file = too_long_a_file(source);
    let functions = functions(&source.syntax()).into_iter();
    let functions = functions
        .filter(|(_, lines)| *lines > LONGEST_FUNCTION)
        .map(|(name, lines)| format!("{}: {name} has {lines} lines", source.path));
    file.into_iter().chain(functions).collect()
}

#[test]
fn every_file_can_be_read_in_one_sitting_and_every_function_on_one_screen() {
    let all = sources(&["src", "tests", "benches", "examples", "clients/rust"], ".rs");
    none(all.iter().flat_map(too_long));
    none(typescript().iter().filter_map(too_long_a_file));
}

#[test]
fn a_line_too_many_is_found() {
    let function = |lines: usize| {
        let inside = "    work();\n".repeat(lines - 2);
        format!("struct S;\nimpl S {{\n/// Does it.\nfn long() {{\n{inside}}}\n}}\n")
    };
    assert!(too_long(&Source::new("a.rs", &function(LONGEST_FUNCTION))).is_empty());
    let found = too_long(&Source::new("a.rs", &function(LONGEST_FUNCTION + 1)));
    assert_eq!(found, [format!("a.rs: long has {} lines", LONGEST_FUNCTION + 1)]);
    assert!(too_long(&Source::new("b.rs", &"\n".repeat(LONGEST_FILE))).is_empty());
    let found = too_long(&Source::new("b.rs", &"\n".repeat(LONGEST_FILE + 1)));
    assert_eq!(found, [format!("b.rs has {} lines", LONGEST_FILE + 1)]);
}
