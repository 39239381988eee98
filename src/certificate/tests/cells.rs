//! Computed indices: proofs by cells against an enumeration of all values that an index has.

use proptest::prelude::*;

use super::*;
use crate::certificate::{Cells, NoCells, check_cell};

/// How many cells a query has, and whether they prove it; the judge is asked twice, for the cells and for the whole.
fn by_cells(model: &Arc<Model>, query: &vnnlib::Query) -> Result<(usize, bool), NoCells> {
    let models = std::slice::from_ref(model);
    let cells = Cells::find(query, models, &|| true)?;
    let leaf = Certificate { tokens: vec![Token::plain_leaf()] };
    let proof = |cell| {
        let (enclosure, own) = cells_networks(cell, query, models);
        assert!(own.iter().all(|model| crate::network::import::<f64>(model).is_ok_and(|n| n.plain_nodes().count() == 0)));
        check_cell(&enclosure, cell, &leaf, 1, &|| true).ok()
    };
    let proofs: Option<Vec<Vec<Token>>> = cells.cells().iter().map(proof).collect();
    let Some(proofs) = proofs else { return Ok((cells.cells().len(), false)) };
    let certificate = Certificate { tokens: cells.tokens(&proofs) };
    let read = Certificate::parse(certificate.text().as_bytes()).unwrap();
    let root = Enclosure::root(query, models).unwrap();
    check(&root, &read, Mending::Refuse, 1, &|| true).unwrap();
    Ok((cells.cells().len(), true))
}

fn cells_networks(
    cell: &crate::certificate::Cell,
    query: &vnnlib::Query,
    models: &[Arc<Model>],
) -> (Enclosure, Vec<Arc<Model>>) {
    cell.networks(query, models).unwrap()
}

/// `floor(x₀ · scale)` as a whole number `k` of shape `[1]`.
fn index(inputs: usize, scale: f32) -> Builder {
    Builder::new(&[inputs])
        .ints("zero", &[0])
        .ints("one", &[1])
        .ints("two", &[2])
        .constant("scale", &[1], &[scale])
        .node("Slice x zero one -> x0")
        .node("Mul x0 scale -> scaled")
        .node("Floor scaled -> floor")
        .node_with("Cast floor -> k", &[("to", attribute(7))])
}

/// Eight numbers, of which the index chooses.
const TABLE: [f32; 8] = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0];

fn table(builder: Builder) -> Builder {
    builder.constant("table", &[8], &TABLE)
}

#[test]
fn every_operator_whose_operands_say_where_is_proved_cell_by_cell() {
    let check = |name: &str, builder: Builder, (cells, assertion): (usize, &str), expected: bool| {
        let query = query(&[(0.0, 3.5)], 1, assertion);
        let found = by_cells(&builder.build(), &query).map(|(found, proved)| (found >= cells, proved));
        assert_eq!(found, Ok((true, expected)), "{name}: {assertion}");
    };
    let start = || table(index(1, 2.0)).node("Add k one -> end");
    let sum = |builder: Builder| builder.node_with("ReduceSum part zero -> y", &[("keepdims", attribute(1))]);
    let slice = || start().node("Slice table k end -> y");
    check("Slice", slice(), (8, "(>= Y_0 9.0)"), false);
    check("Slice", slice(), (8, "(>= Y_0 9.1)"), true);
    check("Gather", start().node("Gather table k -> y"), (8, "(>= Y_0 9.1)"), true);
    // Whatever lies before the index: sizes that depend on it.
    let shorter = || sum(start().node("Slice table zero end -> part"));
    check("a sum of so many", shorter(), (8, "(>= Y_0 31.6)"), true);
    check("a sum of so many", shorter(), (8, "(>= Y_0 31.4)"), false);
    let scattered = start()
        .constant("seven", &[1], &[7.0])
        .node_with("ScatterElements table k seven -> part", &[("axis", attribute(0))]);
    // The lowest sum is where the nine is overwritten.
    check("ScatterElements", sum(scattered), (8, "(<= Y_0 29.4)"), true);
    let pads =
        start().node_with("Concat k zero -> pads", &[("axis", attribute(0))]).node("Pad table pads -> part");
    check("Pad", sum(pads), (8, "(>= Y_0 31.6)"), true);
    let ones = start()
        .node("ConstantOfShape k -> part0")
        .node_with("Concat part0 table -> part", &[("axis", attribute(0))]);
    check("ConstantOfShape", sum(ones), (8, "(>= Y_0 31.6)"), true);
    let expanded = start().constant("half", &[1], &[0.5]).node("Expand half end -> part");
    check("Expand", sum(expanded), (8, "(>= Y_0 4.1)"), true);
    let tiled = start().constant("half", &[1], &[0.5]).node("Tile half end -> part");
    check("Tile", sum(tiled), (8, "(>= Y_0 4.1)"), true);
    let hot =
        start().ints("eight", &[8]).constant("ends", &[2], &[0.0, 2.0]).node("OneHot k eight ends -> hot");
    let hot =
        hot.node("Mul hot table -> part1").node_with("ReduceSum part1 -> y", &[("keepdims", attribute(0))]);
    check("OneHot", hot, (8, "(>= Y_0 18.1)"), true);
}

