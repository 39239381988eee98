//! The page's plots: how many units each tool has decided within a time, and the times of two tools, or of two campaigns, against
//! each other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use maud::{Markup, html};

use super::collected::{Asked, Collected, CollectedUnit};
use super::compared::Compared;
use super::result::UnitVerdict;
use crate::report::chart::{self, ChartCurve, ChartScale};
use crate::report::scatter::{ScatterGroup, scatter};

/// Curves in a plot. Where tools have more seeds together, each tool is one curve.
const CURVES: usize = 24;
/// Tools of which each is drawn against each other.
const PAIRED: usize = 4;
/// Steps of a curve: more are not to be seen.
const STEPS: f64 = 700.0;
/// The shortest time that a plot tells from others, in seconds.
const SHORTEST: f64 = 0.01;
/// Letters of a name beside a curve.
const BESIDE: usize = 16;
/// Letters of a name along an axis.
const ALONG: usize = 36;

/// What one tool has decided, and when.
struct SolvedTimes<'a> {
    name: Cow<'a, str>,
    /// In seconds, ascending.
    seconds: Vec<f64>,
    /// Of how many units.
    units: usize,
}

/// The times of what each tool has decided, the best tool first: with each seed by itself, if that is not too many curves.
fn solved<'a>(collected: &'a Collected) -> Vec<SolvedTimes<'a>> {
    let by = |name: &dyn Fn(Asked) -> Cow<'a, str>| {
        let mut found: BTreeMap<Cow<'_, str>, (Vec<f64>, usize)> = BTreeMap::new();
        for unit in &collected.found {
            let (seconds, units) = found.entry(name(unit.asked)).or_default();
            seconds.extend(unit.verdict.is_solved().then_some(time(unit)));
            *units += 1;
            if found.len() > CURVES {
                return None;
            }
        }
        Some(found)
    };
    let of_tool = |asked: Asked| collected.text(asked.tool).into();
    let found = by(&|asked| collected.label(asked)).or_else(|| by(&of_tool)).unwrap_or_default();
    let mut found: Vec<SolvedTimes<'_>> = found
        .into_iter()
        .map(|(name, (mut seconds, units))| {
            seconds.sort_by(f64::total_cmp);
            SolvedTimes { name, seconds, units }
        })
        .collect();
    found.sort_by_key(|of| std::cmp::Reverse(of.seconds.len()));
    found
}

fn time(unit: &CollectedUnit) -> f64 {
    unit.resources.wall_seconds.max(SHORTEST)
}

/// How many units each tool has decided within a time.
pub(super) fn over_time(collected: &Collected) -> Markup {
    let solved = solved(collected);
    let most = solved.iter().map(|of| of.units).max().unwrap_or(0);
    if solved.iter().all(|of| of.seconds.is_empty()) {
        return html! {};
    }
    let scale = ChartScale::of(solved.iter().flat_map(|of| of.seconds.iter().copied()));
    let names: Vec<String> = solved.iter().map(|of| shortened(&of.name, BESIDE)).collect();
    let curves: Vec<ChartCurve<'_>> = solved
        .iter()
        .zip(&names)
        .enumerate()
        .map(|(key, (of, name))| ChartCurve { name, key, points: steps(&of.seconds, most, scale) })
        .collect();
    html! {
        h2 { "Decided over time" }
        div.legend {
            @for (at, of) in solved.iter().enumerate() {
                span.(chart::slot(at)) { (chart::sample()) (of.name) ": " (of.seconds.len()) " of " (of.units) }
            }
        }
        (chart::steps("seconds", scale, &curves))
    }
}

/// The curve of these times, as parts of so many units; of the steps on one place the last.
fn steps(seconds: &[f64], units: usize, scale: ChartScale) -> Vec<(f64, f64)> {
    let place = |time: f64| (STEPS * scale.part(time)) as usize;
    let last = seconds.chunk_by(|a, b| place(*a) == place(*b)).scan(0, |below, same| {
        *below += same.len();
        Some((same[0], *below as f64 / units as f64))
    });
    last.collect()
}

/// A name of so many letters at most, at least nine; seeds stand at its end, which stays.
fn shortened(name: &str, most: usize) -> String {
    match name.char_indices().nth(most) {
        None => name.to_owned(),
        Some(_) => {
            let letters: Vec<char> = name.chars().collect();
            let (begin, end) = (&letters[..most - 8], &letters[letters.len() - 7..]);
            begin.iter().chain(['\u{2026}'].iter()).chain(end).collect()
        }
    }
}

/// Each of the best tools against each other one, on the same instances and seeds.
pub(super) fn pairs(collected: &Collected) -> Markup {
    let mut tools: BTreeMap<_, usize> = BTreeMap::new();
    for unit in &collected.found {
        *tools.entry(unit.asked.tool).or_default() += usize::from(unit.verdict.is_solved());
    }
    let mut best: Vec<_> = tools.into_iter().collect();
    best.sort_by_key(|(_, solved)| std::cmp::Reverse(*solved));
    let all = best.len();
    best.truncate(PAIRED);
    let pairs = (0..best.len()).flat_map(|a| (a + 1..best.len()).map(move |b| (a, b)));
    html! {
        @if all > 1 {
            h2 { "Tool against tool" }
            @if all > PAIRED { p { "The " (PAIRED) " tools that have decided most, of " (all) "." } }
            div.charts {
                @for (a, b) in pairs {
                    @let (a, b) = (best[a].0, best[b].0);
                    @let groups = ScatterGroups::of(&beside(collected, a, b));
                    (groups.figure(collected.text(a), collected.text(b)))
                }
            }
        }
    }
}

