//! What an adversary found: networks for which a proof or a certified point was wrong, each with one that holds beside it.

use super::*;

fn float(x: f32) -> Attribute {
    Attribute::Float(x)
}

fn one() -> Builder {
    Builder::new(&[1, 1])
}

/// Whether a point of a network with one output is certified.
fn certified(model: &Arc<Model>, point: &[f64], assertion: &str) -> bool {
    let ranges = vec![(-1e9, 1e9); point.len()];
    let query = query(&ranges, 1, assertion);
    let enclosure = Enclosure::new(&query, std::slice::from_ref(model)).unwrap();
    certify(&enclosure, &[point.to_vec(), vec![0.0]], &|_| None)
}

fn refused(model: Arc<Model>, expected: &str) {
    let query = query(&[(0.0, 1.0)], 1, "(>= Y_0 0)");
    let error = Enclosure::new(&query, &[model]).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

/// 3e38 times 10 is infinite, and less itself it is no number: nothing of it is known afterwards.
fn no_number() -> Builder {
    one()
        .constant("k", &[1], &[3e38])
        .constant("ten", &[1], &[10.0])
        .constant("zero", &[1], &[0.0])
        .constant("low", &[], &[-1.0])
        .constant("high", &[], &[1.0])
        .constant("w", &[4, 1], &[0.0, 0.0, 0.0, 1.0])
        .node("Mul x k -> a")
        .node("Mul a ten -> b")
        .node("Sub b b -> n")
}

#[test]
fn what_is_no_number_stays_none() {
    let ends = [
        "Clip n low high -> y",
        "Sigmoid n -> y",
        "Sign n -> y",
        "Sin n -> y",
        "Mul n zero -> y",
        "Mul b zero -> y",
    ];
    for end in ends {
        let model = no_number().node(end).build();
        assert!(!certified(&model, &[1.0], "(<= Y_0 2)"), "{end}");
        assert!(!certified(&model, &[1.0], "(>= Y_0 -2)"), "{end}");
        // A comparison with what is no number is false, whatever bounds the function has.
        let chosen = no_number().node(&end.replace("-> y", "-> f")).node("GreaterOrEqual f low -> c");
        let chosen = chosen.node("Where c x zero -> y").build();
        assert!(!proved(&chosen, &query(&[(1.0, 2.0)], 1, "(<= Y_0 0)")), "{end}");
    }
    let joined = no_number()
        .node_with("Concat b x x x -> j", &[("axis", attribute(1))])
        .node("MatMul j w -> y")
        .build();
    assert!(!certified(&joined, &[1.0], "(>= Y_0 1)"), "zero times infinity in a sparse matrix");
    let least = no_number().node("Max n high -> m").node("Min m x -> y").build();
    assert!(!certified(&least, &[1.0], "(<= Y_0 1)"));
}

#[test]
fn zeros_of_both_signs_are_slopes() {
    let model = Builder::new(&[1, 2])
        .constant("s", &[2], &[0.0, -0.0])
        .node("PRelu x s -> p")
        .ints("axes", &[1])
        .node("ReduceSum p axes -> y")
        .build();
    let inputs = [(-3.0, -2.0), (5.0, 6.0)];
    assert!(!proved(&model, &query(&inputs, 1, "(>= Y_0 5)")));
    assert!(proved(&model, &query(&inputs, 1, "(<= Y_0 4)")));
}

#[test]
fn stacks_of_matrices_are_broadcast() {
    let model = Builder::new(&[1, 1, 1])
        .constant("w", &[3, 1, 1], &[1.0, 2.0, 4.0])
        .node("MatMul x w -> m")
        .node_with("ReduceSum m -> y", &[("keepdims", attribute(0))])
        .build();
    assert!(certified(&model, &[1.0], "(>= Y_0 6.9)") && !certified(&model, &[1.0], "(<= Y_0 1.5)"));
}

#[test]
fn what_was_rounded_here_is_not_exact_there() {
    let parameters = |b: Builder, mean: f32, bias: f32| {
        b.constant("scale", &[1], &[1.0])
            .constant("bias", &[1], &[bias])
            .constant("mean", &[1], &[mean])
            .constant("variance", &[1], &[1.0])
    };
    let text = "BatchNormalization x scale bias mean variance -> y";
    let model = parameters(one(), 0.1, 0.1).node_with(text, &[("epsilon", float(0.0))]).build();
    // (4.0000005 − 0.1) + 0.1 is rounded twice, although the two constants cancel.
    assert!(!certified(&model, &[4.000_000_476_837_158], "(= Y_0 4.000000476837158)"));
    assert!(certified(&model, &[4.0], "(<= Y_0 4.001)"));
}

#[test]
fn an_addend_takes_part_in_every_partial_sum() {
    let weights: Vec<f32> = (0..64).map(|i| if i % 2 == 0 { 0.7 } else { -0.7 }).collect();
    let model = Builder::new(&[1, 64])
        .constant("w", &[64, 1], &weights)
        .constant("v", &[64, 1], &[1.6e6; 64])
        .node("MatMul x v -> c")
        .node("Gemm x w c -> y")
        .build();
    // Beside an addend of a hundred million each of 64 products is rounded to a multiple of 8.
    let point = vec![1.0; 64];
    assert!(!certified(&model, &point, "(<= Y_0 102400100)"));
    assert!(certified(&model, &point, "(<= Y_0 102403000)"));
}

#[test]
fn a_scaled_function_is_off_by_more() {
    let selu = |gamma: f32| one().node_with("Selu x -> y", &[("gamma", float(gamma)), ("alpha", float(1.0))]);
    assert!(!certified(&selu(1e6).build(), &[-1e-6], "(<= Y_0 -0.9)"));
    assert!(certified(&selu(1.0).build(), &[-1e-3], "(<= Y_0 -0.9e-3)"));
}

#[test]
fn whole_numbers_have_ends() {
    let cast = |to: i64| vec![("to", attribute(to))];
    let model = one()
        .node_with("Cast x -> i", &cast(6))
        .node_with("Cast i -> b", &cast(3))
        .node("Abs b -> a")
        .node_with("Cast a -> y", &cast(1))
        .build();
    assert!(!certified(&model, &[-128.0], "(>= Y_0 0)") && certified(&model, &[-127.0], "(>= Y_0 127)"));
    // What a float that does not fit becomes is left open, of constants as well.
    let constant = one()
        .constant("k", &[1], &[3e9])
        .node_with("Cast k -> i", &cast(6))
        .node_with("Cast i -> f", &cast(1))
        .node("Add x f -> y")
        .build();
    assert!(!certified(&constant, &[0.0], "(<= Y_0 0)") && !certified(&constant, &[0.0], "(>= Y_0 0)"));
}

#[test]
fn exponents_add_axes() {
    let model = Builder::new(&[2])
        .constant("two", &[1, 1], &[2.0])
        .node("Pow x two -> p")
        .node_with("Softmax p -> s", &[("axis", attribute(0))])
        .ints("first", &[0])
        .node_with("Gather s first -> g", &[("axis", attribute(1))])
        .node_with("ReduceSum g -> y", &[("keepdims", attribute(0))])
        .build();
    // Over an axis of length one each share is all.
    assert!(certified(&model, &[1.0, 3.0], "(>= Y_0 0.9)"));
}

#[test]
fn what_is_left_open_is_refused() {
    let floats =
        |b: Builder| b.constant("a", &[], &[0.0]).constant("b", &[], &[1.0]).constant("d", &[], &[0.1]);
    refused(floats(one()).node("Range a b d -> r").node("Mul x r -> y").build(), "no enclosure");
    let pool = Builder::new(&[1, 1, 1]).node_with(
        "AveragePool x -> y",
        &[("kernel_shape", Attribute::Ints(vec![1])), ("pads", Attribute::Ints(vec![1, 0]))],
    );
    refused(pool.build(), "padding alone");
}

#[test]
fn decimals_are_rounded_on_their_way_in() {
    // 0.1 satisfies X ≤ 0.1, and the network gets a float that is larger.
    let model = one().node("Identity x -> y").build();
    let query = query(&[(0.0, 1.0)], 1, "(and (<= X_0 0.1) (>= Y_0 0.1000000001))");
    let enclosure = Enclosure::new(&query, &[model]).unwrap();
    let tokens =
        vec![Token::Cut { input: 0, at: 0.100_000_000_05 }, Token::plain_leaf(), Token::plain_leaf()];
    let found = check(&enclosure, &Certificate { tokens }, Mending::Refuse, 1, &|| true);
    assert!(found.is_err(), "{found:?}");
}

#[test]
fn a_phase_has_one_weight() {
    let query = query(&[(-1.0, 1.0), (0.5, 1.0)], 1, "(<= Y_0 0.4)");
    let enclosure = Enclosure::new(&query, &[absolute_values()]).unwrap();
    let neuron = enclosure.pre_activations("n1").unwrap()[0];
    let leaf = Token::Leaf { slopes: vec![], weights: vec![(neuron, 0.5), (neuron, 0.5)] };
    let refusal = check(&enclosure, &Certificate { tokens: vec![leaf] }, Mending::Refuse, 1, &|| true);
    assert!(refusal.unwrap_err().to_string().contains("two weights"));
}

#[test]
fn what_doubles_cannot_hold_is_not_lost() {
    // The product of the two factors is no double; the numbers are.
    let tensor = |x: f64| Tensor { element: ElementType::Float64, shape: vec![1], data: Data::F64(vec![x]) };
    let mut builder = one().of(ElementType::Float64);
    builder.initializers.insert("k".into(), Arc::new(tensor(1e-200)));
    let model = builder.node("Mul x k -> a").node("Mul a k -> y").build();
    let text = |limit: &str| {
        let box_ = format!("(assert (>= X_0 (- 1e300)))(assert (<= X_0 1e300))(assert (>= Y_0 {limit}))");
        vnnlib::parse(format!("(declare-const X_0 Real)(declare-const Y_0 Real){box_}")).unwrap()
    };
    assert!(!proved(&model, &text("5e-101")) && proved(&model, &text("2e-100")));
}

#[test]
fn attributes_that_are_left_out_are_floats() {
    // 0.01 in single precision, whatever the type of the network.
    let model = one().of(ElementType::Float64).node("LeakyRelu x -> y").build();
    let value = format!("{:.20}", -f64::from(0.01f32));
    assert!(!certified(&model, &[-1.0], &format!("(or (< Y_0 {value}) (> Y_0 {value}))")));
    assert!(certified(&model, &[-1.0], "(<= Y_0 -0.0099999)"));
}

#[test]
fn what_is_added_may_come_first() {
    // Four products of 0.75 each: added to 2^23 one by one, every one is rounded up to a whole number.
    let model = Builder::new(&[1, 4])
        .constant("w", &[4, 1], &[1.0; 4])
        .constant("b", &[1], &[8_388_608.0])
        .node("MatMul x w -> m")
        .node("Add m b -> y")
        .build();
    let query = query(&[(0.75, 0.75); 4], 1, "(>= Y_0 8388612)");
    assert!(!proved(&model, &query));
}

/// Two factors of three may be multiplied first: what is too small is flushed to zero, what is too large is infinite, and the
/// third factor does not bring it back.
#[test]
fn a_product_of_three_has_three_ways() {
    let gemm = |alpha: f32, w: f32| {
        let node = ("Gemm x w -> y", [("alpha", float(alpha))]);
        one().of(ElementType::Float16).constant("w", &[1, 1], &[w]).node_with(node.0, &node.1).build()
    };
    let check = |name: &str, model: &Arc<Model>, range: (f64, f64), holds: &str, fails: &str| {
        let proves = |assertion: &str| proved(model, &query(&[range], 1, assertion));
        assert!(proves(holds), "{name}: {holds}");
        assert!(!proves(fails), "{name}: {fails}");
    };
    // 0.1 · 5.5e-4 is no normal half.
    check("alpha first", &gemm(0.1, 1000.0), (5.5e-4, 6e-4), "(<= Y_0 -0.05)", "(<= Y_0 0.03)");
    check("beside a normal one", &gemm(0.1, 1000.0), (0.01, 0.02), "(<= Y_0 0.8)", "(<= Y_0 1.1)");
    // 1000 · 1000 is no half either.
    check("alpha last", &gemm(0.01, 100.0), (100.0, 101.0), "(<= Y_0 98)", "(<= Y_0 101)");
    assert!(!proved(&gemm(0.01, 1000.0), &query(&[(100.0, 101.0)], 1, "(<= Y_0 98)")));
    let mean = |shape: &[usize], node: &str| {
        let attributes = [("kernel_shape", Attribute::Ints(vec![4]))];
        let pooled = if node.starts_with("AveragePool") { &attributes[..] } else { &[] };
        Builder::new(shape).of(ElementType::Float16).node_with(node, pooled).build()
    };
    for model in [
        mean(&[1, 4], "ReduceMean x -> y"),
        mean(&[1, 1, 4], "AveragePool x -> y"),
        mean(&[1, 1, 4], "GlobalAveragePool x -> y"),
    ] {
        let name = &model.graph.nodes[0].operator;
        let proves = |size: f64| proved(&model, &query(&[(size, size); 4], 1, "(<= Y_0 10)"));
        assert!(proves(10_000.0) && !proves(30_000.0), "{name}: a sum of halves is infinite");
        assert!(proved(&model, &query(&[(20.0, 21.0); 4], 1, "(<= Y_0 19.5)")), "{name}");
    }
    let normal = |x: f64, mean: f32, variance: f32| {
        let builder = one().of(ElementType::Float16).constant("s", &[1], &[1000.0]);
        let builder = builder.constant("b", &[1], &[0.0]).constant("m", &[1], &[mean]);
        let model =
            builder.constant("v", &[1], &[variance]).node("BatchNormalization x s b m v -> y").build();
        proved(&model, &query(&[(x, x)], 1, "(<= Y_0 0.01)"))
    };
    // A spread of 100: a difference of 0.001 over it is no normal half, times 1000 it is one.
    assert!(!normal(0.001, 0.0, 10_000.0) && normal(1.0, 0.0, 10_000.0));
}