#[test]
fn what_varies_beside_the_index_stays_and_bounds_see_it() {
    // A window of two, one of which may be the index's own input.
    let model = index(4, 1.0).node("Add k two -> end").node("Slice x k end -> y").build();
    let check = |assertion: &str, expected: bool| {
        let query = query(&[(0.0, 2.5), (0.0, 1.0), (2.0, 3.0), (4.0, 4.0)], 2, assertion);
        let found = by_cells(&model, &query).map(|(found, proved)| (found >= 3, proved));
        assert_eq!(found, Ok((true, expected)), "{assertion}");
    };
    // Only in the first cell, where x₀ is below one, is the first number x₀.
    check("(>= Y_0 3.1)", true);
    check("(>= Y_1 4.1)", true);
    check("(and (<= Y_0 0.5) (>= Y_1 3.5))", true);
    check("(and (<= Y_0 0.5) (>= Y_1 1.5))", false);
    check("(<= Y_0 0.5)", false);
}

#[test]
fn conditions_and_loops_are_taken_apart() {
    let info = |name: &str, element| ValueInfo { name: name.into(), element, shape: None };
    let node = |operator: &str, inputs: &[&str], output: &str| Node {
        name: format!("inner_{output}"),
        operator: operator.into(),
        domain: String::new(),
        inputs: inputs.iter().map(|&name| name.into()).collect(),
        outputs: vec![output.into()],
        attributes: BTreeMap::new(),
    };
    let graph = |inputs: Vec<ValueInfo>, nodes: Vec<Node>, outputs: &[&str]| {
        let outputs = outputs.iter().map(|name| info(name, ElementType::Float32)).collect();
        Attribute::Graph(Arc::new(Graph { inputs, nodes, outputs, ..Graph::default() }))
    };
    let branches = [
        ("then_branch", graph(vec![], vec![node("Neg", &["x"], "a")], &["a"])),
        ("else_branch", graph(vec![], vec![node("Identity", &["x"], "b")], &["b"])),
    ];
    let by_sum = || {
        Builder::new(&[2])
            .constant("limit", &[], &[1.0])
            .node_with("ReduceSum x -> sum", &[("keepdims", attribute(0))])
            .node("Less sum limit -> is_small")
            .node_with("If is_small -> y", &branches)
            .build()
    };
    // No axis separates a sum of two inputs: near the line both branches are parts of their own.
    let proved = |assertion: &str| {
        by_cells(&by_sum(), &query(&[(0.0, 2.0), (0.0, 2.0)], 2, assertion)).map(|(cells, proved)| {
            assert!((2..9).contains(&cells), "{cells}");
            proved
        })
    };
    assert_eq!(proved("(>= Y_0 2.1)"), Ok(true));
    assert_eq!(proved("(<= Y_0 -1.1)"), Ok(true));
    assert_eq!(proved("(>= Y_0 1.9)"), Ok(false));
    let inputs = vec![
        info("round", ElementType::Int64),
        info("on", ElementType::Bool),
        info("before", ElementType::Float32),
    ];
    let nodes = vec![node("Identity", &["on"], "go"), node("Add", &["before", "before"], "after")];
    let doubled = index(1, 1.0)
        .constant("first", &[1], &[1.0])
        .ints("nil", &[0])
        .node_with("Squeeze k nil -> times", &[])
        .node_with("Loop times  first -> y", &[("body", graph(inputs, nodes, &["go", "after"]))]);
    let mut doubled = Arc::unwrap_or_clone(doubled.build());
    // The condition is left out.
    let last = doubled.graph.nodes.last_mut().unwrap();
    last.inputs = vec!["times".into(), String::new(), "first".into()];
    let doubled = Arc::new(doubled);
    let query_of = |assertion: &str| query(&[(0.0, 5.5)], 1, assertion);
    let proved = |assertion: &str| {
        by_cells(&doubled, &query_of(assertion)).map(|(found, proved)| (found >= 6, proved))
    };
    assert_eq!(proved("(>= Y_0 32.1)"), Ok((true, true)));
    assert_eq!(proved("(>= Y_0 31.9)"), Ok((true, false)));
}

