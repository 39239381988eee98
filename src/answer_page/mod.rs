//! A single answer as one page of HTML that needs nothing but itself: the verdict and what it rests on, the property with its
//! values at the witness, outputs as bars, every input in its box, slices of the margin through the inputs that matter most,
//! and the picture if the input is one.

mod assertions;
mod picture;
mod point;
mod slices;
mod values;

use std::fmt::Display;
use std::sync::Arc;

use maud::{Markup, html};
use vnnlib::Query;

use crate::budget::Budget;
use crate::certificate::Proof;
use crate::onnx::Model;
use crate::report::chart::short;
use crate::report::{Provenance, markup};
use crate::witness::{Certainty, Lost, Witness};
use point::ShownPoint;
use slices::Surroundings;

const STYLE: &str = concat!(include_str!("../report/style.css"), include_str!("style.css"));

/// What was found.
#[derive(Debug)]
pub enum AnswerFinding<'a> {
    /// A counterexample that is the answer.
    Sat(&'a Witness),
    /// One that is none, because another engine's rounding may hide it.
    Thin(&'a Witness),
    /// A proof that there is none.
    Unsat(&'a Proof),
    /// Nothing.
    Unknown {
        /// Why.
        reason: String,
        /// The point that came nearest: all inputs, as the query declares them.
        nearest: Option<Vec<f64>>,
    },
}

/// What the page shows.
#[derive(Debug)]
pub struct AnswerContent<'a> {
    /// The networks' files.
    pub networks: String,
    /// The property, as it was read.
    pub query: &'a Query,
    /// The networks, made to fit.
    pub models: &'a [Arc<Model>],
    /// What was found.
    pub finding: AnswerFinding<'a>,
    /// What else is to be said, a paragraph each.
    pub notes: &'a [String],
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// What the run was told, by name.
    pub settings: &'a [(&'static str, String)],
    /// Who made it.
    pub provenance: &'a Provenance,
}

/// The page. What takes time, the slices, ends with the budget.
pub fn page(content: &AnswerContent<'_>, budget: &Budget) -> String {
    let surroundings = Surroundings::new(content.query, content.models).ok();
    let point = shown_point(content);
    let place = surroundings.as_ref().and_then(|around| around.place(point.as_ref()));
    let property = content.query.name().rsplit('/').next().unwrap_or_default().to_owned();
    let word = content.finding.word();
    let body = html! {
        p.verdict.(word) { b { (word) } " " (content.finding.in_words()) }
        (figures(content, place.as_ref().map(|place| place.margin)))
        (content.provenance.block(content.settings))
        (notes(content))
        @if let Some(place) = &place { (picture::pictures(content, point.as_ref(), place)) }
        div.beside {
            section { (assertions::property(content.query, point.as_ref())) }
            @if let Some(point) = &point { section { (values::outputs(content.query, point)) } }
        }
        @if let Some(place) = &place {
            (slices::slices(place, budget))
            (values::inputs(content.query, point.as_ref(), place))
        } @else if point.is_some() {
            p { "The box of this point is one of very many of the property, and was not looked for." }
        }
    };
    let heading = format!("{} against {property}", content.networks);
    markup::page(&format!("{word}: {heading}"), &heading, STYLE, &body)
}

impl AnswerFinding<'_> {
    fn word(&self) -> &'static str {
        match self {
            Self::Sat(_) => "sat",
            Self::Unsat(_) => "unsat",
            Self::Thin(_) | Self::Unknown { .. } => "unknown",
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Sat(_) => "There is an input in the set on which the network does what the property describes.".into(),
            Self::Thin(_) => "A counterexample was found, by so little that another engine's rounding may hide it: it is no answer.".into(),
            Self::Unsat(proof) => format!("No input of the set does what the property describes; {}.", proof.ground()),
            Self::Unknown { reason, .. } => format!("No counterexample was found, and no proof that there is none: {reason}."),
        }
    }
}

fn shown_point(content: &AnswerContent<'_>) -> Option<ShownPoint> {
    match &content.finding {
        AnswerFinding::Sat(witness) | AnswerFinding::Thin(witness) => Some(ShownPoint::of_witness(witness)),
        AnswerFinding::Unsat(_) | AnswerFinding::Unknown { nearest: None, .. } => None,
        AnswerFinding::Unknown { nearest: Some(input), .. } => {
            ShownPoint::replayed(content.query, content.models, input)
        }
    }
}

