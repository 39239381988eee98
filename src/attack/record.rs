//! What came of one method on one image: written down at once, so that an interrupted run loses nothing.

use serde::{Deserialize, Serialize};

use super::measures::distance::Distance;
use super::session::Spent;
use crate::nearest::Norm;

/// How an attack on one image ended, after the result was put into the limits and classified by the reference engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackEnding {
    /// The reference engine confirms another class, within the valid range and the limits.
    Adversarial,
    /// The reference engine confirms another class for a method that leaves the valid range as published: a success by
    /// its own definition only.
    OwnDefinition,
    /// The method reported a success that is none within the limits, or after rounding.
    LostInLimits,
    /// The method reported a success that the reference engine does not confirm.
    NotConfirmed,
    /// The method tried all it does.
    GaveUp,
    /// The time was up.
    TimeUp,
}

impl AttackEnding {
    /// In a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Self::Adversarial => "adversarial",
            Self::OwnDefinition => "own definition only",
            Self::LostInLimits => "lost in limits",
            Self::NotConfirmed => "not confirmed",
            Self::GaveUp => "gave up",
            Self::TimeUp => "time up",
        }
    }
}

/// One attack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The image's number in the set.
    pub image: usize,
    /// The method's name.
    pub method: String,
    /// How it ended.
    pub ending: AttackEnding,
    /// Seconds of the method alone.
    pub seconds: f64,
    /// What it has spent.
    pub spent: Spent,
    /// What is proved of how near a result can be, by a method that proves something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<Proved>,
    /// The result, of a success.
    pub found: Option<ConfirmedResult>,
}

/// A lower bound of the distance of every adversarial image, and how far the best one known is from it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Proved {
    /// The norm.
    pub norm: Norm,
    /// The distance of the best image; `None` without one.
    pub distance: Option<f64>,
    /// No adversarial image is nearer; `None` if it is proved that there is none at all.
    pub bound: Option<f64>,
    /// By what part of the distance the bound is below it.
    pub gap: f64,
    /// Whether the search has ended: the bound meets the distance, up to a ten-thousandth of it.
    pub optimal: bool,
    /// Parts of the branch and bound.
    pub parts: u64,
}

/// A confirmed result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfirmedResult {
    /// The class that it is taken for.
    pub class: usize,
    /// How far it is from the image, in pixels.
    pub distance: Distance,
    /// What its 8-bit picture is taken for when it is read back.
    pub picture: Picture,
    /// The input, exactly.
    #[serde(with = "exact")]
    pub input: Vec<f32>,
}

/// What the reference engine says of the PNG file of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// It is a success too: this class.
    Adversarial(usize),
    /// It is none: rounding to 8 bits has undone it. The class that it is taken for, if it is taken for any.
    Lost(Option<usize>),
}

impl Picture {
    /// Whether it counts.
    pub fn is_adversarial(self) -> bool {
        matches!(self, Self::Adversarial(_))
    }

    /// The class that it is taken for.
    pub fn class(self) -> Option<usize> {
        match self {
            Self::Adversarial(class) => Some(class),
            Self::Lost(class) => class,
        }
    }
}

/// Numbers in single precision as base64 of their bytes, the lowest first: exact, and half as long as decimals.
mod exact {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        match rest {
            [] => Ok(numbers.iter().map(|four| f32::from_le_bytes(*four)).collect()),
            _ => Err(D::Error::custom("not a whole number of values")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_a_journal_to_the_last_bit() {
        let found = ConfirmedResult {
            class: 3,
            distance: Distance { values: 1, pixels: 1, l1: 0.1, l2: 0.1, linf: 0.1 },
            picture: Picture::Lost(Some(7)),
            input: vec![0.1, -0.0, f32::MIN_POSITIVE, 1.0],
        };
        let record = Record {
            image: 7,
            method: "random-k".into(),
            ending: AttackEnding::Adversarial,
            seconds: 0.125,
            spent: Spent { evaluations: 5, gradients: 1, programs: 0 },
            proved: None,
            found: Some(found),
        };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
        assert!(serde_json::from_str::<Record>(&line.replace("==", "")).is_err());
    }
}
