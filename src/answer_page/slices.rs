//! Slices of the property's margin: two inputs vary over their box, all others stay where the point is. Shown are the inputs
//! along which the margin moves most, by its gradient at the point times the width of the box.
//!
//! The margin is by how much the property holds (negative where it does not), as the search computes it, in double
//! precision and in units of the outputs; it is evaluated on a grid that reaches from end to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};
use vnnlib::Query;

use super::point::ShownPoint;
use crate::attack::images::{Shape, picture};
use crate::budget::Budget;
use crate::network::{Surrogate, Workspace};
use crate::onnx::Model;
use crate::problem::{ModelsError, Problem};
use crate::property::margin::{Block, MarginGradient, add_row_gradient};
use crate::property::{Region, Row};
use crate::report::chart::short;
use crate::report::markup::png_source;

/// Points of a slice along each of its inputs: odd, so that the middle of the box is one.
const SIDE: usize = 41;
/// Of a network that takes long, as many multiplications for all slices together as are done in a few seconds.
const MOST_WORK: usize = 4_000_000_000;
/// Inputs that are paired with each other.
const MOST_INPUTS: usize = 4;
/// Numbers of the regions that are looked through for the one that a point is in.
const MOST_NUMBERS: usize = 20_000_000;
/// Inputs without a bound are shown as far as they are searched, but a plane of numbers as large as these shows nothing.
const WIDEST: f64 = 1e9;

/// The drawing of a slice, in units of its own.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 308.0;
const LEFT: f64 = 46.0;
const TOP: f64 = 20.0;
const PLANE: f64 = 244.0;

/// The problem as the search sees it, in double precision.
pub(super) struct Surroundings {
    problem: Problem<f64>,
}

/// Where the page looks: a point of a region.
pub(super) struct PointInBox<'a> {
    problem: &'a Problem<f64>,
    region: Region,
    /// In the order of the search's inputs.
    point: Vec<f64>,
    /// There.
    pub(super) margin: f64,
    /// Whether the point was found; else it is the middle of the box.
    is_found: bool,
}

/// Margins over a plane.
struct MarginSlice {
    /// The inputs across and upwards.
    inputs: [usize; 2],
    side: usize,
    /// Rows from the bottom.
    margins: Vec<f64>,
}

impl MarginSlice {
    /// The least and the largest margin.
    fn range(&self) -> (f64, f64) {
        let finite = self.margins.iter().filter(|margin| margin.is_finite());
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), &margin| {
            (least.min(margin), most.max(margin))
        })
    }
}

impl Surroundings {
    /// Of a query and its fitted models.
    ///
    /// # Errors
    /// If the networks are not for this engine.
    pub(super) fn new(query: &Query, models: &[Arc<Model>]) -> Result<Self, ModelsError> {
        Problem::of_models(query.clone(), models).map(|problem| Self { problem })
    }

    /// The region of a point in which its margin is largest; without a point the middle of the first region.
    pub(super) fn place(&self, point: Option<&ShownPoint>) -> Option<PointInBox<'_>> {
        let property = &self.problem.property;
        let most = MOST_NUMBERS / property.layout().inputs().max(1);
        let count = property.region_count().min(most.max(1));
        let mut regions = (0..count).filter_map(|at| property.region(at).ok());
        let Some(shown) = point else {
            let region = regions.next()?;
            let middle: Vec<f64> =
                region.lower.iter().zip(&region.upper).map(|(l, u)| 0.5 * l + 0.5 * u).collect();
            let margin = region.margin(&middle, &self.problem.network.evaluate(&middle));
            return Some(PointInBox {
                problem: &self.problem,
                region,
                point: middle,
                margin,
                is_found: false,
            });
        };
        let layout = property.layout();
        let found = layout.searched(&shown.inputs(&self.problem.query));
        let outputs = self.problem.network.evaluate(&found);
        // The decimals of a bound need not be those of a float: a point outside by its rounding is in the box.
        let is_in = |region: &Region| {
            let ends = region.lower.iter().zip(&region.upper);
            ends.zip(&found).all(|((&low, &high), &x)| {
                let slack = 1e-6 * (high - low).max(low.abs()).max(high.abs());
                (low - slack..=high + slack).contains(&x)
            })
        };
        let best = regions
            .filter(is_in)
            .map(|region| (region.margin(&found, &outputs), region))
            // Of boxes that reach ever further, those of inputs without a bound, the first is the smallest.
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        let (margin, region) = best?;
        Some(PointInBox { problem: &self.problem, region, point: found, margin, is_found: true })
    }
}

