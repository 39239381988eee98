//! Tree ensembles of `ai.onnx.ml`: the two older operators, and the one that took their place in version 5. Source:
//! <https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html>, and ONNX Runtime (1.32) for what classifiers of two
//! classes make of the weights of one.

use std::collections::{BTreeMap, BTreeSet};

use super::forest::{Aggregate, Child, Forest, SplitMode, TreeSplit};
use super::scores::{ClassLabels, SecondScore, finished, finished_targets, two_columns};
use super::writer::Writer;
use super::{CLASSICAL, Entry};
use crate::onnx::error::ModelError;
use crate::onnx::model::Attribute;
use crate::onnx::tensor::{ElementType, Tensor};

pub(super) const OPERATORS: &[Entry] = &[
    (CLASSICAL, "TreeEnsemble", ensemble),
    (CLASSICAL, "TreeEnsembleClassifier", classifier),
    (CLASSICAL, "TreeEnsembleRegressor", regressor),
];

/// Names of the comparisons, in the order of [`Mode::ALL`].
const MODES: [&str; 7] =
    ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"];

fn ensemble(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let forest = newest(w)?;
    let aggregate = usize::try_from(w.node.int("aggregate_function")?.unwrap_or(1)).unwrap_or(usize::MAX);
    let aggregate = Aggregate::ALL.get(aggregate).copied();
    let aggregate = aggregate.ok_or_else(|| w.error("its aggregate_function does not exist"))?;
    let scores = forest.scores(w, aggregate)?;
    let y = finished_targets(w, &scores, forest.targets)?;
    w.give(0, &y);
    Ok(())
}

fn regressor(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let count = usize::try_from(w.node.int("n_targets")?.unwrap_or(1)).unwrap_or(0);
    let forest = older(w, "target", count)?;
    let aggregate = match w.node.string("aggregate_function")?.unwrap_or("SUM") {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Least,
        "MAX" => Aggregate::Largest,
        other => return Err(w.error(format!("aggregate_function {other} does not exist"))),
    };
    let scores = forest.scores(w, aggregate)?;
    if !numbers(w, "base_values")?.0.is_empty() && !(0..count).all(|target| forest.always_weighs(target)) {
        // ONNX Runtime gives 0 where no reached leaf has a weight for the target, and leaves the base value out.
        return Err(w
            .error("ONNX Runtime does not do what ONNX says with base values of a target without weights in some leaf")
            .help("give every leaf weights of all targets, if need be 0"));
    }
    let scores = with_base(w, &scores, &forest)?;
    let y = finished_targets(w, &scores, count)?;
    let y = w.cast(&y, ElementType::Float32);
    w.give(0, &y);
    Ok(())
}

fn classifier(w: &mut Writer<'_>) -> Result<(), ModelError> {
    let labels = ClassLabels::of(w, "classlabels_int64s", "classlabels_strings")?;
    let forest = older(w, "class", labels.count)?;
    let scores = forest.scores(w, Aggregate::Sum)?;
    let weights = || forest.leaves.iter().flatten();
    let classes: BTreeSet<usize> = weights().map(|(class, _)| *class).collect();
    let y = if labels.count == 2 && classes.len() == 1 {
        let positive = weights().all(|(_, weight)| *weight >= 0.0);
        of_two(w, &scores, &forest, &labels, (classes.contains(&1), positive))?
    } else {
        let based = with_base(w, &scores, &forest)?;
        match of_all(w, &forest, &labels) {
            Ok(None) => labels.give_best(w, &based),
            Ok(Some(why)) => w.refuse(0, &why),
            Err(error) => return Err(error),
        }
        finished(w, &based)?
    };
    let y = w.cast(&y, ElementType::Float32);
    w.give(1, &y);
    Ok(())
}

