//! Which network files are meant: one path, the competition's list `[('f', 'a.onnx'), ('g', 'b.onnx')]` in one
//! argument, or `--network NAME=FILE`.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while};
use nom::character::complete::{char, multispace0};
use nom::combinator::{all_consuming, opt};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded, separated_pair, terminated};
use nom::{IResult, Parser};
use vnnlib::Query;

use super::config::UsageError;
use crate::problem::names;

/// The networks as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Networks {
    /// One file, for whatever name the property declares.
    One(PathBuf),
    /// Files by declared name.
    Named(Vec<(String, PathBuf)>),
}

impl Networks {
    /// Reads the competition's argument: a path, or a list literal.
    pub(super) fn positional(text: &str) -> Self {
        match list(text) {
            Ok((_, named)) => Self::Named(named),
            Err(_) => Self::One(PathBuf::from(text)),
        }
    }

    /// Reads `--network NAME=FILE` options.
    ///
    /// # Errors
    /// If one lacks its name or its file.
    pub(super) fn named(options: &[String]) -> Result<Self, UsageError> {
        let pair = |option: &String| match option.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => {
                Ok((name.to_owned(), PathBuf::from(file)))
            }
            _ => Err(UsageError::Network(option.clone())),
        };
        Ok(Self::Named(options.iter().map(pair).collect::<Result<_, _>>()?))
    }

    /// The same networks in other places.
    pub(super) fn mapped(&self, place: impl Fn(&Path) -> PathBuf) -> Self {
        match self {
            Self::One(path) => Self::One(place(path)),
            Self::Named(named) => {
                Self::Named(named.iter().map(|(name, path)| (name.clone(), place(path))).collect())
            }
        }
    }

    /// All files with the names that they were given.
    pub(super) fn files(&self) -> Vec<(Option<&str>, &Path)> {
        match self {
            Self::One(path) => vec![(None, path)],
            Self::Named(named) => {
                named.iter().map(|(name, path)| (Some(name.as_str()), path.as_path())).collect()
            }
        }
    }

    /// The files of the query's networks that need one, in declaration order.
    ///
    /// # Errors
    /// If there are too few or too many, or one has another name.
    pub(super) fn files_for(&self, query: &Query) -> Result<Vec<PathBuf>, UsageError> {
        match self {
            Self::One(path) => match names::needing(query).as_slice() {
                [_] => Ok(vec![path.clone()]),
                several => Err(UsageError::OneNetwork(several.join(", "))),
            },
            Self::Named(named) => Ok(names::in_order(named, query)?.into_iter().cloned().collect()),
        }
    }
}

/// As the competition writes them.
impl Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair = |(name, path): &(String, PathBuf)| format!("('{name}', '{}')", path.display());
        match self {
            Self::One(path) => path.display().fmt(f),
            Self::Named(named) => write!(f, "[{}]", named.iter().map(pair).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// `list = "[" pair { "," pair } [ "," ] "]"`, a Python literal
fn list(input: &str) -> IResult<&str, Vec<(String, PathBuf)>> {
    let comma = || delimited(multispace0, char(','), multispace0);
    let pairs = terminated(separated_list1(comma(), pair), opt(comma()));
    let brackets = delimited((char('['), multispace0), pairs, (multispace0, char(']')));
    all_consuming(delimited(multispace0, brackets, multispace0)).parse(input)
}

/// `pair = "(" string "," string ")"`
fn pair(input: &str) -> IResult<&str, (String, PathBuf)> {
    let comma = delimited(multispace0, char(','), multispace0);
    let strings = separated_pair(string, comma, string);
    let inside = delimited((char('('), multispace0), strings, (multispace0, char(')')));
    inside.map(|(name, file)| (name.to_owned(), PathBuf::from(file))).parse(input)
}

/// `string = "'" { character } "'" | '"' { character } '"'`, without escapes
fn string(input: &str) -> IResult<&str, &str> {
    let quoted = |quote: &'static str| {
        preceded(tag(quote), terminated(take_while(move |c| !quote.starts_with(c)), tag(quote)))
    };
    alt((quoted("'"), quoted("\""))).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_competitions_list_is_told_from_a_path() {
        let named = |pairs: &[(&str, &str)]| {
            Networks::Named(pairs.iter().map(|&(n, f)| (n.to_owned(), f.into())).collect())
        };
        let cases = [
            ("[('f', './a.onnx'), ('g', 'b.onnx')]", named(&[("f", "./a.onnx"), ("g", "b.onnx")])),
            (r#"[("f","a b.onnx")]"#, named(&[("f", "a b.onnx")])),
            ("[('f', 'a.onnx'),]", named(&[("f", "a.onnx")])),
            ("./a.onnx", Networks::One("./a.onnx".into())),
            ("[odd].onnx", Networks::One("[odd].onnx".into())),
        ];
        for (text, want) in cases {
            assert_eq!(Networks::positional(text), want, "{text}");
        }
    }

    #[test]
    fn names_are_matched_with_declarations() {
        let two = "(vnnlib-version <2.0>)\
            (declare-network f (declare-input X real [1]) (declare-output Y real [1]))\
            (declare-network g (equal-to f) (declare-input U real [1]) (declare-output V real [1]))\
            (declare-network h (isomorphic-to f) (declare-input R real [1]) (declare-output S real [1]))\
            (assert (<= Y[0] S[0]))";
        let query = vnnlib::parse(two).unwrap();
        let files = |options: &[&str]| {
            let options: Vec<String> = options.iter().map(|&o| o.to_owned()).collect();
            Networks::named(&options).and_then(|networks| networks.files_for(&query))
        };
        assert_eq!(files(&["h=b", "f=a"]), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(files(&["f=a"]), Err(UsageError::MissingNetwork("h".into())));
        assert_eq!(files(&["f=a", "h=b", "x=c"]), Err(UsageError::UndeclaredNetwork("x".into())));
        assert_eq!(files(&["f"]), Err(UsageError::Network("f".into())));
        assert_eq!(Networks::One("a".into()).files_for(&query), Err(UsageError::OneNetwork("f, h".into())));
    }
}
