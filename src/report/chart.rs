//! Charts as SVG: a scale with round ticks, and curves of which few are emphasised. An emphasised curve has a colour that
//! colour-blind readers tell from the others (Okabe and Ito's), a dash of its own, and its name beside its end; all others
//! are grey. The classes `s0` to `s5` of style.css are these styles.

use maud::{Markup, html};

/// Curves that are emphasised at a time: more cannot be followed.
pub(crate) const EMPHASISED: usize = 6;
/// From this quotient of the largest and the smallest number on a scale is logarithmic.
const WIDE: f64 = 30.0;

/// The drawing, in units of its own: a page scales it to its column.
const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 44.0;
/// Where curves end and names begin.
const RIGHT: f64 = 400.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 254.0;
/// Between two names below each other.
const LINE: f64 = 15.0;

/// Where numbers from zero on lie between the ends of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ChartScale {
    /// Evenly, from zero.
    Linear {
        /// The end.
        most: f64,
    },
    /// By their logarithms.
    Logarithmic {
        /// The beginning.
        least: f64,
        /// The end.
        most: f64,
    },
}

impl ChartScale {
    /// A scale on which all of these can be told from each other.
    pub(crate) fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let (least, most) = ends(numbers);
        match most {
            0.0 => Self::Linear { most: 1.0 },
            _ if most / least > WIDE => Self::Logarithmic { least: 0.8 * least, most },
            _ => Self::Linear { most },
        }
    }

    /// The same, by logarithms whatever the numbers are.
    pub(crate) fn logarithmic(numbers: impl Iterator<Item = f64>) -> Self {
        let (least, most) = ends(numbers);
        // One number is no scale.
        match most {
            0.0 => Self::Logarithmic { least: 0.1, most: 10.0 },
            _ => Self::Logarithmic { least, most: most.max(10.0 * least) },
        }
    }

    /// From 0 to 1.
    pub(crate) fn part(&self, number: f64) -> f64 {
        let part = match *self {
            Self::Linear { most } => number / most,
            Self::Logarithmic { least, most } => (number / least).ln() / (most / least).ln(),
        };
        if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) }
    }

    /// Round numbers on it, ascending.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        match *self {
            Self::Linear { most } => {
                let rough = most / 4.0;
                let power = 10_f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
                let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
                (0..8).map(|at| f64::from(at) * step).take_while(|tick| *tick <= most * 1.0001).collect()
            }
            Self::Logarithmic { least, most } => {
                let (first, last) = (least.log10().ceil() as i32, most.log10().floor() as i32);
                // Of many powers of ten every second or third.
                let stride = ((last - first) / 5 + 1).max(1);
                let powers = (first..=last).step_by(stride as usize).map(|power| 10_f64.powi(power));
                powers.collect()
            }
        }
    }
}

/// The smallest and the largest of the numbers that are positive and finite; infinity and zero if there are none.
fn ends(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let positive = numbers.filter(|number| *number > 0.0 && number.is_finite());
    positive.fold((f64::INFINITY, 0.0_f64), |(least, most), number| (least.min(number), most.max(number)))
}

/// A curve: parts from 0 to 1 over numbers on the scale, both ascending.
#[derive(Debug, Clone)]
pub(crate) struct ChartCurve<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// What a script knows it by on all charts of a page.
    pub(crate) key: usize,
    /// Its steps.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Curves that climb in steps, over one scale; the first ones are emphasised. `label` names the numbers.
pub(crate) fn steps(label: &str, scale: ChartScale, curves: &[ChartCurve<'_>]) -> Markup {
    let ends: Vec<f64> = curves.iter().map(|curve| y(curve.points.last().map_or(0.0, |end| end.1))).collect();
    let places = apart(&ends[..ends.len().min(EMPHASISED)]);
    html! {
        svg.chart.steps viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            (grid(label, scale))
            // What is drawn last is on top.
            @for (at, curve) in curves.iter().enumerate().rev() {
                @let slot = slot(at);
                path.curve.(slot) data-key=(curve.key) d=(path(scale, curve)) { title { (curve.name) } }
                text.name.(slot) data-key=(curve.key) data-y=(pixels(ends[at])) x=(pixels(RIGHT + 7.0))
                    y=(pixels(places.get(at).copied().unwrap_or(ends[at]) + 4.0)) { (curve.name) }
            }
        }
    }
}

/// The class of the curve at a place in the list; none from a certain one on.
pub(crate) fn slot(at: usize) -> String {
    if at < EMPHASISED { format!("s{at}") } else { "plain".to_owned() }
}

/// A short line in the style of a class, for a legend.
pub(crate) fn sample() -> Markup {
    html! { svg.sample viewBox="0 0 30 8" aria-hidden="true" { path.curve d="M0 4H30" {} } }
}