/// What ONNX Runtime makes something else of than ONNX says: the scores, or the label, then why.
fn of_all(w: &Writer<'_>, forest: &Forest, labels: &ClassLabels) -> Result<Option<ModelError>, ModelError> {
    let has_base = !numbers(w, "base_values")?.0.is_empty();
    let positive = forest.leaves.iter().flatten().all(|(_, weight)| *weight >= 0.0);
    let always = |class: usize| forest.always_weighs(class);
    let other = |what: &str| {
        let help = "give every leaf weights of all classes, and no base values; a label can be cut off the model's outputs \
                    with onnx.utils.extract_model";
        w.error(format!("ONNX Runtime does not do what ONNX says with {what}")).help(help)
    };
    Ok(if labels.count == 2 && has_base {
        return Err(other("base values of two classes that both have weights"));
    } else if labels.count == 2 && !always(1) {
        return Err(other("a point without weights of the second class"));
    } else if labels.count == 2 {
        Some(other("the label of two classes that both have weights"))
    } else if !positive && !has_base && !(0..labels.count).all(always) {
        Some(other("the label of a point without weights of some class"))
    } else {
        None
    })
}

/// Two classes with weights for one of them, the second or the first.
fn of_two(
    w: &mut Writer<'_>,
    scores: &str,
    forest: &Forest,
    labels: &ClassLabels,
    (is_second, positive): (bool, bool),
) -> Result<String, ModelError> {
    let base = numbers(w, "base_values")?.0;
    if base.len() > usize::from(!is_second) {
        return Err(w
            .error("ONNX leaves open what several base values of two classes with the weights of one mean")
            .help("add them to the weights of a tree's leaves"));
    }
    let column = i64::from(is_second);
    let mut score = w.slice(scores, 1, (column, column + 1), 1);
    if !base.is_empty() {
        let base = w.constant(Tensor::rounded(forest.element, vec![1], &base));
        score = w.op("Add", &[&score, &base]);
    }
    labels.give_above(w, &score, if positive { 0.5 } else { 0.0 });
    if is_second {
        // The column of the class without weights stays 0.
        return finished(w, scores);
    }
    two_columns(w, &score, if positive { SecondScore::Complement } else { SecondScore::Opposite })
}

/// Numbers with the base values added, if there are any.
fn with_base(w: &mut Writer<'_>, scores: &str, forest: &Forest) -> Result<String, ModelError> {
    let base = numbers(w, "base_values")?.0;
    if base.is_empty() {
        return Ok(scores.to_owned());
    }
    if base.len() != forest.targets {
        return Err(w.error(format!("{} base values for {} targets", base.len(), forest.targets)));
    }
    let base = w.constant(Tensor::rounded(forest.element, vec![base.len()], &base));
    Ok(w.op("Add", &[scores, &base]))
}

fn list<'a>(w: &Writer<'a>, name: &str) -> Result<&'a [i64], ModelError> {
    w.node.ints(name)?.ok_or_else(|| w.error(format!("its attribute {name} is missing")))
}

/// A list of floats, or the tensor that stands for it, and whether that is in double precision; empty where neither is there.
fn numbers(w: &Writer<'_>, name: &str) -> Result<(Vec<f64>, bool), ModelError> {
    if let Some(tensor) = w.node.tensor(&format!("{name}_as_tensor"))? {
        return Ok((tensor.to_f64(), tensor.element == ElementType::Float64));
    }
    let list = w.node.floats(name)?.unwrap_or_default();
    Ok((list.iter().map(|&x| x.into()).collect(), false))
}

/// Double precision where the thresholds are or the input is.
fn element(w: &Writer<'_>, double: bool) -> ElementType {
    let known = w.optional(0).and_then(|x| Some(w.shape(&x)?.0));
    if double || known == Some(ElementType::Float64) { ElementType::Float64 } else { ElementType::Float32 }
}

