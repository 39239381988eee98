//! Properties against the texts that they are made from.

use super::lower::*;
use super::{Conjunction, Region, Row, RowKind};
use crate::onnx::ElementType;
use crate::random::Random;

fn lower(text: &str) -> Property {
    Property::new(&vnnlib::parse(text).unwrap(), &[ElementType::Float32; 2]).unwrap()
}

const DECLARE: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)";
const BOX: &str = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 0.5))(assert (>= X_1 -0.5))";

#[test]
fn a_plain_property_is_one_region_with_one_conjunction() {
    let property = lower(&format!("{DECLARE}{BOX}(assert (<= Y_0 Y_1))(assert (> Y_1 2.5))"));
    assert_eq!(property.region_count(), 1);
    let region = property.region(0).unwrap();
    assert_eq!((region.lower, region.upper), (vec![0.0, -0.5], vec![1.0, 0.5]));
    let row = |outputs: &[(usize, f64)], bound, kind| Row {
        inputs: vec![],
        outputs: outputs.to_vec(),
        bound,
        kind,
    };
    let want =
        vec![row(&[(0, 1.0), (1, -1.0)], 0.0, RowKind::AtMost), row(&[(1, -1.0)], -2.5, RowKind::Below)];
    assert_eq!(region.conjunctions, [Conjunction { rows: want }]);
}

#[test]
fn cases_with_the_same_box_are_one_region() {
    let boxes = "(assert (or (and (<= X_0 0.2) (>= X_0 0.1)) (and (<= X_0 0.9) (>= X_0 0.8)) (and (<= X_0 0.1) (>= X_0 0.8))))";
    let property = lower(&format!("{DECLARE}{BOX}{boxes}(assert (or (<= Y_0 0) (<= Y_1 0)))"));
    assert_eq!(property.region_count(), 2, "two boxes, and one that is empty");
    for index in 0..2 {
        assert_eq!(property.region(index).unwrap().conjunctions.len(), 2);
    }
    assert_eq!(property.region(1).unwrap().lower[0], f64::from(0.8f32));
}

#[test]
fn an_empty_input_set_is_known() {
    let property = lower(&format!("{DECLARE}{BOX}(assert (>= X_0 1.0000001))"));
    assert!(property.has_no_inputs());
    let property = lower(&format!("{DECLARE}{BOX}(assert (> X_0 0.61))(assert (< X_0 0.6100000000001))"));
    assert!(!property.has_no_inputs() && property.is_partial());
}

#[test]
fn a_box_without_a_number_says_which_input_and_which_bounds() {
    use ElementType::*;
    let bounds = "(assert (> X_0 1))(assert (< X_0 1.0000001))(assert (>= X_1 0))(assert (<= X_1 1))";
    let either = "(assert (or (and (> X_0 1) (< X_0 1.0001)) (and (>= X_0 0) (<= X_0 1)) (and (> X_0 3) (< X_0 3.0001))))";
    let cases = [
        (
            Float32,
            bounds,
            0,
            Some("type float32 satisfies the bounds of input X_0 (> 1 and < 1.0000001), so there"),
        ),
        (Float64, bounds, 1, None),
        (Float16, either, 1, Some("X_0 (> 1 and < 1.0001): 2 input boxes like this one are left out")),
        (Int8, either, 1, Some("type int8 satisfies the bounds of input X_0 (> 1 and < 1.0001): 2 input")),
        (UInt8, "(assert (< X_0 0))", 0, Some("type uint8 satisfies the bounds of input X_0 (< 0)")),
    ];
    for (element, bounds, regions, want) in cases {
        let query =
            vnnlib::parse(format!("{DECLARE}{bounds}(assert (>= X_1 0))(assert (<= X_1 1))")).unwrap();
        let property = Property::new(&query, &[element; 2]).unwrap();
        let said = property.numberless();
        assert_eq!((property.region_count(), property.is_partial()), (regions, want.is_some()), "{bounds}");
        assert!(!property.has_no_inputs(), "{bounds}");
        assert_eq!(said.is_some(), want.is_some(), "{bounds}");
        assert!(said.iter().zip(want).all(|(said, want)| said.contains(want)), "{said:?}");
    }
}

/// A random formula over two inputs and two outputs, `depth` levels deep.
fn formula(random: &mut Random, depth: usize) -> String {
    if depth == 0 || random.below(4) == 0 {
        let name = ["X_0", "X_1", "Y_0", "Y_1"][random.below(4)];
        let relation = [">=", "<=", "<=", ">=", "="][random.below(if name < "Y" { 5 } else { 4 })];
        return format!("({relation} {name} {})", random.below(9) as f64 / 4.0 - 1.0);
    }
    let operands: Vec<String> = (0..2 + random.below(2)).map(|_| formula(random, depth - 1)).collect();
    format!("({} {})", ["and", "or", "or"][random.below(3)], operands.join(" "))
}

