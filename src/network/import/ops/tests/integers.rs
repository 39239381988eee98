//! Integers in the fast engine: they wrap around as their type says, as in the plain engine, and what may wrap has no
//! bounds.

use std::sync::Arc;

use super::{Sketch, int};
use crate::bounds::Bounder;
use crate::network::import::import;
use crate::onnx::ElementType::*;
use crate::onnx::{Attribute, Dim, ElementType, Tensor, ValueInfo};
use crate::problem::need_double;
use crate::reference::{Engine, Precision};

impl Sketch {
    fn typed(mut self, name: &str, element: ElementType, shape: &[usize]) -> Self {
        let shape = Some(shape.iter().map(|&d| Dim::Fixed(d)).collect());
        self.graph.inputs.push(ValueInfo { name: name.into(), element, shape });
        self
    }
}

/// Both engines give these values at a point, and whether there are bounds.
fn check(label: &str, sketch: Sketch, x: &[f64], want: &[f64], bounded: bool) {
    let model = sketch.output("y").model();
    let network = import::<f64>(&model).unwrap_or_else(|e| panic!("{label}: {e}"));
    assert_eq!(network.evaluate(x), want, "{label}, fast engine");
    assert_eq!(Bounder::new(&network).is_ok(), bounded, "{label}: whether it has bounds");
    let outputs = Engine::new(Arc::new(model)).unwrap().run(&[x], Precision::Model).unwrap();
    assert_eq!(outputs[0].values, want, "{label}, plain engine");
}

/// `operator(x, constant)` with integers of one type.
fn pair(operator: &str, element: ElementType, x: f64, constant: f64, want: f64) {
    let constant_of = Tensor::rounded(element, vec![1], &[constant]);
    let sketch = Sketch::new(13).typed("x", element, &[1]).tensor("c", constant_of);
    let sketch = sketch.node(operator, &["x", "c"], &["y"], &[]);
    check(&format!("{x} {operator} {constant} in {element}"), sketch, &[x], &[want], false);
}

#[test]
fn sums_and_products_wrap() {
    pair("Add", Int8, 100.0, 100.0, -56.0);
    pair("Add", UInt8, 200.0, 100.0, 44.0);
    pair("Add", Int16, 32_767.0, 1.0, -32_768.0);
    pair("Add", Int32, 2_147_483_647.0, 1.0, -2_147_483_648.0);
    pair("Sub", UInt32, 0.0, 1.0, 4_294_967_295.0);
    pair("Sub", UInt16, 3.0, 5.0, 65_534.0);
    pair("Mul", Int32, 30_000.0, 100_000.0, -1_294_967_296.0);
    pair("Mul", UInt32, 65_536.0, 65_537.0, 65_536.0);
    pair("Mul", Int16, 300.0, 300.0, 24_464.0);
    pair("Mul", Int64, 4_294_967_296.0, 4_294_967_296.0, 0.0);
    pair("Add", Int64, -5.0, 3.0, -2.0);
    pair("Sub", UInt64, 1.0, 2049.0, 18_446_744_073_709_549_568.0);
}

#[test]
fn other_operators_wrap() {
    let one =
        |operator: &str, element, x: &[f64], want: &[f64], bounded, attributes: &[(&str, Attribute)]| {
            let sketch = Sketch::new(13).typed("x", element, &[x.len()]);
            let sketch = sketch.node(operator, &["x"], &["y"], attributes);
            check(&format!("{operator} {element}"), sketch, x, want, bounded);
        };
    one("Neg", Int8, &[-128.0], &[-128.0], false, &[]);
    one("Abs", Int8, &[-128.0, -3.0], &[-128.0, 3.0], false, &[]);
    one("ReduceSum", Int8, &[100.0, 100.0], &[-56.0], false, &[]);
    one("ReduceProd", Int32, &[65_536.0, 65_536.0], &[0.0], false, &[]);
    one("ReduceMean", Int32, &[2.0, 5.0], &[3.0], false, &[]);
    one("ReduceMax", Int8, &[-4.0, 7.0], &[7.0], true, &[]);
    let weights = Tensor::rounded(Int32, vec![2, 1], &[100_000.0, 1.0]);
    let product = Sketch::new(13).typed("x", Int32, &[1, 2]).tensor("w", weights);
    let product = product.node("MatMul", &["x", "w"], &["y"], &[]);
    check("MatMul", product, &[30_000.0, 7.0], &[-1_294_967_289.0], false);
    let sums = Sketch::new(13).typed("x", Int32, &[2]).ints("axis", &[0]);
    let sums = sums.node("CumSum", &["x", "axis"], &["y"], &[]);
    check("CumSum", sums, &[2_147_483_647.0, 2.0], &[2_147_483_647.0, -2_147_483_647.0], false);
}

#[test]
fn casts_do_what_x86_does() {
    let cast = |from, x: f64, to: i64, want: f64, bounded| {
        let sketch = Sketch::new(13).typed("x", from, &[1]).node("Cast", &["x"], &["y"], &[("to", int(to))]);
        check(&format!("{x} {from} to {to}"), sketch, &[x], &[want], bounded);
    };
    cast(Float32, 200.0, 3, -56.0, false);
    cast(Float32, -1.5, 2, 255.0, false);
    cast(Float32, 3e9, 6, -2_147_483_648.0, false);
    cast(Float32, 3e9, 12, 3e9, false);
    cast(Float64, 9.3e18, 7, -9_223_372_036_854_775_808.0, false);
    cast(Float64, 9.3e18, 13, 9.3e18, false);
    cast(Int32, 300.0, 3, 44.0, false);
    cast(Int8, -1.0, 2, 255.0, false);
    // Every value fits: no wrap, and bounds as before.
    cast(Int8, -7.0, 6, -7.0, true);
    cast(UInt8, 200.0, 7, 200.0, true);
    cast(Bool, 1.0, 3, 1.0, true);
}

#[test]
fn what_cannot_leave_its_type_keeps_its_bounds() {
    let place = Sketch::new(13).input("x", &[4]).node("ArgMax", &["x"], &["p"], &[("keepdims", int(0))]);
    let place = place.tensor("seven", Tensor::int64(vec![7]));
    let place = place.node("Mul", &["p", "seven"], &["q"], &[]).node("Add", &["q", "seven"], &["y"], &[]);
    check("an index", place, &[0.0, 3.0, 2.0, 1.0], &[14.0], true);
    let clipped = Sketch::new(13).input("x", &[1]).floats("low", &[], &[-9.0]).floats("high", &[], &[9.0]);
    let clipped = clipped.node("Clip", &["x", "low", "high"], &["c"], &[]);
    let clipped = clipped.node("Cast", &["c"], &["y"], &[("to", int(3))]);
    check("a clipped float", clipped, &[123.0], &[9.0], true);
}

#[test]
fn wide_integers_are_searched_in_double() {
    let cast = |to: i64| {
        let sketch = Sketch::new(13).typed("x", Float32, &[1]);
        Arc::new(sketch.node("Cast", &["x"], &["y"], &[("to", int(to))]).output("y").model())
    };
    assert!(need_double(&[cast(6)]), "int32");
    assert!(!need_double(&[cast(3)]), "int8");
}
