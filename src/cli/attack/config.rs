//! What the arguments of `attack` mean.

use std::time::Duration;

use crate::attack::methods::{Entry, TABLE};
use crate::attack::{Limits, Order, Targets};
use crate::cli::args;
use crate::cli::config::{UsageError, reading, seconds, threads};
use crate::nearest::Norm;
use crate::search::patch::reading::Reading;

/// The meaning of `attack`'s arguments.
#[derive(Debug)]
pub(super) struct Config {
    /// The methods in the table's order, and whether all were asked for: then one that cannot be used is left out.
    pub(super) methods: Vec<Entry>,
    /// Whether `all` was said.
    pub(super) all: bool,
    /// What is allowed.
    pub(super) limits: Limits,
    /// Classes to aim at.
    pub(super) targets: Targets,
    /// How flat inputs are read.
    pub(super) order: Option<Order>,
    /// What inputs are divided by, after `--mean` was subtracted.
    pub(super) deviation: Vec<f32>,
    /// Seconds of one method on one image.
    pub(super) each: Duration,
    /// Images at a time.
    pub(super) threads: usize,
    /// How the method `patch` understands the paper.
    pub(super) reading: Reading,
    /// What the closest image is closest in.
    pub(super) norm: Norm,
}

impl TryFrom<&args::Attack> for Config {
    type Error = UsageError;

    fn try_from(args: &args::Attack) -> Result<Self, UsageError> {
        let all = args.methods.iter().any(|name| name == "all");
        let known = || TABLE.iter().map(|entry| entry.name);
        if let Some(name) =
            args.methods.iter().find(|name| *name != "all" && !known().any(|known| known == *name))
        {
            return Err(UsageError::Method { name: name.clone(), known: known().collect() });
        }
        let wanted = |entry: &&Entry| all || args.methods.iter().any(|name| name == entry.name);
        let deviation = match args.scale {
            Some(scale) => vec![1.0 / scale],
            None => args.deviation.clone(),
        };
        let option = if args.scale.is_some() { "--scale" } else { "--std" };
        if deviation.iter().any(|number| !(number.is_finite() && *number > 0.0)) {
            return Err(UsageError::AboveZero(option));
        }
        if args.mean.iter().any(|number| !number.is_finite()) {
            return Err(UsageError::AboveZero("--mean"));
        }
        if args.protocol == Some(0) {
            return Err(UsageError::AboveZero("--protocol"));
        }
        if args.pixels == Some(0) {
            return Err(UsageError::AboveZero("--pixels"));
        }
        Ok(Self {
            methods: TABLE.iter().filter(wanted).copied().collect(),
            all,
            limits: limits(&args.limits, args.pixels)?,
            targets: targets(&args.targets)?,
            order: args.layout.map(|order| match order {
                args::Order::Nchw => Order::ChannelsFirst,
                args::Order::Nhwc => Order::ChannelsLast,
            }),
            deviation,
            each: seconds("budget", &args.budget)?,
            threads: threads(args.threads)?,
            reading: args.reading.as_deref().map(reading).transpose()?.unwrap_or_default(),
            norm: args.norm.into(),
        })
    }
}

fn limits(texts: &[String], pixels: Option<usize>) -> Result<Limits, UsageError> {
    let mut limits = Limits { pixels: pixels.unwrap_or(usize::MAX), ..Limits::none() };
    for text in texts {
        let wrong = || UsageError::Limit(text.clone());
        let (norm, number) = text.split_once('=').ok_or_else(wrong)?;
        let number = number.parse::<f32>().ok().filter(|x| *x > 0.0 && x.is_finite()).ok_or_else(wrong)?;
        match norm.trim() {
            "linf" => limits.linf = number,
            "l2" => limits.l2 = number,
            _ => return Err(wrong()),
        }
    }
    Ok(limits)
}

fn targets(text: &str) -> Result<Targets, UsageError> {
    match text {
        "runner-up" => Ok(Targets::RunnerUp),
        "all" => Ok(Targets::All),
        number => match number.parse() {
            Ok(count @ 1..) => Ok(Targets::Strongest(count)),
            _ => Err(UsageError::Targets(text.to_owned())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_name_their_norm() {
        let read = |text: &str| limits(&text.split(',').map(str::to_owned).collect::<Vec<_>>(), Some(4)).ok();
        let both = Limits { linf: 0.5, l2: 2.0, pixels: 4 };
        assert_eq!(read("linf=0.5,l2=2"), Some(both));
        for wrong in ["linf", "linf=", "l3=1", "linf=0", "l2=-1", "l2=inf", "l2=nan", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn targets_are_words_or_a_number() {
        let cases = [
            ("runner-up", Some(Targets::RunnerUp)),
            ("all", Some(Targets::All)),
            ("5", Some(Targets::Strongest(5))),
            ("0", None),
            ("-1", None),
            ("most", None),
        ];
        for (text, want) in cases {
            assert_eq!(targets(text).ok(), want, "{text}");
        }
    }
}
