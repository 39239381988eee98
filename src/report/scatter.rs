//! Two times of the same question as a point: a square with both axes on one logarithmic scale, and the diagonal on which both
//! are equal. Who has no answer at all is drawn on a line of its own beyond the scale. Points on the same pixel are drawn once,
//! so that a chart of a hundred thousand is no larger than a page can bear.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::chart::{ChartScale, short};

const SIZE: f64 = 360.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 316.0;
/// The length of both axes.
const LENGTH: f64 = 270.0;
/// From the end of an axis to the line of those without an answer.
const BEYOND: f64 = 18.0;

/// Points of one kind.
#[derive(Debug, Clone)]
pub(crate) struct ScatterGroup<'a> {
    /// What it is, for those who point at it.
    pub(crate) name: &'a str,
    /// Its class in style.css.
    pub(crate) class: &'a str,
    /// The times on both axes, positive; `None` for one without an answer.
    pub(crate) points: Vec<(Option<f64>, Option<f64>)>,
}

/// The chart of groups of points; `x` and `y` name the axes.
pub(crate) fn scatter(x: &str, y: &str, groups: &[ScatterGroup<'_>]) -> Markup {
    let points = groups.iter().flat_map(|group| &group.points);
    let scale = ChartScale::logarithmic(points.flat_map(|(x, y)| [*x, *y]).flatten());
    html! {
        svg.chart.scatter viewBox=(format!("0 0 {SIZE} {SIZE}")) role="img" aria-label=(format!("{y} over {x}")) {
            (axes(x, y, scale))
            @for group in groups {
                path.points.(group.class) d=(path(scale, &group.points)) { title { (group.name) } }
            }
        }
    }
}

fn axes(x: &str, y: &str, scale: ChartScale) -> Markup {
    let (right, top) = (LEFT + LENGTH, BOTTOM - LENGTH);
    let (no_x, no_y) = (right + BEYOND, top - BEYOND);
    html! {
        path.line d=(format!("M{LEFT} {top}V{BOTTOM}H{right}M{LEFT} {BOTTOM}L{right} {top}")) {}
        path.line stroke-dasharray="2 4" d=(format!("M{no_x} {no_y}V{BOTTOM}M{LEFT} {no_y}H{no_x}")) {}
        @for tick in scale.ticks() {
            @let at = LENGTH * scale.part(tick);
            path.line d=(format!("M{:.1} {BOTTOM}v5M{LEFT} {:.1}h-5", LEFT + at, BOTTOM - at)) {}
            text x=(format!("{:.1}", LEFT + at)) y=(BOTTOM + 18.0) text-anchor="middle" { (short(tick)) }
            text x=(LEFT - 8.0) y=(format!("{:.1}", BOTTOM - at + 4.0)) text-anchor="end" { (short(tick)) }
        }
        text x=(no_x) y=(BOTTOM + 18.0) text-anchor="middle" { "none" }
        text x=(LEFT - 8.0) y=(no_y + 4.0) text-anchor="end" { "none" }
        text x=(LEFT + LENGTH / 2.0) y=(SIZE - 6.0) text-anchor="middle" { (x) ", s" }
        text transform=(format!("translate(12 {}) rotate(-90)", BOTTOM - LENGTH / 2.0)) text-anchor="middle" { (y) ", s" }
    }
}

/// A dot for each pixel.
fn path(scale: ChartScale, points: &[(Option<f64>, Option<f64>)]) -> String {
    let at =
        |time: Option<f64>| time.map_or(LENGTH + BEYOND, |time| LENGTH * scale.part(time)).round() as i32;
    let pixels: BTreeSet<(i32, i32)> = points.iter().map(|(x, y)| (at(*x), at(*y))).collect();
    let dot = |(x, y)| format!("M{} {}h0", LEFT as i32 + x, BOTTOM as i32 - y);
    pixels.into_iter().map(dot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_where_their_times_are_and_drawn_once() {
        let points =
            vec![(Some(0.1), Some(10.0)), (Some(10.0), None), (Some(0.1), Some(10.0)), (None, Some(0.1))];
        let group = ScatterGroup { name: "<sat>", class: "s0", points };
        let chart = scatter("<a>", "b", &[group]).into_string();
        // The smallest time is where both axes meet, the largest at their ends, and no time beyond them.
        assert!(chart.contains("d=\"M52 46h0M322 28h0M340 316h0\""), "{chart}");
        assert!(chart.contains("&lt;a&gt;, s") && chart.contains("<title>&lt;sat&gt;</title>"), "{chart}");
        let many = (0..100_000).map(|at| {
            let time = |at: u32| Some(0.01 + f64::from(at % 317) / 10.0);
            (time(at), time(at / 317))
        });
        let many = ScatterGroup { name: "", class: "s0", points: many.collect() };
        assert!(scatter("a", "b", &[many]).into_string().len() < 1_000_000);
        assert!(!scatter("a", "b", &[]).into_string().contains("NaN"));
    }
}
