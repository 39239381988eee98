//! `--limit`: how far a run may change an image. A norm that is named several times asks for a run with each.

use crate::attack::Limits;
use crate::cli::config::{UsageError, fraction};

/// The limits of one run, and how they were typed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Typed {
    /// `linf=8/255`, or two with a comma between them, or nothing.
    pub(super) text: String,
    /// What it means.
    pub(super) limits: Limits,
}

impl Typed {
    /// The name of the run's folder, of letters that every file system takes: `linf-8_255`.
    pub(super) fn folder(&self) -> String {
        let letter = |letter: char| match letter {
            '=' | ',' => '-',
            '/' => '_',
            letter => letter,
        };
        self.text.chars().map(letter).collect()
    }
}

/// A number with its text.
struct WrittenLimit {
    text: String,
    number: f32,
}

/// All runs: each limit of the one norm with each of the other.
///
/// # Errors
/// [`UsageError`] names a text that is no limit, and two that are the same.
pub(super) fn runs(texts: &[String], pixels: Option<usize>) -> Result<Vec<Typed>, UsageError> {
    let (mut linf, mut l2) = (Vec::new(), Vec::new());
    for text in texts {
        let wrong = || UsageError::Limit(text.clone());
        let (norm, number) = text.split_once('=').ok_or_else(wrong)?;
        let value = fraction(number).map(|x| x as f32);
        let number = value.filter(|x| *x > 0.0 && x.is_finite()).ok_or_else(wrong)?;
        let list = match norm.trim() {
            "linf" => &mut linf,
            "l2" => &mut l2,
            _ => return Err(wrong()),
        };
        // What `fraction` takes has digits, signs, points, an `e` and a quotient's bar, and perhaps blanks.
        let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        if let Some(WrittenLimit { text: first, .. }) =
            list.iter().find(|limit: &&WrittenLimit| limit.number == number)
        {
            return Err(UsageError::SameLimit { first: first.clone(), second: text });
        }
        list.push(WrittenLimit { text, number });
    }
    let or_none = |list: &[WrittenLimit]| -> Vec<(String, f32)> {
        match list {
            [] => vec![(String::new(), f32::INFINITY)],
            list => list.iter().map(|limit| (limit.text.clone(), limit.number)).collect(),
        }
    };
    let (linf, l2) = (or_none(&linf), or_none(&l2));
    let both = linf.iter().flat_map(|linf| l2.iter().map(move |l2| (linf, l2)));
    let run = |((first, linf), (second, l2)): (&(String, f32), &(String, f32))| {
        let comma = if first.is_empty() || second.is_empty() { "" } else { "," };
        let limits = Limits { linf: *linf, l2: *l2, pixels: pixels.unwrap_or(usize::MAX) };
        Typed { text: format!("{first}{comma}{second}"), limits }
    };
    Ok(both.map(run).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Typed>, UsageError> {
        let texts: Vec<String> = text.split(',').filter(|text| *text != "-").map(str::to_owned).collect();
        runs(&texts, Some(4))
    }

    #[test]
    fn limits_name_their_norm_and_those_of_one_norm_are_a_run_each() {
        let (none, eight) = (f32::INFINITY, 8.0 / 255.0);
        let check = |text: &str, want: &[(&str, &str, f32, f32)]| {
            let found = read(text).unwrap();
            let told: Vec<_> = found
                .iter()
                .map(|run| (run.text.clone(), run.folder(), run.limits.linf, run.limits.l2))
                .collect();
            let want: Vec<_> = want.iter().map(|&(a, b, c, d)| (a.to_owned(), b.to_owned(), c, d)).collect();
            assert_eq!(told, want, "{text}");
            assert!(found.iter().all(|run| run.limits.pixels == 4), "{text}");
        };
        check("-", &[("", "", none, none)]);
        check("linf=0.5", &[("linf=0.5", "linf-0.5", 0.5, none)]);
        check("l2=1/2", &[("l2=1/2", "l2-1_2", none, 0.5)]);
        check("l2=2,linf=.5", &[("linf=.5,l2=2", "linf-.5-l2-2", 0.5, 2.0)]);
        check(" linf = 8 / 255 ", &[("linf=8/255", "linf-8_255", eight, none)]);
        check(
            "linf=8/255,linf=5e-1",
            &[("linf=8/255", "linf-8_255", eight, none), ("linf=5e-1", "linf-5e-1", 0.5, none)],
        );
        check(
            "linf=1,l2=3,l2=2,linf=.5",
            &[
                ("linf=1,l2=3", "linf-1-l2-3", 1.0, 3.0),
                ("linf=1,l2=2", "linf-1-l2-2", 1.0, 2.0),
                ("linf=.5,l2=3", "linf-.5-l2-3", 0.5, 3.0),
                ("linf=.5,l2=2", "linf-.5-l2-2", 0.5, 2.0),
            ],
        );
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for wrong in [
            "linf=8/0",
            "linf=/255",
            "linf=8/255/2",
            "linf",
            "linf=",
            "l3=1",
            "linf=0",
            "l2=-1",
            "l2=inf",
            "l2=nan",
            "",
        ] {
            assert!(matches!(read(wrong), Err(UsageError::Limit(text)) if text == wrong), "{wrong}");
        }
    }

    #[test]
    fn limits_that_are_the_same_are_named() {
        let check = |text: &str, message: &str| {
            assert_eq!(read(text).unwrap_err().to_string(), message, "{text}");
        };
        check("linf=1,linf=1", "--limit linf=1 and --limit linf=1 are the same limit (help: name each once)");
        check(
            "linf=2/255,l2=1,linf=4/510",
            "--limit linf=2/255 and --limit linf=4/510 are the same limit (help: name each once)",
        );
        assert!(read("linf=1,l2=1").is_ok());
    }
}