/// A number in three digits or so.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    let text = match size {
        // Of both signs.
        0.0 => return "0".to_owned(),
        _ if number.fract() == 0.0 && size < 1e6 => return format!("{number}"),
        0.001..0.1 => format!("{number:.4}"),
        0.1..10.0 => format!("{number:.3}"),
        10.0..100.0 => format!("{number:.2}"),
        100.0..1e6 => return format!("{number:.0}"),
        _ => return format!("{number:.1e}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn grid(label: &str, scale: ChartScale) -> Markup {
    html! {
        @for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
            path.line d=(format!("M{LEFT} {:.1}H{RIGHT}", y(part))) {}
            text x=(pixels(LEFT - 5.0)) y=(pixels(y(part) + 4.0)) text-anchor="end" { (format!("{:.0}%", 100.0 * part)) }
        }
        @for tick in scale.ticks() {
            @let at = x(scale.part(tick));
            path.line d=(format!("M{at:.1} {BOTTOM}v5")) {}
            text x=(pixels(at)) y=(pixels(BOTTOM + 19.0)) text-anchor="middle" { (short(tick)) }
        }
        text x=(pixels((LEFT + RIGHT) / 2.0)) y=(pixels(HEIGHT - 6.0)) text-anchor="middle" { (label) }
    }
}

fn path(scale: ChartScale, curve: &ChartCurve<'_>) -> String {
    let step = |&(number, part): &(f64, f64)| format!("H{:.1}V{:.1}", x(scale.part(number)), y(part));
    let steps: String = curve.points.iter().map(step).collect();
    format!("M{LEFT} {BOTTOM}{steps}H{RIGHT}")
}

/// Heights of names: each near its curve's end, and no two on each other. The script of a page does the same when others are chosen.
fn apart(ends: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ends.len()).collect();
    order.sort_by(|&a, &b| ends[a].total_cmp(&ends[b]));
    let mut places = ends.to_vec();
    for pair in order.windows(2) {
        places[pair[1]] = places[pair[1]].max(places[pair[0]] + LINE);
    }
    // What was pushed out at the bottom goes up, and pushes others.
    let mut lowest = BOTTOM;
    for &at in order.iter().rev() {
        places[at] = places[at].min(lowest);
        lowest = places[at] - LINE;
    }
    places
}

fn x(part: f64) -> f64 {
    LEFT + part * (RIGHT - LEFT)
}

fn y(part: f64) -> f64 {
    BOTTOM - part * (BOTTOM - TOP)
}

fn pixels(at: f64) -> String {
    format!("{at:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_on_the_scale() {
        let check = |numbers: &[f64], want: &[f64]| {
            let scale = ChartScale::of(numbers.iter().copied());
            let ticks = scale.ticks();
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs();
            assert!(
                ticks.len() == want.len() && ticks.iter().zip(want).all(near),
                "{ticks:?} for {numbers:?}"
            );
            assert_eq!(scale.part(*numbers.last().unwrap_or(&1.0)), 1.0);
        };
        check(&[], &[0.0, 0.5, 1.0]);
        check(&[0.1, 0.9], &[0.0, 0.5]);
        check(&[3.0, 64.0], &[0.0, 20.0, 40.0, 60.0]);
        check(&[0.03, 0.5, 4.0], &[0.1, 1.0]);
        check(&[1e-9, f64::INFINITY, 1e3], &[1e-9, 1e-6, 1e-3, 1.0, 1e3]);
    }

    #[test]
    fn names_stand_near_their_curves_and_not_on_each_other() {
        for ends in [vec![], vec![100.0], vec![BOTTOM; 6], vec![TOP; 6], vec![60.0, 61.0, 200.0, 62.0]] {
            let mut places = apart(&ends);
            assert!(
                ends.iter().zip(&places).all(|(a, b)| (a - b).abs() <= 5.0 * LINE),
                "{ends:?}: {places:?}"
            );
            places.sort_by(f64::total_cmp);
            assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= LINE - 1e-9), "{ends:?}: {places:?}");
            assert!(places.iter().all(|place| (TOP..=BOTTOM).contains(place)), "{ends:?}: {places:?}");
        }
    }

    #[test]
    fn few_curves_are_emphasised() {
        let names: Vec<String> = (0..9).map(|at| format!("<{at}>")).collect();
        let curve = |(key, name)| ChartCurve { name, key, points: vec![(0.5, 0.1 * key as f64)] };
        let curves: Vec<_> = names.iter().map(String::as_str).enumerate().map(curve).collect();
        let chart = steps("L2", ChartScale::Linear { most: 1.0 }, &curves).into_string();
        assert_eq!((chart.matches("curve s").count(), chart.matches("curve plain").count()), (EMPHASISED, 3));
        assert!(chart.contains("&lt;0&gt;") && chart.contains("M44 254H222.0V254.0H400"), "{chart}");
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.25, "0.25"),
            (-0.0314159, "-0.0314"),
            (12.3456, "12.35"),
            (1234.5, "1234"),
            (1e-5, "1.0e-5"),
            (2.5e9, "2.5e9"),
        ] {
            assert_eq!(short(number), text);
        }
    }
}
