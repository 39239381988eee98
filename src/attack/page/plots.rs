//! Success within a distance as curves, and how the distances of each method are spread, as inline SVG: in the run's norm,
//! and folded in the others.

use maud::{Markup, html};

use super::{Content, name, norm_name};
use crate::attack::measures::curve::curve;
use crate::attack::measures::distance::Distance;
use crate::attack::summary::MethodRow;
use crate::nearest::Norm;
use crate::report::chart::{self, ChartCurve, ChartScale, EMPHASISED, short, slot};

/// The drawing of spreads, in units of its own.
const WIDTH: f64 = 520.0;
/// Where names end and the scale begins.
const LEFT: f64 = 170.0;
const RIGHT: f64 = 500.0;
const ROW: f64 = 20.0;

/// A method with the distances of its successes as steps.
struct MethodSteps<'a> {
    row: &'a MethodRow,
    key: usize,
    points: Vec<(f64, f64)>,
}

/// All plots.
pub(super) fn plots(content: &Content<'_>) -> Markup {
    let ranked = content.ranked();
    let others = Norm::ALL.into_iter().filter(|norm| *norm != content.norm);
    html! {
        h2 { "Success within a distance" }
        div.chips {
            @for (at, row) in ranked.iter().enumerate() {
                @let (slot, key) = (slot(at), content.key(row));
                button.chip.(slot) data-key=(key) aria-pressed=(at < EMPHASISED) title=(row.about) {
                    (chart::sample()) (name(row))
                }
            }
        }
        p {
            "The part of the attacked images that each method changes successfully within a distance. Six methods at most are \
             emphasised: a press on a name chooses it, pointing at a curve or a name shows it everywhere. On the right the smallest, \
             the middle half, the median and the largest distance of each method's successes."
        }
        div.charts { (pair(content, &ranked, content.norm)) }
        details {
            summary { "The same in other norms" }
            div.charts { @for norm in others { (pair(content, &ranked, norm)) } }
        }
    }
}

fn pair(content: &Content<'_>, ranked: &[&MethodRow], norm: Norm) -> Markup {
    let curves: Vec<MethodSteps<'_>> = ranked.iter().map(|row| points(content, row, norm)).collect();
    let scale = scale_of(content, norm);
    let drawn: Vec<ChartCurve<'_>> = curves
        .iter()
        .map(|MethodSteps { row, key, points }| ChartCurve {
            name: &row.method,
            key: *key,
            points: points.clone(),
        })
        .collect();
    let label = format!("{} of the change", norm_name(norm));
    html! {
        (chart::steps(&label, scale, &drawn))
        (spreads(&label, scale, &curves))
    }
}

fn distance(norm: Norm, distance: &Distance) -> f64 {
    match norm {
        Norm::L0 => distance.pixels as f64,
        Norm::L1 => distance.l1,
        Norm::L2 => distance.l2,
        Norm::Linf => distance.linf,
    }
}

fn points<'a>(content: &Content<'a>, row: &'a MethodRow, norm: Norm) -> MethodSteps<'a> {
    let found = content.records.iter().filter(|record| record.method == row.method);
    let distances = found.filter_map(|record| Some(distance(norm, &record.found.as_ref()?.distance)));
    MethodSteps { row, key: content.key(row), points: curve(distances, row.attacked) }
}

fn scale_of(content: &Content<'_>, norm: Norm) -> ChartScale {
    let found = content.records.iter().filter_map(|record| record.found.as_ref());
    ChartScale::of(found.map(|found| distance(norm, &found.distance)))
}

/// The distance within which a part of a method's own successes lies.
fn quantile(points: &[(f64, f64)], part: f64) -> Option<f64> {
    let all = points.last()?.1;
    points.iter().find(|point| point.1 >= part * all * (1.0 - 1e-9)).map(|point| point.0)
}

/// A line a method: from the smallest to the largest distance, thick in the middle half, a ring at the median.
fn spreads(label: &str, scale: ChartScale, curves: &[MethodSteps<'_>]) -> Markup {
    let shown: Vec<&MethodSteps<'_>> = curves.iter().filter(|curve| !curve.points.is_empty()).collect();
    let bottom = 8.0 + ROW * shown.len() as f64;
    let x = |number: f64| format!("{:.1}", LEFT + scale.part(number) * (RIGHT - LEFT));
    html! {
        svg.chart.ranges viewBox=(format!("0 0 {WIDTH} {}", bottom + 46.0)) role="img" aria-label={ "spread of " (label) } {
            @for tick in scale.ticks() {
                path.line d=(format!("M{} 4V{bottom}", x(tick))) {}
                text x=(x(tick)) y=(bottom + 17.0) text-anchor="middle" { (short(tick)) }
            }
            text x=((LEFT + RIGHT) / 2.0) y=(bottom + 38.0) text-anchor="middle" { (label) }
            @for (at, MethodSteps { row, key, points }) in shown.into_iter().enumerate() {
                @let y = 8.0 + ROW * (at as f64 + 0.5);
                @let [least, low, median, high, most] =
                    [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| x(quantile(points, part).unwrap_or(0.0)));
                g data-key=(key) {
                    title { (row.method) }
                    text x=(LEFT - 10.0) y=(y + 4.0) text-anchor="end" { (name(row)) }
                    path.range d=(format!("M{least} {y}H{most}")) {}
                    path.middle d=(format!("M{low} {y}H{high}")) {}
                    circle cx=(median) cy=(y) r="4" {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_successes_alone() {
        let points = [(1.0, 0.1), (2.0, 0.2), (3.0, 0.4)];
        for (part, want) in [(0.0, 1.0), (0.25, 1.0), (0.5, 2.0), (0.75, 3.0), (1.0, 3.0)] {
            assert_eq!(quantile(&points, part), Some(want), "{part}");
        }
        assert_eq!(quantile(&[], 0.5), None);
    }
}
