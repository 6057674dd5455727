//! Writes the man pages and the shell completions of befriend into a folder: `make dist` packs them.
//!
//! ```sh
//! cargo run --example manuals -- target/manuals
//! ```

use std::{env, fs, path::PathBuf};

use befriend::cli::Cli;
use clap::{CommandFactory as _, ValueEnum as _};
use clap_complete::Shell;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: manuals FOLDER")?;
    let folder = PathBuf::from(folder);
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(Cli::command(), &man)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut Cli::command(), "befriend", &completions)?;
    }
    Ok(())
}
