//! Operator sets 1 to 6: what is read of them, as set 7.
//!
//! Set 7 changed how operands of different shapes are matched, and took modes of training out of two operators. Most
//! operators mean the same before and after; a model of such nodes alone is one of set 7. Source: `Changelog.md` of
//! the ONNX project, operator by operator.

use super::error::ModelError;
use super::model::{Attribute, Graph, Node};

/// The set that older ones are read as.
pub(super) const READ_AS: i64 = 7;

/// Operators that have meant the same since a set, up to set 7.
const UNCHANGED: &[(&str, i64)] = &[
    ("Abs", 1),
    ("ArgMax", 1),
    ("ArgMin", 1),
    ("AveragePool", 1),
    ("Cast", 6),
    ("Ceil", 1),
    ("Clip", 1),
    ("Concat", 4),
    ("Constant", 1),
    ("Conv", 1),
    ("ConvTranspose", 1),
    ("DepthToSpace", 1),
    ("Elu", 1),
    ("Exp", 1),
    ("Flatten", 1),
    ("Floor", 1),
    ("Gather", 1),
    ("Gemm", 1),
    ("GlobalAveragePool", 1),
    ("GlobalLpPool", 2),
    ("GlobalMaxPool", 1),
    ("HardSigmoid", 1),
    ("Identity", 1),
    ("InstanceNormalization", 1),
    ("LRN", 1),
    ("LeakyRelu", 1),
    ("Log", 1),
    ("LogSoftmax", 1),
    ("MatMul", 1),
    ("Max", 1),
    ("MaxPool", 1),
    ("Mean", 1),
    ("Min", 1),
    ("Neg", 1),
    ("Not", 1),
    ("Pad", 2),
    ("Reciprocal", 1),
    ("ReduceL1", 1),
    ("ReduceL2", 1),
    ("ReduceLogSum", 1),
    ("ReduceLogSumExp", 1),
    ("ReduceMax", 1),
    ("ReduceMean", 1),
    ("ReduceMin", 1),
    ("ReduceProd", 1),
    ("ReduceSum", 1),
    ("ReduceSumSquare", 1),
    ("Relu", 1),
    ("Reshape", 5),
    ("Selu", 1),
    ("Shape", 1),
    ("Sigmoid", 1),
    ("Size", 1),
    ("Slice", 1),
    ("Softmax", 1),
    ("Softplus", 1),
    ("Softsign", 1),
    ("SpaceToDepth", 1),
    ("Split", 2),
    ("Sqrt", 1),
    ("Squeeze", 1),
    ("Sum", 1),
    ("Tanh", 1),
    ("Tile", 6),
    ("Transpose", 1),
    ("Unsqueeze", 1),
];

/// Operators of two operands. Without an axis they are matched from the last dimension on, as in set 7.
const PAIRS: &[&str] = &["Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"];

/// Whether a graph of an older set means the same in set 7.
///
/// # Errors
/// The first node that does not.
pub(super) fn check(graph: &Graph, version: i64) -> Result<(), ModelError> {
    for node in &graph.nodes {
        if !means_the_same(node, version) {
            let what =
                format!("this operator means something else in operator set {version} than in set {READ_AS}");
            let help = "convert the model with onnx.version_converter.convert_version(model, 13)";
            return Err(node.error(what).help(help));
        }
        for attribute in node.attributes.values() {
            if let Attribute::Graph(inner) = attribute {
                check(inner, version)?;
            }
        }
    }
    Ok(())
}

fn means_the_same(node: &Node, version: i64) -> bool {
    let name = node.operator.as_str();
    let flag = |name: &str| matches!(node.attributes.get(name), Some(Attribute::Int(1..)));
    let has = |name: &str| node.attributes.contains_key(name);
    match name {
        // Before set 7 they train unless they are told not to.
        "BatchNormalization" => flag("is_test") && (flag("spatial") || !has("spatial")),
        "Dropout" => flag("is_test"),
        _ if PAIRS.contains(&name) => !has("axis"),
        _ => UNCHANGED.iter().any(|&(known, since)| known == name && since <= version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_changed_are_named() {
        let check = |operator: &str, attributes: &[(&str, i64)], version, want| {
            let attributes =
                attributes.iter().map(|&(name, value)| (name.to_owned(), Attribute::Int(value))).collect();
            let node = Node {
                name: "n".into(),
                operator: operator.into(),
                domain: String::new(),
                inputs: vec!["x".into()],
                outputs: vec!["y".into()],
                attributes,
            };
            let graph = Graph { nodes: vec![node], ..Graph::default() };
            assert_eq!(super::check(&graph, version).is_ok(), want, "{operator} of set {version}");
        };
        check("Relu", &[], 1, true);
        check("Reshape", &[], 1, false);
        check("Reshape", &[], 5, true);
        check("Add", &[("broadcast", 1)], 6, true);
        check("Add", &[("broadcast", 1), ("axis", 1)], 6, false);
        check("Dropout", &[], 6, false);
        check("Dropout", &[("is_test", 1)], 6, true);
        check("BatchNormalization", &[("is_test", 1), ("spatial", 0)], 6, false);
        check("PRelu", &[], 6, false);
    }
}