/// How both tools have answered where both were asked.
fn beside(collected: &Collected, a: super::NameNumber, b: super::NameNumber) -> Vec<[(UnitVerdict, f64); 2]> {
    let found = &collected.found;
    let of_other = |unit: &CollectedUnit| {
        let asked = Asked { tool: b, ..unit.asked };
        let at = found.binary_search_by_key(&asked, |unit| unit.asked).ok()?;
        Some([unit, &found[at]].map(|unit| (unit.verdict, time(unit))))
    };
    found.iter().filter(|unit| unit.asked.tool == a).filter_map(of_other).collect()
}

/// What has become of units that two campaigns have.
pub(super) fn since(compared: &Compared<'_>) -> Markup {
    let times: Vec<_> =
        compared.times.iter().map(|pair| pair.map(|(verdict, time)| (verdict, time.max(SHORTEST)))).collect();
    ScatterGroups::of(&times).figure("the other campaign", "this campaign")
}

/// Points of two who were asked the same, by what was answered.
#[derive(Default)]
struct ScatterGroups {
    sat: Vec<(Option<f64>, Option<f64>)>,
    unsat: Vec<(Option<f64>, Option<f64>)>,
    opposed: Vec<(Option<f64>, Option<f64>)>,
    /// Decided by both, by the first alone, by the second alone, by none.
    counts: [usize; 4],
}

impl ScatterGroups {
    fn of(asked: &[[(UnitVerdict, f64); 2]]) -> Self {
        let mut groups = Self::default();
        for &[(first, x), (second, y)] in asked {
            let solved = [first, second].map(UnitVerdict::is_solved);
            let (group, count) = match solved {
                [false, false] => {
                    groups.counts[3] += 1;
                    continue;
                }
                [true, true] if first != second => (&mut groups.opposed, 0),
                [true, other] if first == UnitVerdict::Sat => (&mut groups.sat, usize::from(!other)),
                [true, other] => (&mut groups.unsat, usize::from(!other)),
                [false, true] if second == UnitVerdict::Sat => (&mut groups.sat, 2),
                [false, true] => (&mut groups.unsat, 2),
            };
            groups.counts[count] += 1;
            group.push((solved[0].then_some(x), solved[1].then_some(y)));
        }
        groups
    }

    fn figure(self, x: &str, y: &str) -> Markup {
        let [both, first, second, none] = self.counts;
        let group = |name, class, points| ScatterGroup { name, class, points };
        let groups = [
            group("sat", "s0", self.sat),
            group("unsat", "s1", self.unsat),
            group("sat against unsat", "s5", self.opposed),
        ];
        html! {
            figure {
                (scatter(&shortened(x, ALONG), &shortened(y, ALONG), &groups))
                figcaption {
                    span.legend {
                        @for group in groups.iter().filter(|group| !group.points.is_empty()) {
                            span.(group.class) { (chart::sample()) (group.name) ": " (group.points.len()) }
                        }
                    }
                    "Decided by both " (both) ", by " (x) " alone " (first) ", by " (y) " alone " (second) ", by neither " (none) "."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::collected::tests::with;

    #[test]
    fn two_are_compared_where_both_were_asked() {
        use UnitVerdict::{Sat, Timeout, Unsat};
        let both = [(Sat, 1.0), (Unsat, 2.0)];
        let cases = [
            both,
            [(Sat, 1.0), (Sat, 0.1)],
            [(Sat, 1.0), (Timeout, 9.0)],
            [(Timeout, 9.0), (Unsat, 3.0)],
            [(Timeout, 9.0); 2],
        ];
        let groups = ScatterGroups::of(&cases);
        assert_eq!(groups.opposed, [(Some(1.0), Some(2.0))]);
        assert_eq!(groups.sat, [(Some(1.0), Some(0.1)), (Some(1.0), None)]);
        assert_eq!((groups.unsat, groups.counts), (vec![(None, Some(3.0))], [2, 1, 1, 1]));
    }

    #[test]
    fn plots_are_of_those_who_have_decided_something() {
        use UnitVerdict::{Sat, Timeout, Unsat};
        let check = |results: &[(UnitVerdict, f64)], curves: usize, figures: usize, said: &str| {
            let (_temporary, folder, plan) = with(results);
            let mut collected = Collected::default();
            collected.add(&folder, &plan).unwrap();
            let page = over_time(&collected).into_string();
            assert_eq!(page.matches("data-key").count(), 2 * curves, "{page}");
            let page = pairs(&collected).into_string();
            assert_eq!(page.matches("<figure").count(), figures, "{page}");
            assert!(page.contains(said), "no {said} in {page}");
        };
        check(&[], 0, 0, "");
        check(&[(Timeout, 3.0)], 0, 0, "");
        check(&[(Sat, 1.0), (Timeout, 3.0)], 2, 0, "");
        let said = "Decided by both 0, by counterpatch alone 1, by other alone 1, by neither 0.";
        check(&[(Sat, 1.0), (Timeout, 3.0), (Timeout, 1.0), (Unsat, 0.001)], 4, 1, said);
    }

    #[test]
    fn curves_have_few_steps_and_names_few_letters() {
        let seconds: Vec<f64> = (1..100_000).map(f64::from).collect();
        let steps = steps(&seconds, 200_000, ChartScale::of(seconds.iter().copied()));
        assert!(steps.len() <= STEPS as usize + 1 && steps.is_sorted(), "{}", steps.len());
        assert_eq!(steps.last().map(|(_, part)| *part), Some(99_999.0 / 200_000.0));
        for (name, short) in
            [("counterpatch", "counterpatch"), ("counterpatch-seed12", "counterp\u{2026}-seed12"), ("", "")]
        {
            assert_eq!(shortened(name, BESIDE), short);
        }
    }
}
