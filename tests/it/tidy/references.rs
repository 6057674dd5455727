//! Which file of the crate names items of which other file.
//!
//! Every `use` tree, every path and every path in the tokens of a macro call is resolved to the file
//! that defines the item, through re-exports. Not seen: methods, whose file only the types tell, and
//! paths in the strings of attributes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{
    ext::IdentExt as _,
    visit::{self, Visit},
};

use super::{Source, sources};

/// One file names an item of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The file that names it, as "src/ops/friends.rs".
    pub from: String,
    /// The file that defines it.
    pub to: String,
    /// The item's path in the crate, as "store::friends::page".
    pub item: String,
    /// Whether it is named in code for tests only.
    pub in_tests: bool,
}

/// The modules of a crate.
pub struct Crate {
    modules: Vec<Module>,
}

/// A module: a file, or a `mod` with braces in one.
#[derive(Default)]
struct Module {
    /// As `["ops", "friends"]`; empty for the root.
    path: Vec<String>,
    parent: usize,
    file: String,
    in_tests: bool,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// Modules whose items are all in scope: `use super::*`.
    globs: Vec<Path>,
    /// The paths that stand in the code.
    paths: BTreeSet<(Path, bool)>,
}

type Path = Vec<String>;

/// A name that `use` brings into a module.
struct Import {
    name: String,
    path: Path,
    is_reexport: bool,
    in_tests: bool,
}

/// What a path leads to.
enum Found {
    Module(usize),
    Item { module: usize, name: String },
}

