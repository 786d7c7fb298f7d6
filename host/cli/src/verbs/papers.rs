//! `completions` and `man`, made from the words themselves.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use hematite_host::error::{Error, Result};

use super::Answer;
use crate::args::Cli;

/// A script for a shell.
pub(super) fn completions(shell: Shell) -> Answer {
    let mut text = vec![];
    clap_complete::generate(shell, &mut Cli::command(), "hematite", &mut text);
    Answer { text: String::from_utf8_lossy(&text).into_owned(), clean: true }
}

/// The main page as text, or all pages into a folder.
pub(super) fn manual(out: Option<&Path>) -> Result<Answer> {
    let fail = |what: String, error| Error::system(what, error, "is the folder yours?");
    let Some(folder) = out else {
        let text = page(&Man::new(Cli::command())).map_err(|error| fail("write the page".into(), error))?;
        return Ok(Answer { text, clean: true });
    };
    fs::create_dir_all(folder).map_err(|error| fail(format!("make {}", folder.display()), error))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .map_err(|error| fail(format!("write pages to {}", folder.display()), error))?;
    let text = format!("{}: the page of each verb\n", folder.display());
    Ok(Answer { text, clean: true })
}

fn page(man: &Man) -> std::io::Result<String> {
    let mut text = vec![];
    man.render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