#[test]
fn what_needs_no_cells_has_none_and_what_has_too_many_says_so() {
    let plain = Builder::new(&[1]).node("Relu x -> y").build();
    assert_eq!(by_cells(&plain, &query(&[(0.0, 1.0)], 1, "(>= Y_0 2.0)")), Err(NoCells::NotNeeded));
    let many = table(index(1, 1e6)).ints("seven", &[7]);
    let many = many.node("Min k seven -> at").node("Gather table at -> y").build();
    // Only the first eight values of a million are different ones; a few parts more where rounding decides.
    let found = by_cells(&many, &query(&[(0.0, 1.0)], 1, "(>= Y_0 9.1)"));
    assert!(matches!(found, Ok((8..32, true))), "{found:?}");
    let long = table(index(1, 1e6)).ints("eight", &[8]);
    let long = long.node("Mod k eight -> at").node("Gather table at -> y").build();
    let found = by_cells(&long, &query(&[(0.0, 1.0)], 1, "(>= Y_0 1e9)"));
    assert!(
        matches!(&found, Err(NoCells::NotEnumerable(why)) if why.contains("too many values")),
        "{found:?}"
    );
}

#[test]
fn a_tree_that_leaves_something_out_is_refused() {
    let model = table(index(1, 3.0)).node("Gather table k -> y").build();
    let query = query(&[(0.0, 1.0)], 1, "(>= Y_0 4.1)");
    let models = std::slice::from_ref(&model);
    let root = Enclosure::root(&query, models).unwrap();
    let cells = Cells::find(&query, models, &|| true).unwrap();
    let tokens = cells.tokens(&vec![vec![Token::plain_leaf()]; cells.cells().len()]);
    let checked = |tokens: &[Token]| {
        check(&root, &Certificate { tokens: tokens.to_vec() }, Mending::Refuse, 1, &|| true).is_ok()
    };
    assert!(checked(&tokens));
    for at in 0..tokens.len() {
        let with = |token: Token| [&tokens[..at], &[token], &tokens[at + 1..]].concat();
        let without = [&tokens[..at], &tokens[at + 1..]].concat();
        assert!(!checked(&without), "token {at} left out");
        match &tokens[at] {
            // A gap that lies elsewhere leaves an index with two values.
            Token::Gap { input, at: last } => {
                assert!(!checked(&with(Token::Gap { input: *input, at: last + 0.1 })), "token {at}");
                assert!(
                    !checked(&with(Token::Gap { input: *input, at: last + 1e-12 })),
                    "token {at}: no float"
                );
            }
            Token::Values { network, value, at: flat, low, count } => {
                let fewer = |low, count| Token::Values {
                    network: *network,
                    value: value.clone(),
                    at: *flat,
                    low,
                    count,
                };
                assert!(!checked(&with(fewer(*low, count - 1))) && !checked(&with(fewer(low + 1, *count))));
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is proved holds for every value that the index has anywhere; with steps that rounding does not move, the other way round, too.
    #[test]
    fn proofs_agree_with_an_enumeration(
        scale in prop_oneof![Just(1.0f32), Just(4.0), Just(0.5), Just(3.0), Just(0.7), Just(10.0)],
        ends in (0u32..160, 0u32..160),
        limit in -1i32..11,
    ) {
        let most = 7.9 / scale;
        let (low, high) = (ends.0.min(ends.1) as f32 / 160.0 * most, ends.0.max(ends.1) as f32 / 160.0 * most);
        let model = table(index(1, scale)).node("Gather table k -> y").build();
        let query = query(&[(low.into(), high.into())], 1, &format!("(>= Y_0 {limit})"));
        let engine = Engine::new(Arc::clone(&model)).unwrap();
        // All steps, and the floats around them.
        let near = |step: i32| [-1i32, 0, 1].map(|off| f32::from_bits((step as f32 / scale).to_bits().wrapping_add_signed(off)));
        let points = (1..9).flat_map(near).chain([low, high]).filter(|x| (low..=high).contains(x));
        let holds = points.map(f64::from).all(|x| {
            engine.run(&[&[x]], Precision::Model).unwrap()[0].values[0] < f64::from(limit)
        });
        let proved = match by_cells(&model, &query) {
            Ok((_, proved)) => proved,
            Err(other) => panic!("{other:?}"),
        };
        prop_assert!(!proved || holds, "proved, and {limit} is reached on {low} to {high} times {scale}");
        if [1.0, 4.0, 0.5].contains(&scale) {
            prop_assert_eq!(proved, holds);
        }
    }
}