impl Crate {
    /// befriend's library, read once for all tests.
    pub fn befriend() -> &'static Self {
        static BEFRIEND: OnceLock<Crate> = OnceLock::new();
        BEFRIEND.get_or_init(|| {
            let mut sources = sources(&["src"], ".rs");
            sources.retain(|source| source.path != "src/main.rs");
            Self::of(&sources)
        })
    }

    /// A crate of these files; the root is "src/lib.rs".
    pub fn of(sources: &[Source]) -> Self {
        let mut files: BTreeMap<&str, syn::File> =
            sources.iter().map(|source| (source.path.as_str(), source.syntax())).collect();
        let mut krate = Self { modules: Vec::new() };
        let root = Module { file: "src/lib.rs".to_owned(), ..Module::default() };
        krate.add(root, "src/", &mut files);
        krate
    }

    /// Adds the module of a file, and those of the files that it declares in `folder`.
    fn add(&mut self, module: Module, folder: &str, files: &mut BTreeMap<&str, syn::File>) {
        let Some(file) = files.remove(module.file.as_str()) else {
            panic!("{} is no file, or two modules declare it", module.file)
        };
        let id = self.modules.len();
        let in_tests = module.in_tests;
        self.modules.push(module);
        let mut reading = Reading { krate: self, module: id, in_tests, declared: Vec::new() };
        reading.visit_file(&file);
        let declared = reading.declared;
        for (parent, name, in_tests) in declared {
            let path = [&self.modules[parent].path[..], std::slice::from_ref(&name)].concat();
            let inside = path[self.modules[id].path.len()..].join("/");
            let file = [format!("{folder}{inside}.rs"), format!("{folder}{inside}/mod.rs")];
            let file = file.into_iter().find(|file| files.contains_key(file.as_str()));
            let file = file.unwrap_or_else(|| panic!("{name} has no file in {folder}"));
            let child = self.modules.len();
            self.modules[parent].children.insert(name, child);
            let module = Module { path, parent, file, in_tests, ..Module::default() };
            self.add(module, &format!("{folder}{inside}/"), files);
        }
    }

    /// Every path as it is written, with the file that it stands in.
    pub fn written(&self) -> BTreeSet<(String, String)> {
        let modules = self.modules.iter();
        let paths = modules.flat_map(|module| {
            let imports = module.imports.iter().map(|import| &import.path);
            let paths = module.paths.iter().map(|(path, _)| path);
            let all = imports.chain(&module.globs).chain(paths);
            all.map(|path| (module.file.clone(), path.join("::")))
        });
        paths.collect()
    }

    /// Every name of an item of another file, once for each pair of files.
    pub fn references(&self) -> BTreeSet<Reference> {
        let mut references = BTreeSet::new();
        for (id, module) in self.modules.iter().enumerate() {
            let imports = module.imports.iter().map(|i| (&i.path, i.in_tests, i.is_reexport));
            let globs = module.globs.iter().map(|path| (path, module.in_tests, true));
            let paths = module.paths.iter().map(|(path, in_tests)| (path, *in_tests, false));
            for (path, in_tests, is_reexport) in imports.chain(globs).chain(paths) {
                let Some(Found::Item { module: of, name }) = self.resolve(id, path, 0) else {
                    continue;
                };
                let of = &self.modules[of];
                // What a module only passes on from below is no use of it.
                let passed_on = is_reexport && of.path.starts_with(&module.path);
                if of.file != module.file && !passed_on {
                    references.insert(Reference {
                        from: module.file.clone(),
                        to: of.file.clone(),
                        item: [&of.path[..], &[name]].concat().join("::"),
                        in_tests,
                    });
                }
            }
        }
        references
    }

    /// What a path in a module leads to; nothing for other crates' items and for local names.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<Found> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.inside(0, rest, depth),
            "self" => self.inside(from, rest, depth),
            "super" => self.resolve_super(from, rest, depth),
            _ => self.known(from, first, rest, depth),
        }
    }

    fn resolve_super(&self, from: usize, rest: &[String], depth: usize) -> Option<Found> {
        let parent = self.modules[from].parent;
        match rest.first() {
            Some(next) if next == "super" => self.resolve_super(parent, &rest[1..], depth),
            _ => self.inside(parent, rest, depth),
        }
    }

    /// A path that begins in a module for certain: names that are not known are made by macros.
    fn inside(&self, module: usize, path: &[String], depth: usize) -> Option<Found> {
        let Some((first, rest)) = path.split_first() else { return Some(Found::Module(module)) };
        let made = || Some(Found::Item { module, name: first.clone() });
        self.known(module, first, rest, depth).or_else(made)
    }

    /// A name that a module defines, declares or imports, and what follows it.
    fn known(&self, id: usize, name: &String, rest: &[String], depth: usize) -> Option<Found> {
        // Two modules that import each other's everything.
        if depth > 16 {
            return None;
        }
        let module = &self.modules[id];
        let child = module.children.get(name);
        if module.items.contains(name) && (child.is_none() || rest.is_empty()) {
            return Some(Found::Item { module: id, name: name.clone() });
        }
        if let Some(child) = child {
            return self.inside(*child, rest, depth);
        }
        if let Some(import) = module.imports.iter().find(|import| import.name == *name) {
            let path = [&import.path[..], rest].concat();
            let of_another_crate = || Some(Found::Item { module: id, name: name.clone() });
            return self.resolve(id, &path, depth + 1).or_else(of_another_crate);
        }
        module.globs.iter().find_map(|glob| match self.resolve(id, glob, depth + 1)? {
            Found::Module(of) if of != id => self.known(of, name, rest, depth + 1),
            _ => None,
        })
    }
}

/// Reads one file into its modules.
struct Reading<'a> {
    krate: &'a mut Crate,
    /// The module that is being read.
    module: usize,
    in_tests: bool,
    /// Modules whose files are still to be read: where they are declared, what they are called, and
    /// whether they are for tests only.
    declared: Vec<(usize, String, bool)>,
}

