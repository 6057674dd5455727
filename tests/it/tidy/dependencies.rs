//! How Cargo.toml asks for other crates. Which crates it may ask for is in deny.toml.

use super::{Source, none, sources};

/// Features of a dependency that nobody asked for cost build time, and stay unseen.
fn with_default_features(manifest: &Source) -> Vec<String> {
    let mut in_dependencies = false;
    let mut culprits = Vec::new();
    for line in manifest.text.lines() {
        if let Some(section) = line.strip_prefix('[') {
            in_dependencies = section.ends_with("dependencies]");
        } else if in_dependencies
            && line.contains('=')
            && !line.starts_with('#')
            && !line.contains("default-features = false")
        {
            culprits.push(format!("{}: {line}", manifest.path));
        }
    }
    culprits
}

#[test]
fn every_dependency_names_its_features() {
    none(
        sources(&["Cargo.toml", "clients/rust/Cargo.toml"], "")
            .iter()
            .flat_map(with_default_features),
    );
}

#[test]
fn a_dependency_with_default_features_is_found() {
    let text = "[package]\nname = \"a\"\n[dev-dependencies]\n# b = 1\nb = \"1\"\n\
                c = { version = \"1\", default-features = false }\n";
    assert_eq!(with_default_features(&Source::new("Cargo.toml", text)), ["Cargo.toml: b = \"1\""]);
}
