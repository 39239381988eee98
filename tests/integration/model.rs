//! Tiny ONNX files, written byte by byte: the shipped networks are all sound.

/// The bytes of a model with one node: `y = OPERATOR(x, w)`, `x` and `w` being vectors of two float32.
pub(crate) fn model(operator: &str, weights: [f32; 2]) -> Vec<u8> {
    let node = [text(1, "x"), text(1, "w"), text(2, "y"), text(3, "the_node"), text(4, operator)].concat();
    let raw: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
    let weights = [number(1, 2), number(2, 1), text(8, "w"), bytes(9, &raw)].concat();
    let graph =
        [bytes(1, &node), text(2, "g"), bytes(5, &weights), bytes(11, &value("x")), bytes(12, &value("y"))];
    let operators = [text(1, ""), number(2, 13)].concat();
    [number(1, 8), bytes(7, &graph.concat()), bytes(8, &operators)].concat()
}

/// The bytes of a network of features: the means of an input's channels, one node.
pub(crate) fn means(input: &[u8], output: &[u8]) -> Vec<u8> {
    let node = [text(1, "x"), text(2, "y"), text(3, "means"), text(4, "GlobalAveragePool")].concat();
    let (x, y) = (shaped("x", input), shaped("y", output));
    let graph = [bytes(1, &node), text(2, "g"), bytes(11, &x), bytes(12, &y)].concat();
    let operators = [text(1, ""), number(2, 13)].concat();
    [number(1, 8), bytes(7, &graph), bytes(8, &operators)].concat()
}

/// A `ValueInfoProto`: a name, float32, shape [2].
fn value(name: &str) -> Vec<u8> {
    shaped(name, &[2])
}

/// The same of another shape.
fn shaped(name: &str, sizes: &[u8]) -> Vec<u8> {
    let shape: Vec<u8> = sizes.iter().flat_map(|&size| bytes(1, &number(1, size))).collect();
    let tensor = [number(1, 1), bytes(2, &shape)].concat();
    [text(1, name), bytes(2, &bytes(1, &tensor))].concat()
}

fn number(field: u8, value: u8) -> Vec<u8> {
    assert!(value < 128);
    vec![field << 3, value]
}

fn text(field: u8, value: &str) -> Vec<u8> {
    bytes(field, value.as_bytes())
}

fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    let mut length = value.len();
    while length >= 128 {
        out.push((length % 128) as u8 | 128);
        length /= 128;
    }
    out.push(length as u8);
    out.extend(value);
    out
}
