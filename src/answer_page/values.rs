//! Inputs in their box, those first that are farthest from its middle; outputs as bars.

use maud::{Markup, html};
use vnnlib::{Event, Query, Role, Variable};

use super::point::{ShownPoint, variables};
use super::slices::PointInBox;
use super::{folded, number};
use crate::report::chart::short;

/// Rows before the rest is folded.
const FIRST: usize = 30;

/// A declared input.
struct InputLine {
    variable: Variable,
    low: f64,
    high: f64,
    /// From −1, the lower end of the box, over 0, its middle, to 1.
    from_middle: f64,
}

/// The inputs. Those that can have one value only come last.
pub(super) fn inputs(query: &Query, point: Option<&ShownPoint>, place: &PointInBox<'_>) -> Markup {
    let mut lines: Vec<InputLine> = variables(query, |role| role == Role::Input)
        .into_iter()
        .zip(place.declared_box())
        .map(|(variable, (low, high))| {
            let (middle, half) = (0.5 * low + 0.5 * high, 0.5 * (high - low));
            let value = point.map_or(middle, |point| point.float(variable));
            let from_middle = if half > 0.0 { ((value - middle) / half).clamp(-1.0, 1.0) } else { 0.0 };
            InputLine { variable, low, high, from_middle }
        })
        .collect();
    let free = lines.iter().filter(|line| line.low < line.high).count();
    // Stable: what is equally far stays in the order of the property.
    lines.sort_by(|a, b| {
        let rank = |line: &InputLine| (line.low < line.high, line.from_middle.abs());
        rank(b).partial_cmp(&rank(a)).unwrap_or(std::cmp::Ordering::Equal)
    });
    let heads = html! {
        th.text { "input" }
        @if point.is_some() { th { "value" } }
        th { "low" } th { "high" }
        @if point.is_some() { th.text { "in its box" } th { "from the middle" } }
    };
    html! {
        h2 { "Inputs in their box" }
        p {
            (lines.len()) " inputs, of which " (free) " can have more than one value"
            @if point.is_some() { "; those first that are farthest from the middle of the box, in parts of the way to its end" }
            "."
            @if place.is_open() { " Where the property bounds an input on one side or not at all, the box goes as far as it was searched here." }
        }
        div #inputs { (folded(&heads, &lines, FIRST, |line| input(query, point, line))) }
    }
}

fn input(query: &Query, point: Option<&ShownPoint>, line: &InputLine) -> Markup {
    let InputLine { variable, low, high, from_middle } = *line;
    html! {
        tr {
            td.text { (query.variable_name(variable)) }
            @if let Some(point) = point { td { (point.text(variable)) } }
            (number(short(low), low))
            (number(short(high), high))
            @if point.is_some() {
                @if low < high {
                    td.text { span.place style=(format!("--at:{:.1}%", 50.0 + 50.0 * from_middle)) {} }
                    td { (format!("{:+.0}%", 100.0 * from_middle)) }
                } @else { td.text { "fixed" } td {} }
            }
        }
    }
}

/// Outputs, and hidden values that the property declares, in declaration order.
pub(super) fn outputs(query: &Query, point: &ShownPoint) -> Markup {
    let shown = variables(query, |role| role != Role::Input);
    let values = shown.iter().map(|&variable| point.float(variable)).filter(|value| value.is_finite());
    let (least, most) =
        values.fold((0.0_f64, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    let at = |value: f64| 100.0 * ((value - least) / (most - least).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
    let named = named(query);
    let all = shown.iter().all(|variable| named.contains(variable));
    let heads = html! { th.text { "output" } th { "value" } th.text { "" } };
    html! {
        h2 { "Outputs" }
        p { "At this point, by the plain engine." @if !all { " The property speaks of those in bold." } }
        (folded(&heads, &shown, FIRST, |&variable| {
            let value = point.float(variable);
            let (from, to) = (at(value.min(0.0)), at(value.max(0.0)));
            html! {
                tr.named[!all && named.contains(&variable)] {
                    td.text { (query.variable_name(variable)) }
                    td { (point.text(variable)) }
                    td.text { span.bar style=(format!("--from:{from:.1}%;--to:{to:.1}%;--zero:{:.1}%", at(0.0))) {} }
                }
            }
        }))
    }
}

/// The outputs that the property speaks of.
fn named(query: &Query) -> std::collections::HashSet<Variable> {
    let events = query.assertions().flat_map(|assertion| assertion.formula().events());
    let variables =
        events.filter_map(|event| if let Event::Variable(variable) = event { Some(variable) } else { None });
    variables.collect()
}