impl PointInBox<'_> {
    /// The box, by declared input; of one that follows from others its value at the point.
    pub(super) fn declared_box(&self) -> Vec<(f64, f64)> {
        let (values, _) = self.problem.declared_inputs(&self.point, &BTreeMap::new());
        let ends = |(source, value): (&Option<usize>, f64)| match *source {
            Some(source) => (self.region.lower[source], self.region.upper[source]),
            None => (value, value),
        };
        self.problem.property.layout().sources().iter().zip(values).map(ends).collect()
    }

    /// Whether some input has no bound, and the box goes as far as it was searched.
    pub(super) fn is_open(&self) -> bool {
        self.problem.property.is_partial()
    }

    /// The inputs along which the margin moves most, the first one most.
    fn important(&self) -> Vec<usize> {
        let gradient = self.gradient();
        let width = |input: usize| self.region.upper[input] - self.region.lower[input];
        let mut free: Vec<usize> = self.region.free().filter(|&input| width(input) < WIDEST).collect();
        // Where the gradient says nothing the widest come first.
        let key = |input: usize| {
            (gradient.get(input).map_or(0.0, |slope| (slope * width(input)).abs()), width(input))
        };
        free.sort_by(|&a, &b| key(b).partial_cmp(&key(a)).unwrap_or(std::cmp::Ordering::Equal));
        free.truncate(MOST_INPUTS);
        free
    }

    /// Of the margin at the point.
    fn gradient(&self) -> Vec<f64> {
        let network = &self.problem.network;
        let mut workspace = Workspace::new(network, 1);
        network.forward(&mut workspace, &self.point);
        let mut outputs = Vec::new();
        network.outputs_into(&workspace, &mut outputs);
        let ways = self.region.ways_at(&self.point, &outputs);
        let margin = |row: &&Row| row.margin(&self.point, &outputs);
        let best = ways
            .iter()
            .max_by(|a, b| a.margin(&self.point, &outputs).total_cmp(&b.margin(&self.point, &outputs)));
        let worst = best.and_then(|way| way.rows.iter().min_by(|a, b| margin(a).total_cmp(&margin(b))));
        let Some(row) = worst else { return Vec::new() };
        let (mut own, mut cotangent) = (vec![0.0; self.point.len()], vec![0.0; outputs.len()]);
        let block = Block { inputs: &self.point, outputs: &outputs, lanes: 1 };
        let mut gradient = MarginGradient { inputs: &mut own, outputs: &mut cotangent };
        add_row_gradient(row, 1.0, block, 0, &mut gradient);
        let mut slopes = Vec::new();
        network.backward(&mut workspace, &cotangent, Surrogate::exact(), &mut slopes);
        slopes.iter().zip(&own).map(|(slope, own)| slope + own).collect()
    }

    /// A coordinate of a grid.
    fn at(&self, input: usize, step: usize, side: usize) -> f64 {
        let part = step as f64 / (side - 1) as f64;
        self.region.lower[input] * (1.0 - part) + self.region.upper[input] * part
    }

    /// Where a value lies in its input's interval, from 0 to 1.
    fn part(&self, input: usize) -> f64 {
        let (low, high) = (self.region.lower[input], self.region.upper[input]);
        ((self.point[input] - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Evaluates a slice; `None` where the budget ends it.
    fn slice(&self, inputs: [usize; 2], side: usize, budget: &Budget) -> Option<MarginSlice> {
        let network = &self.problem.network;
        let lanes = network.block_lanes().min(side * side);
        let mut workspace = Workspace::new(network, lanes);
        let (mut block, mut outputs, mut margins) = (Vec::new(), Vec::new(), Vec::with_capacity(side * side));
        while margins.len() < side * side {
            budget.check().ok()?;
            let first = margins.len();
            block.clear();
            block.extend(self.point.iter().flat_map(|&x| std::iter::repeat_n(x, lanes)));
            for lane in 0..lanes {
                // Lanes behind the last point repeat it.
                let cell = (first + lane).min(side * side - 1);
                block[inputs[0] * lanes + lane] = self.at(inputs[0], cell % side, side);
                block[inputs[1] * lanes + lane] = self.at(inputs[1], cell / side, side);
            }
            network.forward(&mut workspace, &block);
            network.outputs_into(&workspace, &mut outputs);
            let of_lane = |values: &[f64], lane: usize| -> Vec<f64> {
                values.iter().skip(lane).step_by(lanes).copied().collect()
            };
            for lane in 0..lanes.min(side * side - first) {
                margins.push(self.region.margin(&of_lane(&block, lane), &of_lane(&outputs, lane)));
            }
        }
        Some(MarginSlice { inputs, side, margins })
    }
}

/// The section.
pub(super) fn slices(place: &PointInBox<'_>, budget: &Budget) -> Markup {
    let important = place.important();
    let pairs: Vec<[usize; 2]> = (1..important.len())
        .flat_map(|second| (0..second).map(move |first| [first, second]))
        .map(|pair| pair.map(|at| important[at]))
        .collect();
    let side = side(place.problem.network.multiplications(), pairs.len());
    let slices: Vec<MarginSlice> = pairs.iter().filter_map(|&pair| place.slice(pair, side, budget)).collect();
    let margins =
        || slices.iter().flat_map(|slice| slice.margins.iter().copied()).filter(|margin| margin.is_finite());
    let (least, most) = (margins().fold(0.0, f64::min), margins().fold(0.0, f64::max));
    html! {
        h2 { "The margin around " (if place.is_found { "the point" } else { "the middle of the box" }) }
        @if pairs.is_empty() {
            p { "Fewer than two inputs can move within a bounded interval: there is no plane to be shown." }
        } @else if slices.is_empty() {
            p { "There was no time left to evaluate it." }
        } @else {
            p {
                "Two inputs move over their box, from end to end, all others stay as they are at the point (the ring). The margin is by "
                "how much the property holds, in units of the outputs: blue is a counterexample, orange is none, and the line is the border. "
                "The inputs are those along which the margin moves most."
            }
            div.legend {
                @if least < 0.0 { span { (short(least)) } span.scale {} }
                span { "0" }
                @if most > 0.0 { span.scale.up {} span { (short(most)) } }
            }
            div.slices { @for slice in &slices { (drawn(place, slice, (least, most))) } }
        }
        @if !slices.is_empty() && slices.len() < pairs.len() { p { "There was no time left for the others." } }
    }
}

/// Points along an input, so that all slices take a few seconds.
fn side(multiplications: usize, slices: usize) -> usize {
    let affordable = MOST_WORK / multiplications.max(1) / slices.max(1);
    SIDE.min(affordable.isqrt().max(9) | 1)
}

fn drawn(place: &PointInBox<'_>, slice: &MarginSlice, range: (f64, f64)) -> Markup {
    let [across, up] = slice.inputs;
    let name = |input: usize| {
        let variable = place.problem.property.layout().variable(input);
        variable.map_or_else(String::new, |variable| place.problem.query.variable_name(variable))
    };
    let ends = |input: usize| [place.region.lower[input], place.region.upper[input]].map(short);
    // The ends of an interval are in the middle of the first and the last pixel.
    let inner = |part: f64| PLANE * (part * (slice.side - 1) as f64 + 0.5) / slice.side as f64;
    let (x, y) = (LEFT + inner(place.part(across)), TOP + PLANE - inner(place.part(up)));
    let (least, most) = slice.range();
    let (bottom, middle) = (TOP + PLANE, LEFT + PLANE / 2.0);
    let ([left, right], [low, high]) = (ends(across), ends(up));
    html! {
        svg.slice viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("margin over {} and {}", name(across), name(up))) {
            title { "margin from " (short(least)) " to " (short(most)) }
            text x=(middle) y=(TOP - 6.0) text-anchor="middle" { (short(least)) " to " (short(most)) }
            image x=(LEFT) y=(TOP) width=(PLANE) height=(PLANE) preserveAspectRatio="none" href=(heat(slice, range)) {}
            path.border d=(border(slice)) {}
            rect.frame x=(LEFT) y=(TOP) width=(PLANE) height=(PLANE) {}
            circle.halo cx=(pixels(x)) cy=(pixels(y)) r="6" {}
            circle.ring cx=(pixels(x)) cy=(pixels(y)) r="6" {}
            text x=(LEFT) y=(bottom + 18.0) { (left) }
            text x=(LEFT + PLANE) y=(bottom + 18.0) text-anchor="end" { (right) }
            text.input x=(middle) y=(bottom + 36.0) text-anchor="middle" { (name(across)) }
            text x=(LEFT - 5.0) y=(bottom) text-anchor="end" { (low) }
            text x=(LEFT - 5.0) y=(TOP + 10.0) text-anchor="end" { (high) }
            text.input transform=(format!("translate({} {}) rotate(-90)", LEFT - 22.0, TOP + PLANE / 2.0)) text-anchor="middle" { (name(up)) }
        }
    }
}

fn pixels(at: f64) -> String {
    format!("{at:.1}")
}

/// The margins as a picture, a pixel a point of the grid: blue above zero, orange below, paler towards it.
fn heat(slice: &MarginSlice, (least, most): (f64, f64)) -> String {
    const BLUE: [f32; 3] = [0.0, 0.447, 0.698];
    const ORANGE: [f32; 3] = [0.835, 0.369, 0.0];
    const NOTHING: [f32; 3] = [0.5, 0.5, 0.5];
    let side = slice.side;
    let colour = |margin: f64| {
        if !margin.is_finite() {
            return NOTHING;
        }
        let (end, size) = if margin >= 0.0 { (BLUE, most) } else { (ORANGE, least) };
        // A root, so that what is near the border can be told from it; never quite white.
        let part =
            if size == 0.0 { 1.0 } else { 0.12 + 0.88 * (margin / size).clamp(0.0, 1.0).sqrt() as f32 };
        end.map(|channel| 1.0 - part * (1.0 - channel))
    };
    let rows = (0..side).rev().flat_map(|row| slice.margins[row * side..][..side].iter());
    let values: Vec<f32> = rows.flat_map(|&margin| colour(margin)).collect();
    png_source(&picture::write(Shape { height: side, width: side, channels: 3 }, &values).unwrap_or_default())
}

/// Where the margin is zero, by marching squares: in each square of four neighbouring points, straight between the places on its
/// sides where the sign changes.
fn border(slice: &MarginSlice) -> String {
    let side = slice.side;
    let margin = |column: usize, row: usize| slice.margins[row * side + column];
    // A point of the grid is the middle of its pixel.
    let place = |column: f64, row: f64| {
        let step = PLANE / side as f64;
        (LEFT + (column + 0.5) * step, TOP + PLANE - (row + 0.5) * step)
    };
    let mut path = String::new();
    for (row, column) in (0..side - 1).flat_map(|row| (0..side - 1).map(move |column| (row, column))) {
        let corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)];
        let crossing = |at: usize| {
            let (from, to) = (corners[at], corners[(at + 1) % 4]);
            let (a, b) = (margin(from.0, from.1), margin(to.0, to.1));
            let crosses = (a >= 0.0) != (b >= 0.0) && (a - b).is_finite();
            let part = a / (a - b);
            let between = |from: usize, to: usize| from as f64 + part * (to as f64 - from as f64);
            crosses.then(|| place(between(from.0, to.0), between(from.1, to.1)))
        };
        let crossings: Vec<(f64, f64)> = (0..4).filter_map(crossing).collect();
        for pair in crossings.chunks_exact(2) {
            path += &format!("M{:.1} {:.1}L{:.1} {:.1}", pair[0].0, pair[0].1, pair[1].0, pair[1].1);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_is_where_the_sign_changes() {
        // The margin is the column less 0.5: the border is a vertical line in the middle of the first two.
        let margins = (0..9).map(|cell| f64::from(cell % 3) - 0.5).collect();
        let path = border(&MarginSlice { inputs: [0, 1], side: 3, margins });
        let x = LEFT + PLANE / 3.0;
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches(&format!("{x:.1} ")).count(), 4, "{path}");
        let none = MarginSlice { inputs: [0, 1], side: 3, margins: vec![-1.0; 9] };
        assert_eq!(border(&none), "");
    }

    #[test]
    fn large_networks_have_coarse_slices() {
        for (multiplications, slices, want) in
            [(1, 6, 41), (100_000, 6, 41), (5_000_000, 6, 11), (1 << 40, 6, 9)]
        {
            assert_eq!(side(multiplications, slices), want, "{multiplications}");
        }
    }
}
