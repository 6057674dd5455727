//! The comments of the protos.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// The comments before definitions, by file and path of the definition in it.
pub(super) struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    pub(super) fn read(pool: &DescriptorPool) -> Self {
        let mut comments = HashMap::new();
        for file in pool.files() {
            let info = file.file_descriptor_proto().source_code_info.as_ref();
            for location in info.iter().flat_map(|info| &info.location) {
                let comment = location.leading_comments();
                if !comment.is_empty() {
                    let place = (file.name().to_owned(), location.path.clone());
                    comments.insert(place, unwrapped(comment));
                }
            }
        }
        Self(comments)
    }

    /// What is said of the definition; empty if nothing is.
    pub(super) fn of(&self, file: &FileDescriptor, path: &[i32]) -> String {
        self.0.get(&(file.name().to_owned(), path.to_vec())).cloned().unwrap_or_default()
    }
}

/// A comment with one line a paragraph: Markdown would break lines where the proto does.
fn unwrapped(comment: &str) -> String {
    let paragraphs = comment.split("\n\n").map(|paragraph| {
        let lines: Vec<_> =
            paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join(" ")
    });
    paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::unwrapped;

    #[test]
    fn a_paragraph_becomes_a_line() {
        let comment = " Adds a\n friend.\n\n Errors: A,\n B.\n";
        assert_eq!(unwrapped(comment), "Adds a friend.\n\nErrors: A, B.");
    }
}
