//! What the arguments of `attack` mean.

use std::path::PathBuf;
use std::time::Duration;

use super::limits::{self, Typed};
use crate::attack::methods::{MethodEntry, TABLE};
use crate::attack::{ChannelOrder, Confidence, TargetClasses};
use crate::cli::args;
use crate::cli::config::{UsageError, reading, seconds, threads};
use crate::nearest::Norm;
use crate::search::strategy::patch::reading::PaperReading;

/// The meaning of `attack`'s arguments.
#[derive(Debug)]
pub(super) struct AttackConfig {
    /// The methods in the table's order, and whether all were asked for: then one that cannot be used is left out.
    pub(super) methods: Vec<MethodEntry>,
    /// Whether `all` was said.
    pub(super) all: bool,
    /// What is allowed: a run for each, at least one.
    pub(super) limits: Vec<Typed>,
    /// Classes to aim at.
    pub(super) targets: TargetClasses,
    /// By how much a class has to lead.
    pub(super) confidence: Confidence,
    /// How flat inputs are read.
    pub(super) order: Option<ChannelOrder>,
    /// What inputs are divided by, after `--mean` was subtracted.
    pub(super) deviation: Vec<f32>,
    /// Seconds of one method on one image.
    pub(super) each: Duration,
    /// Images at a time.
    pub(super) threads: usize,
    /// How the method `patch` understands the paper.
    pub(super) reading: PaperReading,
    /// What the closest image is closest in.
    pub(super) norm: Norm,
}

impl TryFrom<&args::Attack> for AttackConfig {
    type Error = UsageError;

    fn try_from(args: &args::Attack) -> Result<Self, UsageError> {
        let all = args.methods.iter().any(|name| name == "all");
        let known = || TABLE.iter().map(|entry| entry.name);
        if let Some(name) =
            args.methods.iter().find(|name| *name != "all" && !known().any(|known| known == *name))
        {
            return Err(UsageError::Method { name: name.clone(), known: known().collect() });
        }
        let wanted = |entry: &&MethodEntry| all || args.methods.iter().any(|name| name == entry.name);
        let deviation = match args.scale {
            Some(scale) => vec![1.0 / scale],
            None => args.deviation.clone(),
        };
        let option = if args.scale.is_some() { "--scale" } else { "--std" };
        for (option, numbers) in [(option, &deviation), ("--features-std", &args.features_deviation)] {
            // Of a number as small as 1e-45 the reciprocal has no end, and features would be no numbers.
            let is_scale = |number: &f32| number.is_finite() && *number > 0.0 && number.recip().is_finite();
            if !numbers.iter().all(is_scale) {
                return Err(UsageError::AboveZero(option));
            }
        }
        for (option, numbers) in [("--mean", &args.mean), ("--features-mean", &args.features_mean)] {
            if numbers.iter().any(|number| !number.is_finite()) {
                return Err(UsageError::Finite(option));
            }
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
            limits: limits::runs(&args.limits, args.pixels)?,
            targets: args
                .target_class
                .map_or_else(|| targets(&args.targets), |class| Ok(TargetClasses::Only(class)))?,
            confidence: confidence(&args.confidence)?,
            order: args.layout.map(|order| match order {
                args::ChannelOrderArg::Nchw => ChannelOrder::ChannelsFirst,
                args::ChannelOrderArg::Nhwc => ChannelOrder::ChannelsLast,
            }),
            deviation,
            each: seconds("budget", &args.budget)?,
            threads: threads(args.threads)?,
            reading: args.reading.as_deref().map(reading).transpose()?.unwrap_or_default(),
            norm: args.norm.into(),
        })
    }
}

/// What a page says of a run's settings, by name; `limits` as they were typed.
pub(super) fn in_words(
    args: &args::Attack,
    config: &AttackConfig,
    limits: &str,
) -> Vec<(&'static str, String)> {
    let names =
        |paths: &[PathBuf]| -> Vec<String> { paths.iter().map(|path| path.display().to_string()).collect() };
    let numbers = |numbers: &[f32]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    let target =
        args.target_class.map_or_else(|| args.targets.clone(), |class| format!("only class {class}"));
    let mut words = vec![
        ("network", args.network.display().to_string()),
        ("images", args.images.display().to_string()),
        ("limits", or(limits.to_owned(), "the valid range")),
        ("pixels that may change", args.pixels.map_or("all".to_owned(), |pixels| pixels.to_string())),
        ("wrong classes aimed at", target),
        ("confidence", args.confidence.clone()),
        ("results on the grid of 8 bits", if args.round { "yes" } else { "no" }.to_owned()),
        (
            "images of each class",
            args.protocol.map_or("all".to_owned(), |count| format!("the first {count}")),
        ),
        ("norm of nearest", config.norm.to_string()),
        ("reading of patch", config.reading.to_string()),
        ("seconds a method and image", config.each.as_secs_f64().to_string()),
        ("seed", args.seed.to_string()),
        ("images at a time", config.threads.to_string()),
    ];
    let more = [
        ("labels", args.labels.as_ref().map_or(String::new(), |path| path.display().to_string())),
        ("mean", numbers(&args.mean)),
        ("deviation", numbers(&config.deviation)),
        ("companions", names(&args.companions).join(", ")),
        ("transfer to", names(&args.transfers).join(", ")),
        ("features", args.features.clone().unwrap_or_default()),
    ];
    words.extend(more.into_iter().filter(|(_, value)| !value.is_empty()));
    words
}

fn confidence(text: &str) -> Result<Confidence, UsageError> {
    match (text, text.parse::<f32>()) {
        ("picture", _) => Ok(Confidence::Picture),
        (_, Ok(lead)) if lead >= 0.0 && lead.is_finite() => Ok(Confidence::Lead(lead)),
        _ => Err(UsageError::Confidence(text.to_owned())),
    }
}

fn targets(text: &str) -> Result<TargetClasses, UsageError> {
    match text {
        "runner-up" => Ok(TargetClasses::RunnerUp),
        "all" => Ok(TargetClasses::All),
        number => match number.parse() {
            Ok(count @ 1..) => Ok(TargetClasses::Strongest(count)),
            _ => Err(UsageError::Targets(text.to_owned())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_is_a_word_or_a_number() {
        let cases = [
            ("picture", Some(Confidence::Picture)),
            ("0", Some(Confidence::Lead(0.0))),
            ("1.5", Some(Confidence::Lead(1.5))),
            ("-1", None),
            ("nan", None),
            ("inf", None),
            ("high", None),
        ];
        for (text, want) in cases {
            assert_eq!(confidence(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn targets_are_words_or_a_number() {
        let cases = [
            ("runner-up", Some(TargetClasses::RunnerUp)),
            ("all", Some(TargetClasses::All)),
            ("5", Some(TargetClasses::Strongest(5))),
            ("0", None),
            ("-1", None),
            ("most", None),
        ];
        for (text, want) in cases {
            assert_eq!(targets(text).ok(), want, "{text}");
        }
    }
}
