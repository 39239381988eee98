//! Plots as inline SVG: success against budget, and how the distances of each method are spread.

use maud::{Markup, html};

use crate::attack::summary::{Curve, MethodRow, Summary};
use crate::report::markup::{colour, legend};

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 46.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 10.0;
/// Bins of a distribution.
const BINS: usize = 24;

/// A distance: its name, and the curve of a row over it.
type Measure = (&'static str, fn(&MethodRow) -> &Curve);

/// Both kinds of plots, for each distance.
pub(super) fn plots(summary: &Summary) -> Markup {
    let measures: [Measure; 3] = [
        ("values changed (L0)", |row| &row.curve_values),
        ("L2", |row| &row.curve_l2),
        ("Linf", |row| &row.curve_linf),
    ];
    html! {
        h2 { "Success against budget" }
        (legend(summary.rows.iter().map(|row| row.method.clone())))
        p {
            "The part of the attacked images that each method changes successfully within a distance. A method that leaves the \
             valid range shows its own successes."
        }
        div.plots { @for measure in measures { (budget_plot(summary, measure)) } }
        h2 { "Distributions" }
        p { "The part of a method's successes at each distance." }
        div.plots { @for measure in measures { (distribution(summary, measure)) } }
    }
}

fn largest(summary: &Summary, of: fn(&MethodRow) -> &Curve) -> f64 {
    let ends = summary.rows.iter().filter_map(|row| of(row).points.last());
    ends.fold(0.0_f64, |most, point| most.max(point.0)).max(f64::MIN_POSITIVE)
}

fn budget_plot(summary: &Summary, (name, of): Measure) -> Markup {
    let most = largest(summary, of);
    let path = |row: &MethodRow| {
        let steps = of(row).points.iter();
        let steps: String =
            steps.map(|&(distance, part)| format!("H{:.1}V{:.1}", x(distance / most), y(part))).collect();
        format!("M{LEFT} {:.1}{steps}H{WIDTH}", HEIGHT - BOTTOM)
    };
    frame(name, most, 1.0, summary.rows.iter().map(|row| (row.method.as_str(), path(row))))
}

fn distribution(summary: &Summary, (name, of): Measure) -> Markup {
    let most = largest(summary, of);
    let rows: Vec<Vec<f64>> = summary.rows.iter().map(|row| bins(&of(row).points, most)).collect();
    let highest = rows.iter().flatten().fold(f64::MIN_POSITIVE, |most, &part| most.max(part));
    let path = |bins: &[f64]| {
        let end = |bin: usize| x((bin + 1) as f64 / BINS as f64);
        let steps = bins.iter().enumerate();
        let steps: String =
            steps.map(|(bin, part)| format!("V{:.1}H{:.1}", y(part / highest), end(bin))).collect();
        format!("M{LEFT} {:.1}{steps}", HEIGHT - BOTTOM)
    };
    let curves = summary.rows.iter().zip(&rows).map(|(row, bins)| (row.method.as_str(), path(bins)));
    frame(name, most, highest, curves)
}

/// The part of the successes in each of equally wide bins up to `most`.
fn bins(points: &[(f64, f64)], most: f64) -> Vec<f64> {
    let mut bins = vec![0.0; BINS];
    let (all, mut before) = (points.last().map_or(1.0, |last| last.1), 0.0);
    for &(distance, part) in points {
        let bin = ((distance / most * BINS as f64) as usize).min(BINS - 1);
        bins[bin] += (part - before) / all;
        before = part;
    }
    bins
}

fn x(part: f64) -> f64 {
    LEFT + part * (WIDTH - LEFT)
}

fn y(part: f64) -> f64 {
    HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP)
}

/// A plot of curves, each a name and a path, with axes from 0 to `most` and to `highest`.
fn frame<'a>(name: &str, most: f64, highest: f64, curves: impl Iterator<Item = (&'a str, String)>) -> Markup {
    let pixels = |at: f64| format!("{at:.1}");
    html! {
        svg width=(WIDTH) height=(HEIGHT) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(name) {
            path.axis d=(format!("M{LEFT} {TOP}V{:.1}H{WIDTH}", HEIGHT - BOTTOM)) {}
            @for part in [0.0, 0.5, 1.0] {
                @let anchor = if part == 1.0 { "end" } else { "middle" };
                text x=(pixels(x(part))) y=(pixels(HEIGHT - BOTTOM + 14.0)) text-anchor=(anchor) { (short(most * part)) }
                text x=(pixels(LEFT - 4.0)) y=(pixels(y(part) + 4.0)) text-anchor="end" {
                    (format!("{:.0}%", 100.0 * highest * part))
                }
            }
            text x=(pixels((LEFT + WIDTH) / 2.0)) y=(pixels(HEIGHT - 4.0)) text-anchor="middle" { (name) }
            @for (at, (method, path)) in curves.enumerate() {
                path.curve stroke=(colour(at)) d=(path) { title { (method) } }
            }
        }
    }
}

/// Three digits.
fn short(number: f64) -> String {
    if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_all_successes() {
        let bins = bins(&[(0.0, 0.1), (0.5, 0.2), (1.0, 0.4)], 1.0);
        assert_eq!((bins[0], bins[BINS / 2], bins[BINS - 1]), (0.25, 0.25, 0.5));
        assert!((bins.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
