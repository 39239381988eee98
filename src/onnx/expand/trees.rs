//! Ensembles of decision trees, as matrices: which conditions hold, for each leaf how many of those on its path do, and the
//! sum of the weights of the leaves all of whose conditions hold. Every point reaches one leaf of each tree.
//! Source: <https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html>.

use std::collections::BTreeMap;

use super::classical::{finished, float_input, give_labels};
use super::writer::Writer;
use super::{CLASSICAL, Entry};
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::ElementType;

pub(super) const OPERATORS: &[Entry] =
    &[(CLASSICAL, "TreeEnsembleClassifier", classifier), (CLASSICAL, "TreeEnsembleRegressor", regressor)];

/// Largest matrix of conditions and leaves.
const MOST_ENTRIES: usize = 1 << 26;

/// What the leaves' weights belong to: `target` or `class`.
struct Weights<'a> {
    nodes: &'a [i64],
    trees: &'a [i64],
    targets: &'a [i64],
    values: Vec<f64>,
    count: usize,
}

/// Conditions on the way to a node, and what they must be.
type Path = Vec<(usize, bool)>;

/// An ensemble as conditions, leaves and the conditions on the way to each.
#[derive(Default)]
struct Ensemble {
    /// Feature and threshold of each condition.
    conditions: Vec<(i64, f64)>,
    /// The comparison that all conditions make.
    mode: String,
    /// For each leaf its tree and node, and the conditions on the way with what they must be.
    leaves: Vec<((i64, i64), Path)>,
}

fn regressor(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let count = usize::try_from(w.node.int("n_targets")?.unwrap_or(1)).unwrap_or(0);
    let weights = weights(w, "target", count)?;
    let scores = scores(w, &weights, w.node.string("aggregate_function")?.unwrap_or("SUM").to_owned())?;
    let y = finished(w, &scores)?;
    w.give(0, &y);
    Ok(())
}

fn classifier(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let labels = w.node.ints("classlabels_int64s")?.map(<[i64]>::to_vec);
    let texts = w.node.strings("classlabels_strings")?.map_or(0, |texts| texts.len());
    let count = labels.as_ref().map_or(texts, Vec::len);
    let weights = weights(w, "class", count)?;
    // With two classes and weights for one, the other's score is what is left.
    let single = count == 2 && weights.targets.windows(2).all(|pair| pair[0] == pair[1]);
    let only = weights.targets.first().copied().unwrap_or(0);
    let scores = scores(w, &weights, "SUM".to_owned())?;
    let scores = if single {
        if w.node.string("post_transform")?.is_some_and(|name| name != "NONE") || only != 1 {
            return Err(w.error(
                "a binary classifier with the scores of one class is supported without post_transform only",
            ));
        }
        let second = w.slice(&scores, 1, (1, 2), 1);
        let one = w.number(1.0);
        let first = w.op("Sub", &[&one, &second]);
        w.with("Concat", &[&first, &second], &[("axis", Attribute::Int(1))])
    } else {
        finished(w, &scores)?
    };
    w.give(1, &scores);
    if w.wants(0) {
        give_labels(w, &scores, labels, texts > 0)?;
    }
    Ok(())
}

fn list<'a>(w: &Writer<'a>, name: &str) -> Result<&'a [i64], ModelError> {
    w.node.ints(name)?.ok_or_else(|| w.error(format!("its attribute {name} is missing")))
}

fn weights<'a>(w: &Writer<'a>, what: &str, count: usize) -> Result<Weights<'a>, ModelError> {
    let (nodes, trees) = (list(w, &format!("{what}_nodeids"))?, list(w, &format!("{what}_treeids"))?);
    let targets = list(w, &format!("{what}_ids"))?;
    let values = w.node.floats(&format!("{what}_weights"))?.unwrap_or_default();
    let fits = [trees.len(), targets.len(), values.len()].iter().all(|&len| len == nodes.len());
    let inside = targets.iter().all(|&target| usize::try_from(target).is_ok_and(|target| target < count));
    if !fits || !inside || count == 0 {
        return Err(w.error(format!("its lists of {what}s do not fit each other")));
    }
    Ok(Weights { nodes, trees, targets, values: values.iter().map(|&x| x.into()).collect(), count })
}

fn ensemble(w: &Writer<'_>) -> Result<Ensemble, ModelError> {
    let (trees, nodes) = (list(w, "nodes_treeids")?, list(w, "nodes_nodeids")?);
    let (yes, no) = (list(w, "nodes_truenodeids")?, list(w, "nodes_falsenodeids")?);
    let features = list(w, "nodes_featureids")?;
    let thresholds = w.node.floats("nodes_values")?.unwrap_or_default();
    let modes = w.node.strings("nodes_modes")?.unwrap_or_default();
    let lengths = [nodes.len(), yes.len(), no.len(), features.len(), thresholds.len(), modes.len()];
    if lengths.iter().any(|&len| len != trees.len()) {
        return Err(w.error("its lists of nodes do not fit each other"));
    }
    let places: BTreeMap<(i64, i64), usize> =
        trees.iter().zip(nodes).enumerate().map(|(at, (&tree, &node))| ((tree, node), at)).collect();
    let child = |at: usize, node: i64| {
        places.get(&(trees[at], node)).copied().ok_or_else(|| w.error(format!("its node {node} is missing")))
    };
    let mut is_child = vec![false; trees.len()];
    for at in (0..trees.len()).filter(|&at| modes[at] != "LEAF") {
        for node in [yes[at], no[at]] {
            // A node with two parents would let the walk below visit it twice, or for ever.
            if std::mem::replace(&mut is_child[child(at, node)?], true) {
                return Err(w.error(format!("its node {node} has two parents")));
            }
        }
    }
    let mut found = Ensemble::default();
    let mut open: Vec<(usize, Path)> =
        (0..trees.len()).filter(|&at| !is_child[at]).map(|at| (at, Vec::new())).collect();
    while let Some((at, path)) = open.pop() {
        if modes[at] == "LEAF" {
            found.leaves.push(((trees[at], nodes[at]), path));
            continue;
        }
        if found.mode.is_empty() {
            found.mode = modes[at].to_owned();
        } else if found.mode != modes[at] {
            return Err(w.error("nodes that compare in different ways are not supported"));
        }
        let condition = found.conditions.len();
        found.conditions.push((features[at], thresholds[at].into()));
        for (node, truth) in [(yes[at], true), (no[at], false)] {
            let longer = path.iter().copied().chain([(condition, truth)]).collect();
            open.push((child(at, node)?, longer));
        }
    }
    Ok(found)
}

