//! `counterpatch campaign split`: one hard question in, a campaign of its parts out.

use std::fmt::Write;
use std::path::Path;

use super::{CampaignFailure, plan};
use crate::campaign::{CampaignFolder, SplitQuestion};
use crate::cli::args::{self, SplitByArg};
use crate::cli::exit::Exit;
use crate::cli::networks::Networks;
use crate::cli::{config, input, terminal};
use crate::csv;
use crate::pack;
use crate::pipeline::parts::{self, DividedBy, DivisionWish, MOST_PARTS};

/// Runs the command.
pub(super) fn run(args: &args::CampaignSplit) -> Result<Exit, CampaignFailure> {
    if !(2..=MOST_PARTS).contains(&args.parts) {
        return Err(CampaignFailure::Parts(args.parts));
    }
    config::seconds("timeout", &args.timeout)?;
    let networks = Networks::positional(&args.network);
    let query = input::property(&args.property)?;
    let (models, _) = input::models(&networks.files_for(&query)?, &query, &[])?;
    let wish = match args.by {
        SplitByArg::Seeds => DivisionWish::Only(DividedBy::Seeds),
        SplitByArg::Disjuncts => DivisionWish::Only(DividedBy::Disjuncts),
        SplitByArg::Box => DivisionWish::Only(DividedBy::Box),
        SplitByArg::Auto => DivisionWish::Auto,
    };
    let divided = parts::divide(&query, &models, wish, args.parts)?;
    let folder = CampaignFolder::at(&args.output);
    let property = args.property.display().to_string();
    let split = SplitQuestion::new(args.network.clone(), property, query.text(), divided.by, divided.steps);
    let texts = if split.is_by_seeds() { &[][..] } else { &divided.texts };
    folder.begin_split(&split, query.text(), texts)?;
    let list = write_list(&folder, &networks, texts.len())?;
    let wishes = args::PlanWishes {
        seeds: split.is_by_seeds().then(|| format!("0..{}", args.parts - 1)),
        timeout_cap: Some(args.timeout.clone()),
        memory: args.memory.clone(),
        threads: args.threads,
        ..args::PlanWishes::default()
    };
    let (plan, _) = plan::make(&[list], &wishes)?;
    folder.begin(&plan)?;
    let text = in_words(&split, plan.units().count(), args);
    Ok(terminal::ended(terminal::print(&text), Exit::Answered))
}

/// Writes the parts as a list of instances like any other; where it is.
fn write_list(
    folder: &CampaignFolder,
    networks: &Networks,
    parts: usize,
) -> Result<std::path::PathBuf, CampaignFailure> {
    let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let network = networks.mapped(absolute).to_string();
    let row = |property: std::path::PathBuf| {
        let name = property.strip_prefix(folder.path()).unwrap_or(&property).display().to_string();
        [network.clone(), name]
    };
    let rows: Vec<[String; 2]> = match parts {
        0 => vec![row(folder.whole_path())],
        parts => (1..=parts).map(|number| row(folder.part_path(number))).collect(),
    };
    let head = ["onnx", "vnnlib"].map(String::from);
    let path = folder.path().join("instances.csv");
    let text = csv::text(std::iter::once(head).chain(rows));
    let written = pack::write_bytes(&path, text.as_bytes());
    written.map_err(|source| CampaignFailure::Write { path: path.clone(), source })?;
    Ok(path)
}

fn in_words(split: &SplitQuestion, units: usize, args: &args::CampaignSplit) -> String {
    let by: Vec<&str> = split
        .by
        .iter()
        .map(|by| match by {
            DividedBy::Seeds => "seeds",
            DividedBy::Disjuncts => "disjuncts",
            DividedBy::Box => "parts of the box",
        })
        .collect();
    let mut out = format!("{units} parts, by {}", by.join(" and "));
    if units < args.parts {
        // Writing to a String cannot fail.
        let _ = write!(out, " (there are no more than these)");
    }
    let folder = args.output.display();
    let _ = write!(
        out,
        "\nrun them: counterpatch campaign run {folder}\nor on a cluster: counterpatch campaign submit {folder} --slurm --wait\n\
         then: counterpatch campaign answer {folder}\n"
    );
    out
}