impl Reading<'_> {
    fn module(&mut self) -> &mut Module {
        &mut self.krate.modules[self.module]
    }

    fn path(&mut self, path: Path) {
        let in_tests = self.in_tests;
        self.module().paths.insert((path, in_tests));
    }

    fn import(&mut self, tree: &syn::UseTree, before: &mut Path, is_reexport: bool) {
        match tree {
            syn::UseTree::Path(tree) => {
                before.push(tree.ident.unraw().to_string());
                self.import(&tree.tree, before, is_reexport);
                before.pop();
            }
            syn::UseTree::Group(tree) => {
                for tree in &tree.items {
                    self.import(tree, before, is_reexport);
                }
            }
            syn::UseTree::Glob(_) => self.module().globs.push(before.clone()),
            syn::UseTree::Name(tree) => {
                self.import_as(&tree.ident, &tree.ident, before, is_reexport);
            }
            syn::UseTree::Rename(tree) => {
                self.import_as(&tree.ident, &tree.rename, before, is_reexport);
            }
        }
    }

    /// Imports `ident` of the module `before` under a name. `{self}` is the module itself.
    fn import_as(&mut self, ident: &Ident, name: &Ident, before: &Path, is_reexport: bool) {
        let mut path = before.clone();
        if ident != "self" {
            path.push(ident.unraw().to_string());
        }
        let last = path.last().cloned().unwrap_or_default();
        let name = if name == "self" { last } else { name.unraw().to_string() };
        let in_tests = self.in_tests;
        self.module().imports.push(Import { name, path, is_reexport, in_tests });
    }

    /// The paths in a macro's tokens: names joined by `::`, but no fields and no methods.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                // After one dot a field or a method, after two the end of a range or a base.
                TokenTree::Ident(_)
                    if at > 0 && is(at - 1, '.') && !(at > 1 && is(at - 2, '.')) => {}
                TokenTree::Ident(first) => {
                    let mut path = vec![first.unraw().to_string()];
                    while is(at + 1, ':')
                        && is(at + 2, ':')
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                    {
                        path.push(next.unraw().to_string());
                        at += 3;
                    }
                    self.path(path);
                }
                _ => {}
            }
            at += 1;
        }
    }
}

/// Whether it is compiled for tests only.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string() == "test")
    })
}

impl Visit<'_> for Reading<'_> {
    fn visit_item(&mut self, item: &syn::Item) {
        let name = match item {
            syn::Item::Const(item) => Some(&item.ident),
            syn::Item::Enum(item) => Some(&item.ident),
            syn::Item::Fn(item) => Some(&item.sig.ident),
            syn::Item::Macro(item) => item.ident.as_ref(),
            syn::Item::Static(item) => Some(&item.ident),
            syn::Item::Struct(item) => Some(&item.ident),
            syn::Item::Trait(item) => Some(&item.ident),
            syn::Item::Type(item) => Some(&item.ident),
            syn::Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        if let Some(name) = name {
            self.module().items.insert(name.unraw().to_string());
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        let name = item.ident.unraw().to_string();
        let in_tests = self.in_tests || is_for_tests(&item.attrs);
        let parent = self.module;
        let Some((_, items)) = &item.content else {
            self.declared.push((parent, name, in_tests));
            return;
        };
        let child = self.krate.modules.len();
        let file = self.module().file.clone();
        let path = [&self.module().path[..], std::slice::from_ref(&name)].concat();
        self.module().children.insert(name, child);
        self.krate.modules.push(Module { path, parent, file, in_tests, ..Module::default() });
        let outside = std::mem::replace(&mut self.in_tests, in_tests);
        self.module = child;
        items.iter().for_each(|item| self.visit_item(item));
        (self.module, self.in_tests) = (parent, outside);
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        let is_reexport = !matches!(item.vis, syn::Visibility::Inherited);
        if item.leading_colon.is_none() {
            self.import(&item.tree, &mut Vec::new(), is_reexport);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            self.path(path.segments.iter().map(|part| part.ident.unraw().to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    // `pub(in crate::ops)` is no use of it, nor are the paths of attributes ours.
    fn visit_vis_restricted(&mut self, _: &syn::VisRestricted) {}
    fn visit_attribute(&mut self, _: &syn::Attribute) {}
}
