//! The strategy on the shipped networks.

use std::path::Path;

use crate::network;
use crate::network::layered::Layered;
use crate::onnx;
use crate::problem::Problem;
use crate::search::Config;
use crate::search::tests::check;

fn problem(network: &str, property: &str) -> Problem<f32> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let model = onnx::read(&data.join(network)).unwrap();
    let query = std::fs::read_to_string(data.join(property)).unwrap();
    Problem::new(vnnlib::parse(query).unwrap(), network::import::<f32>(&model).unwrap()).unwrap()
}

#[test]
fn patching_alone_finds_what_it_can() {
    let cases = [("paper_fig1.onnx", "paper_fig1.vnnlib"), ("digits_mlp.onnx", "digits_mlp_easy.vnnlib")];
    for (network, property) in cases {
        let config = Config { only: vec!["patch".into()], threads: 1, ..Config::default() };
        let (summary, found) = check(&problem(network, property), &config, 60);
        assert!(found.is_some(), "{property}: {summary:?}");
    }
}

#[test]
fn the_shipped_fig_1_is_the_one_of_the_worked_example() {
    let problem = problem("paper_fig1.onnx", "paper_fig1.vnnlib");
    let view = Layered::new(problem.double()).unwrap();
    assert_eq!(view.simulate(&[1.0, 1.0]).sums, [vec![5.0, 1.0], vec![10.0, 7.0], vec![13.0, 10.0]]);
}