/// Numbers that matter most.
fn figures(content: &AnswerContent<'_>, margin: Option<f64>) -> Markup {
    let mut figures = vec![("seconds", short(content.seconds))];
    match &content.finding {
        AnswerFinding::Sat(witness) | AnswerFinding::Thin(witness) => {
            figures.insert(0, ("certainty", witness.certainty().to_string()));
            figures.extend(margin.map(|margin| ("margin", short(margin))));
        }
        AnswerFinding::Unsat(proof) => {
            let certificate = proof.certificate();
            figures.push(("entries of the certificate", certificate.tokens.len().to_string()));
            figures.push(("bytes of it, unpacked", certificate.text().len().to_string()));
        }
        AnswerFinding::Unknown { nearest, .. } => {
            let margin = margin.filter(|_| nearest.is_some());
            figures.extend(margin.map(|margin| ("nearest margin (0 is needed)", short(margin))));
        }
    }
    markup::figures(&figures)
}

/// What the verdict rests on, and whatever the search had to say.
fn notes(content: &AnswerContent<'_>) -> Markup {
    let rests = match &content.finding {
        AnswerFinding::Sat(witness) | AnswerFinding::Thin(witness) => Some(certainty(witness)),
        AnswerFinding::Unsat(_) => Some(
            "A judge that shares no code with the search has checked the certificate, in which every number is bounded for every \
             computation that ONNX permits. The option --certificate keeps it, and check judges it again.",
        ),
        AnswerFinding::Unknown { .. } => None,
    };
    let lost = match &content.finding {
        AnswerFinding::Sat(witness) | AnswerFinding::Thin(witness) => lost(witness.lost()),
        _ => None,
    };
    html! {
        @for text in rests.into_iter().chain(lost) { p { (text) } }
        @if !content.notes.is_empty() {
            details { summary { "Notes of the search (" (content.notes.len()) ")" } ul { @for note in content.notes { li { (note) } } } }
        }
    }
}

fn certainty(witness: &Witness) -> &'static str {
    match witness.certainty() {
        Certainty::Certified => {
            "Certified: with exactly these inputs every computation that ONNX permits, in any order of its sums, violates the property."
        }
        Certainty::Replayed => {
            "Replayed: a second, plain engine violates the property with exactly these inputs, in two precisions and by more than \
             rounding should eat up."
        }
        Certainty::Thin => {
            "Thin: a second, plain engine violates the property with exactly these inputs, but by less than another engine's \
             rounding may be."
        }
    }
}

fn lost(lost: Lost) -> Option<&'static str> {
    match lost {
        Lost::Nowhere => None,
        Lost::Saturating => {
            Some("Where 8-bit products saturate (ONNX Runtime on x86 without VNNI) it is no counterexample.")
        }
        Lost::Fused => {
            Some("Where ONNX Runtime's optimiser fuses a quantised Softmax it is no counterexample.")
        }
    }
}

/// Rows of which the first ones are shown, more are folded, and of the rest only the number is said.
fn folded<T>(heads: &Markup, rows: &[T], first: usize, row: impl Fn(&T) -> Markup) -> Markup {
    /// Rows of a table, at most: a page of more is of no use to anybody.
    const MOST: usize = 2000;
    let table = |rows: &[T]| {
        html! {
            div.wide { table { tr { (heads) } @for shown in rows { (row(shown)) } } }
        }
    };
    let (shown, rest) = rows.split_at(first.min(rows.len()));
    let (more, left) = rest.split_at(MOST.min(rest.len()));
    html! {
        (table(shown))
        @if !more.is_empty() {
            details {
                summary { (more.len()) " more" }
                (table(more))
                @if !left.is_empty() { p { (left.len()) " more are not shown." } }
            }
        }
    }
}

/// A number as it is, and behind it when pointed at.
fn number(text: impl Display, exact: impl Display) -> Markup {
    html! { td title=(exact) { (text) } }
}

#[cfg(test)]
mod tests;