#[test]
fn regions_hold_the_same_points_as_the_query() {
    let mut random = Random::new(11);
    let (mut formulas, mut inside) = (0, 0);
    for round in 0..400 {
        let assertions = 1 + random.below(if round % 4 == 0 { 24 } else { 4 });
        let text: String = (0..assertions).map(|_| format!("(assert {})", formula(&mut random, 3))).collect();
        let query = vnnlib::parse(format!("{DECLARE}{BOX}{text}")).unwrap();
        let property = Property::new(&query, &[ElementType::Float32; 2]).unwrap();
        let regions: Vec<Region> =
            (0..property.region_count()).map(|i| property.region(i).unwrap()).collect();
        formulas += usize::from(regions.iter().any(|region| region.condition.is_some()));
        for _ in 0..100 {
            let mut number = || random.below(17) as f64 / 8.0 - 1.0;
            let (x, y) = ([number(), number()], [number(), number()]);
            let within = |r: &Region| (0..2).all(|i| r.lower[i] <= x[i] && x[i] <= r.upper[i]);
            let found = regions.iter().any(|region| within(region) && region.margin(&x, &y) >= 0.0);
            let want = query.holds([x.to_vec(), y.to_vec()].as_slice()).unwrap();
            assert_eq!(found, want, "{text} at {x:?} {y:?}");
            inside += usize::from(want);
            let way = |region: &Region| region.ways_at(&x, &y).iter().any(|way| way.holds(&x, &y));
            assert_eq!(regions.iter().any(|region| within(region) && way(region)), want, "{text}");
        }
    }
    assert!(formulas >= 10 && inside > 1000, "{formulas} formulas, {inside} points inside");
}

#[test]
fn no_number_of_ways_is_too_large() {
    let outputs = |n: usize| "(assert (or (<= Y_0 0.25) (>= Y_1 0.5)))".repeat(n);
    let inputs = |n: usize| "(assert (or (<= X_0 0.25) (>= X_1 0)))".repeat(n);
    let apart =
        |n: usize| (0..n).map(|i| format!("(assert (or (<= X_0 0.{i:02}) (>= X_0 0.{i:02}5)))")).collect();
    let cases: [(String, usize, usize, bool); 6] = [
        (outputs(5), 1, 32, false),
        (outputs(1000), 1, 1, true),
        (inputs(4), 4, 16, false),
        (inputs(100), 4, 1024, true),
        // Of 2⁹⁰ boxes all but 91 are empty.
        (apart(90), 91, 91, false),
        (format!("{}{}", outputs(60), apart(3)), 4, 4, true),
    ];
    for (text, at_least, at_most, formulas) in cases {
        let property = lower(&format!("{DECLARE}{BOX}{text}"));
        let count = property.region_count();
        let region = property.region(0).unwrap();
        let ways = if count == 1 { region.conjunctions.len() } else { count };
        assert!((at_least..=at_most).contains(&ways), "{count} regions, {ways} ways");
        assert_eq!(region.condition.is_some(), formulas);
    }
}

#[test]
fn inputs_without_a_bound_are_searched_further_and_further() {
    let property = lower(&format!(
        "{DECLARE}(assert (<= X_0 1))(assert (>= X_1 -3))(assert (<= X_1 5e9))(assert (<= Y_0 0))"
    ));
    assert!(property.is_partial());
    let boxes: Vec<_> = (0..property.region_count()).map(|i| property.region(i).unwrap()).collect();
    let lowers: Vec<f64> = boxes.iter().map(|region| region.lower[0]).collect();
    assert_eq!(lowers, [0.0, -99.0, -9999.0, -1e8]);
    assert!(boxes.iter().all(|region| region.upper[0] == 1.0 && region.lower[1] == -3.0));
    let (first, all) = Property::reaches();
    let further: Vec<_> = (first..all).map(|reach| property.further(0, reach).unwrap()).collect();
    let lowers: Vec<f64> = further.iter().flatten().map(|region| region.lower[0]).collect();
    assert_eq!(lowers[0], f64::from(-1e12f32));
    assert!(lowers.is_sorted_by(|near, far| near > far) && lowers.last() == Some(&f64::from(f32::MIN)));
    assert!(further.last().unwrap().is_none(), "the type ends before");
}

#[test]
fn products_are_outputs_of_their_own() {
    let property = lower(&format!("{DECLARE}{BOX}(assert (>= (* X_0 Y_1) (+ Y_0 0.1)))"));
    let region = property.region(0).unwrap();
    let row = &region.conjunctions[0].rows[0];
    assert_eq!((row.inputs.as_slice(), row.outputs.as_slice()), (&[][..], &[(2, -1.0), (0, 1.0)][..]));
    assert!(row.bound >= -0.1 && row.bound <= -0.1f64.next_down(), "{}", row.bound);
}

#[test]
fn the_hull_holds_every_real_number_of_the_box() {
    let property = lower(&format!("{DECLARE}(assert (= X_0 0))(assert (<= X_1 0.1))(assert (>= X_1 0))"));
    let region = property.region(0).unwrap();
    assert_eq!((region.hull_lower, region.hull_upper), (vec![0.0, 0.0], vec![0.0, 0.1f64]));
    assert!(region.upper[1] < 0.1);
}
