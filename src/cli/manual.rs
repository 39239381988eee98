//! What is made of the command line itself: completions for shells, and the manual's pages.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::NAME;
use super::args::{self, Arguments};
use super::exit::Exit;
use super::guide;
use super::terminal::{self, say};
use crate::pack;

/// `counterpatch completions`
pub(super) fn completions(args: &args::Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), NAME, &mut script);
    terminal::ended(terminal::print(&String::from_utf8_lossy(&script)), Exit::Answered)
}

/// `counterpatch man`
pub(super) fn pages(args: &args::Man) -> Exit {
    match written(&args.output) {
        Ok(()) => Exit::Answered,
        Err(error) => {
            say!("error: {}: {error} (help: name a folder that can be written)", args.output.display());
            Exit::CannotWrite
        }
    }
}

/// Writes one page for the program and one for each command that is not hidden, down to the commands of commands.
fn written(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut program = guide::shown_by(Arguments::command());
    program.build();
    let mut open = vec![(NAME.to_owned(), program)];
    while let Some((name, command)) = open.pop() {
        let shown = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
        let below = command.get_subcommands().filter(shown);
        open.extend(below.map(|below| (format!("{name}-{}", below.get_name()), below.clone())));
        let mut page = Vec::new();
        Man::new(command.display_name(name.clone())).render(&mut page)?;
        pack::write_bytes(&folder.join(format!("{name}.1")), &page)?;
    }
    Ok(())
}