/// Numbers `[points, targets]`.
fn scores(w: &mut Writer<'_>, weights: &Weights<'_>, aggregate: String) -> Result<String, ModelError> {
    let Ensemble { conditions, mode, leaves } = ensemble(w)?;
    let (n, m) = (conditions.len(), leaves.len());
    if n.checked_mul(m).is_none_or(|entries| entries > MOST_ENTRIES) || m * weights.count > MOST_ENTRIES {
        return Err(w.error(format!("{n} conditions and {m} leaves are too many")));
    }
    let reached = if n == 0 {
        // Trees of one leaf each.
        None
    } else {
        let truths = conditions_hold(w, &conditions, &mode)?;
        // +1 for what must hold and −1 for what must not, less the number of the former: 0 where the leaf is reached, else less.
        let (mut matrix, mut missing) = (vec![0.0; n * m], vec![0.0; m]);
        for (leaf, (_, path)) in leaves.iter().enumerate() {
            for &(condition, truth) in path {
                matrix[condition * m + leaf] = if truth { 1.0 } else { -1.0 };
                missing[leaf] -= f64::from(u8::from(truth));
            }
        }
        let (matrix, missing) = (w.floats(vec![n, m], &matrix), w.floats(vec![m], &missing));
        let counts = w.op("MatMul", &[&truths, &matrix]);
        let short = w.op("Add", &[&counts, &missing]);
        let half = w.number(-0.5);
        let all = w.op("Greater", &[&short, &half]);
        Some(w.cast(&all, ElementType::Float32))
    };
    let places: BTreeMap<(i64, i64), usize> =
        leaves.iter().enumerate().map(|(at, (key, _))| (*key, at)).collect();
    let mut matrix = vec![0.0; m * weights.count];
    let trees: std::collections::BTreeSet<i64> = leaves.iter().map(|((tree, _), _)| *tree).collect();
    let share = match aggregate.as_str() {
        "SUM" => 1.0,
        "AVERAGE" => 1.0 / trees.len().max(1) as f64,
        other => return Err(w.error(format!("aggregate_function {other} is not supported"))),
    };
    for (at, &value) in weights.values.iter().enumerate() {
        let Some(&leaf) = places.get(&(weights.trees[at], weights.nodes[at])) else {
            return Err(w.error(format!("weight {at} belongs to no leaf")));
        };
        // Checked in `weights`.
        matrix[leaf * weights.count + weights.targets[at] as usize] += value * share;
    }
    let mut y = match reached {
        Some(reached) => {
            let matrix = w.floats(vec![m, weights.count], &matrix);
            w.op("MatMul", &[&reached, &matrix])
        }
        None => {
            let sums: Vec<f64> = (0..weights.count)
                .map(|t| (0..m).map(|leaf| matrix[leaf * weights.count + t]).sum())
                .collect();
            let x = float_input(w)?;
            let first = w.slice(&x, 1, (0, 1), 1);
            let zero = w.number(0.0);
            let nothing = w.op("Mul", &[&first, &zero]);
            let sums = w.floats(vec![1, weights.count], &sums);
            w.op("Add", &[&nothing, &sums])
        }
    };
    let base = w.node.floats("base_values")?.unwrap_or_default();
    if !base.is_empty() {
        let base: Vec<f64> = base.iter().map(|&x| x.into()).collect();
        let base = w.floats(vec![base.len()], &base);
        y = w.op("Add", &[&y, &base]);
    }
    Ok(y)
}

/// Truths `[points, conditions]` as numbers.
fn conditions_hold(w: &mut Writer<'_>, conditions: &[(i64, f64)], mode: &str) -> Result<String, ModelError> {
    let x = float_input(w)?;
    let features: Vec<i64> = conditions.iter().map(|(feature, _)| *feature).collect();
    let thresholds: Vec<f64> = conditions.iter().map(|(_, threshold)| *threshold).collect();
    let features = w.ints(&features);
    let thresholds = w.floats(vec![conditions.len()], &thresholds);
    let chosen = w.with("Gather", &[&x, &features], &[("axis", Attribute::Int(1))]);
    let (operator, turned) = match mode {
        "BRANCH_LEQ" => ("Greater", true),
        "BRANCH_LT" => ("Less", false),
        "BRANCH_GTE" => ("Less", true),
        "BRANCH_GT" => ("Greater", false),
        "BRANCH_EQ" => ("Equal", false),
        "BRANCH_NEQ" => ("Equal", true),
        other => return Err(w.error(format!("the comparison {other} is not supported"))),
    };
    let mut truths = w.op(operator, &[&chosen, &thresholds]);
    if turned {
        truths = w.op("Not", &[&truths]);
    }
    Ok(w.cast(&truths, ElementType::Float32))
}