/// Versions 1 and 3: nodes of trees by number, leaves among them; weights apart, of `target` or `class`.
fn older(w: &Writer<'_>, what: &str, count: usize) -> Result<Forest, ModelError> {
    let (trees, nodes) = (list(w, "nodes_treeids")?, list(w, "nodes_nodeids")?);
    let (yes, no) = (list(w, "nodes_truenodeids")?, list(w, "nodes_falsenodeids")?);
    let features = list(w, "nodes_featureids")?;
    let (thresholds, double) = numbers(w, "nodes_values")?;
    let modes = w.node.strings("nodes_modes")?.unwrap_or_default();
    let lengths = [nodes.len(), yes.len(), no.len(), features.len(), thresholds.len(), modes.len()];
    if lengths.iter().any(|&len| len != trees.len()) {
        return Err(w.error("its lists of nodes do not fit each other"));
    }
    let places: BTreeMap<(i64, i64), usize> =
        trees.iter().zip(nodes).enumerate().map(|(at, (&tree, &node))| ((tree, node), at)).collect();
    let (children, inner, leaves) = numbered(&modes);
    let mut is_child = vec![false; trees.len()];
    let mut child = |at: usize, node: i64| -> Result<Child, ModelError> {
        let place = places.get(&(trees[at], node)).copied();
        let place = place.ok_or_else(|| w.error(format!("its node {node} is missing")))?;
        is_child[place] = true;
        Ok(children[place])
    };
    let mut splits = Vec::with_capacity(inner.len());
    for at in inner {
        let mode = MODES.iter().position(|name| *name == modes[at]).map(|place| SplitMode::ALL[place]);
        let mode = mode.filter(|mode| *mode != SplitMode::Member);
        let mode = mode.ok_or_else(|| w.error(format!("the comparison {} does not exist", modes[at])))?;
        let (yes, no) = (child(at, yes[at])?, child(at, no[at])?);
        let (feature, threshold) = (features[at], thresholds[at]);
        splits.push(TreeSplit { feature, mode, threshold, members: Vec::new(), yes, no });
    }
    let roots = (0..trees.len()).filter(|&at| !is_child[at]).map(|at| children[at]).collect();
    let mut forest = Forest {
        splits,
        roots,
        leaves: vec![Vec::new(); leaves],
        targets: count,
        element: element(w, double),
    };
    weigh(w, what, &mut forest, |tree, node| places.get(&(tree, node)).map(|&at| children[at]))?;
    Ok(forest)
}

/// Leaves and splits numbered apart: what each node is, the nodes that are splits, and how many leaves there are.
fn numbered(modes: &[&str]) -> (Vec<Child>, Vec<usize>, usize) {
    let (mut children, mut inner, mut leaves) = (Vec::new(), Vec::new(), 0);
    for (at, mode) in modes.iter().enumerate() {
        children.push(if *mode == "LEAF" {
            leaves += 1;
            Child::Leaf(leaves - 1)
        } else {
            inner.push(at);
            Child::Split(inner.len() - 1)
        });
    }
    (children, inner, leaves)
}

/// Reads the leaves' weights.
fn weigh(
    w: &Writer<'_>,
    what: &str,
    forest: &mut Forest,
    place: impl Fn(i64, i64) -> Option<Child>,
) -> Result<(), ModelError> {
    let (nodes, trees) = (list(w, &format!("{what}_nodeids"))?, list(w, &format!("{what}_treeids"))?);
    let targets = list(w, &format!("{what}_ids"))?;
    let (values, _) = numbers(w, &format!("{what}_weights"))?;
    if [trees.len(), targets.len(), values.len()].iter().any(|&len| len != nodes.len()) {
        return Err(w.error(format!("its lists of {what}s do not fit each other")));
    }
    for (at, &value) in values.iter().enumerate() {
        let target = usize::try_from(targets[at]).ok().filter(|&target| target < forest.targets);
        let (Some(target), Some(Child::Leaf(leaf))) = (target, place(trees[at], nodes[at])) else {
            return Err(w.error(format!("its weight {at} belongs to no leaf or no {what}")));
        };
        forest.leaves[leaf].push((target, value));
    }
    Ok(())
}

