//! The Chinese pages say what the English ones do: the same headings, commands, tables and links.

use std::{fs, path::Path};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// How the Chinese page of "README.md" is called.
const CHINESE: &str = ".zh-CN.md";

/// What stands below one heading.
#[derive(Default)]
struct Section {
    level: usize,
    title: String,
    /// Blocks of code, with their language.
    blocks: Vec<String>,
    /// The cells of each row of a table.
    rows: Vec<usize>,
    /// Words set as code, sorted: their order is the language's.
    code: Vec<String>,
    /// Where links lead, sorted.
    links: Vec<String>,
}

fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        let level = line.bytes().take_while(|b| *b == b'#').count();
        let starts = line.starts_with("```") && !fenced;
        if !fenced && level > 0 {
            end(&mut sections, &mut prose);
            let title = line[level..].trim().to_owned();
            sections.push(Section { level, title, ..Section::default() });
        } else if starts {
            sections.last_mut().unwrap().blocks.push(String::new());
        }
        if fenced || starts {
            *sections.last_mut().unwrap().blocks.last_mut().unwrap() += &format!("{line}\n");
        } else {
            if line.starts_with('|') {
                let bars = line.replace("\\|", "").matches('|').count();
                sections.last_mut().unwrap().rows.push(bars - 1);
            }
            prose += &format!("{line}\n");
        }
        if line.starts_with("```") {
            fenced = !fenced;
        }
    }
    end(&mut sections, &mut prose);
    sections
}

/// Takes the words and links out of a section's prose.
fn end(sections: &mut [Section], prose: &mut String) {
    let section = sections.last_mut().unwrap();
    section.code = prose.split('`').skip(1).step_by(2).map(joined).collect();
    section.links =
        prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect();
    section.code.sort();
    section.links.sort();
    prose.clear();
}

/// A text without the line breaks in it.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The anchor that a heading gets.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// Each English page that has a Chinese one.
fn pairs() -> Vec<String> {
    let mut pages = vec![];
    for folder in ["", "docs/"] {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if let Some(name) = name.strip_suffix(CHINESE) {
                pages.push(format!("{folder}{name}.md"));
            }
        }
    }
    pages.sort();
    pages
}

fn read(page: &str) -> Vec<Section> {
    sections(&fs::read_to_string(Path::new(ROOT).join(page)).unwrap())
}

fn chinese(page: &str) -> String {
    page.replace(".md", CHINESE)
}

#[test]
fn each_page_of_a_pair_has_the_same_headings_commands_and_tables() {
    let pages = pairs();
    let all = ["README.md", "docs/migrating-from-easemob.md", "docs/migrating-from-netease.md"];
    assert!(all.iter().all(|page| pages.iter().any(|found| found == page)), "{pages:?}");
    for page in pages {
        let (english, other) = (read(&page), read(&chinese(&page)));
        let levels = |sections: &[Section]| sections.iter().map(|s| s.level).collect::<Vec<_>>();
        assert_eq!(levels(&english), levels(&other), "{page}");
        for (english, other) in english.iter().zip(&other) {
            let place = format!("{page}: {} / {}", english.title, other.title);
            assert_eq!(english.blocks, other.blocks, "{place}");
            assert_eq!(english.rows, other.rows, "{place}");
            assert_eq!(english.code, other.code, "{place}");
        }
    }
}

/// Where a section's links lead, in the names of the English pages; a heading is named by its number.
fn links(page: &str, section: &Section) -> Vec<String> {
    let folder = Path::new(page).parent().unwrap();
    let resolved = |link: &String| {
        let Some((to, heading)) = link.split_once('#').filter(|_| !link.contains("://")) else {
            return link.replace(CHINESE, ".md");
        };
        let target =
            if to.is_empty() { page.to_owned() } else { folder.join(to).display().to_string() };
        let at = read(&target).iter().position(|section| anchor(&section.title) == heading);
        let at = at.unwrap_or_else(|| panic!("{page}: {link} leads nowhere"));
        format!("{}#{at}", to.replace(CHINESE, ".md"))
    };
    let mut links: Vec<String> = section.links.iter().map(resolved).collect();
    links.sort();
    links
}

#[test]
fn each_page_of_a_pair_has_the_same_links() {
    for page in &pairs() {
        let (english, other) = (read(page), read(&chinese(page)));
        for (one, two) in english.iter().zip(&other) {
            assert_eq!(links(page, one), links(&chinese(page), two), "{page}: {}", one.title);
        }
    }
}

#[test]
fn pages_link_to_their_translation_and_chinese_ones_to_chinese_ones() {
    let pages = pairs();
    for page in &pages {
        let folder = Path::new(page).parent().unwrap();
        let name = |page: &str| Path::new(page).file_name().unwrap().to_str().unwrap().to_owned();
        let (english, other) = (read(page), read(&chinese(page)));
        // Below the title.
        assert!(english[1].links.contains(&name(&chinese(page))), "{page}");
        assert!(other[1].links.contains(&name(page)), "{page}");
        for link in other.iter().flat_map(|section| &section.links) {
            let to = folder.join(link.split('#').next().unwrap());
            let translated = pages.iter().any(|page| Path::new(page) == to);
            assert!(!translated || *link == name(page), "{page}: {link} is there in Chinese");
        }
    }
}
