//! Plots as inline SVG: success against budget, and how the distances of each method are spread.

use std::fmt::{self, Write};

use crate::attack::summary::{Curve, MethodRow, Summary};
use crate::report::markup::Text;

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
pub(super) fn write(out: &mut String, summary: &Summary) -> fmt::Result {
    let measures: [Measure; 3] = [
        ("values changed (L0)", |row| &row.curve_values),
        ("L2", |row| &row.curve_l2),
        ("Linf", |row| &row.curve_linf),
    ];
    writeln!(out, "<h2>Success against budget</h2>\n<p>")?;
    for (at, row) in summary.rows.iter().enumerate() {
        write!(out, "<span style=\"color:{}\">&#9632;</span> {} &nbsp; ", colour(at), Text(&row.method))?;
    }
    writeln!(
        out,
        "</p>\n<p>The part of the attacked images that each method changes successfully within a distance. A method that \
         leaves the valid range shows its own successes.</p>\n<div class=\"plots\">"
    )?;
    measures.iter().try_for_each(|measure| budget_plot(out, summary, *measure))?;
    writeln!(
        out,
        "</div>\n<h2>Distributions</h2>\n<p>The part of a method's successes at each distance.</p>\n<div class=\"plots\">"
    )?;
    measures.iter().try_for_each(|measure| distribution(out, summary, *measure))?;
    writeln!(out, "</div>")
}

/// Colours that are told apart, around the circle in steps of the golden angle.
fn colour(at: usize) -> String {
    format!("hsl({:.0} 65% 50%)", at as f64 * 137.508 % 360.0)
}

fn largest(summary: &Summary, of: fn(&MethodRow) -> &Curve) -> f64 {
    let ends = summary.rows.iter().filter_map(|row| of(row).points.last());
    ends.fold(0.0_f64, |most, point| most.max(point.0)).max(f64::MIN_POSITIVE)
}

fn budget_plot(out: &mut String, summary: &Summary, (name, of): Measure) -> fmt::Result {
    let most = largest(summary, of);
    frame(out, name, most, 1.0)?;
    for (at, row) in summary.rows.iter().enumerate() {
        let mut path = format!("M{LEFT} {:.1}", HEIGHT - BOTTOM);
        for &(distance, part) in &of(row).points {
            write!(path, "H{:.1}V{:.1}", x(distance / most), y(part))?;
        }
        curve(out, at, &row.method, &format!("{path}H{WIDTH}"))?;
    }
    writeln!(out, "</svg>")
}

fn distribution(out: &mut String, summary: &Summary, (name, of): Measure) -> fmt::Result {
    let most = largest(summary, of);
    let rows: Vec<Vec<f64>> = summary.rows.iter().map(|row| bins(&of(row).points, most)).collect();
    let highest = rows.iter().flatten().fold(f64::MIN_POSITIVE, |most, &part| most.max(part));
    frame(out, name, most, highest)?;
    for (at, (row, bins)) in summary.rows.iter().zip(&rows).enumerate() {
        let mut path = format!("M{LEFT} {:.1}", HEIGHT - BOTTOM);
        for (bin, part) in bins.iter().enumerate() {
            write!(path, "V{:.1}H{:.1}", y(part / highest), x((bin + 1) as f64 / BINS as f64))?;
        }
        curve(out, at, &row.method, &path)?;
    }
    writeln!(out, "</svg>")
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

fn curve(out: &mut String, at: usize, method: &str, path: &str) -> fmt::Result {
    let (colour, method) = (colour(at), Text(method));
    writeln!(out, "<path class=\"curve\" stroke=\"{colour}\" d=\"{path}\"><title>{method}</title></path>")
}

/// The opening of a plot, with axes from 0 to `most` and to `highest`.
fn frame(out: &mut String, name: &str, most: f64, highest: f64) -> fmt::Result {
    writeln!(
        out,
        "<svg width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name}\">\n\
         <path class=\"axis\" d=\"M{LEFT} {TOP}V{:.1}H{WIDTH}\"/>",
        HEIGHT - BOTTOM
    )?;
    for part in [0.0, 0.5, 1.0] {
        let anchor = if part == 1.0 { "end" } else { "middle" };
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0}%</text>",
            x(part),
            HEIGHT - BOTTOM + 14.0,
            short(most * part),
            LEFT - 4.0,
            y(part) + 4.0,
            100.0 * highest * part
        )?;
    }
    writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
        (LEFT + WIDTH) / 2.0,
        HEIGHT - 4.0
    )
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