/// Version 5: nodes that decide and leaves in lists of their own.
fn newest(w: &Writer<'_>) -> Result<Forest, ModelError> {
    let (weights, targets) = (tensor(w, "leaf_weights")?.to_f64(), list(w, "leaf_targetids")?);
    let count = usize::try_from(w.node.int("n_targets")?.unwrap_or(1)).unwrap_or(0);
    let (splits, double) = splits(w, weights.len())?;
    let mut leaves = Vec::with_capacity(weights.len());
    for (at, &weight) in weights.iter().enumerate() {
        let target = targets.get(at).and_then(|&t| usize::try_from(t).ok()).filter(|&t| t < count);
        let target = target.ok_or_else(|| w.error(format!("its leaf {at} belongs to no target")))?;
        leaves.push(vec![(target, weight)]);
    }
    let mut roots = Vec::new();
    for &root in list(w, "tree_roots")? {
        let root = usize::try_from(root).ok().filter(|&root| root < splits.len());
        let root = root.ok_or_else(|| w.error("a tree's root is missing"))?;
        // A tree of one leaf is written as a node whose two sides are the same leaf.
        roots.push(match (splits[root].yes, splits[root].no) {
            (Child::Leaf(a), Child::Leaf(b)) if a == b => Child::Leaf(a),
            _ => Child::Split(root),
        });
    }
    Ok(Forest { splits, roots, leaves, targets: count, element: element(w, double) })
}

fn tensor<'a>(w: &Writer<'a>, name: &str) -> Result<&'a Tensor, ModelError> {
    let tensor = w.node.tensor(name)?.map(|tensor| tensor.as_ref());
    tensor.ok_or_else(|| w.error(format!("its attribute {name} is missing")))
}

/// The nodes of version 5 that decide, and whether their thresholds are in double precision.
fn splits(w: &Writer<'_>, leaves: usize) -> Result<(Vec<TreeSplit>, bool), ModelError> {
    let (modes, thresholds) = (tensor(w, "nodes_modes")?.to_f64(), tensor(w, "nodes_splits")?);
    let double = thresholds.element == ElementType::Float64;
    let thresholds = thresholds.to_f64();
    let features = list(w, "nodes_featureids")?;
    // Of each side the place, and whether it is one among the leaves.
    let yes = (list(w, "nodes_truenodeids")?, list(w, "nodes_trueleafs")?);
    let no = (list(w, "nodes_falsenodeids")?, list(w, "nodes_falseleafs")?);
    let lengths = [thresholds.len(), features.len(), yes.0.len(), yes.1.len(), no.0.len(), no.1.len()];
    if lengths.iter().any(|&len| len != modes.len()) {
        return Err(w.error("its lists of nodes do not fit each other"));
    }
    let child = |(places, are_leaves): (&[i64], &[i64]), at: usize| -> Result<Child, ModelError> {
        let is_leaf = are_leaves[at] != 0;
        let most = if is_leaf { leaves } else { modes.len() };
        let place = usize::try_from(places[at]).ok().filter(|&place| place < most);
        let place = place.ok_or_else(|| w.error(format!("its node {} is missing", places[at])))?;
        Ok(if is_leaf { Child::Leaf(place) } else { Child::Split(place) })
    };
    let mut sets = members(w)?.into_iter();
    let mut splits = Vec::with_capacity(modes.len());
    for (at, &mode) in modes.iter().enumerate() {
        let mode = SplitMode::ALL.get(mode as usize).copied();
        let mode = mode.ok_or_else(|| w.error(format!("the comparison {} does not exist", modes[at])))?;
        let missing = || w.error("its attribute membership_values does not have a set for each node");
        let members = if mode == SplitMode::Member { sets.next().ok_or_else(missing)? } else { Vec::new() };
        let (feature, threshold) = (features[at], thresholds[at]);
        splits.push(TreeSplit {
            feature,
            mode,
            threshold,
            members,
            yes: child(yes, at)?,
            no: child(no, at)?,
        });
    }
    Ok((splits, double))
}

/// Sets of members, one a node that asks for one, with NaN between them.
fn members(w: &Writer<'_>) -> Result<Vec<Vec<f64>>, ModelError> {
    let Some(Attribute::Tensor(tensor)) = w.node.attributes.get("membership_values") else {
        return Ok(Vec::new());
    };
    let values = tensor.to_f64();
    Ok(values.split(|value| value.is_nan()).map(<[f64]>::to_vec).collect())
}
