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
    let figure = ("paper_fig1.onnx", "paper_fig1.vnnlib");
    let cases = [figure, ("toy.onnx", "toy.vnnlib"), ("digits_mlp.onnx", "digits_mlp_easy.vnnlib")];
    for (network, property) in cases {
        let config = Config { only: vec!["patch".into()], threads: 1, ..Config::default() };
        let (summary, found) = check(&problem(network, property), &config, 60);
        assert!(found.is_some(), "{property}: {summary:?}");
    }
}

#[test]
fn the_shipped_figures_are_those_of_the_worked_example() {
    let check = |name: &str, input: &[f64], sums: Vec<Vec<f64>>| {
        let problem = problem(&format!("{name}.onnx"), &format!("{name}.vnnlib"));
        let view = Layered::new(problem.double()).unwrap();
        assert_eq!(view.simulate(input).sums, sums, "{name}");
    };
    check("paper_fig1", &[0.5, 0.5], vec![vec![1.0, 0.5], vec![3.5, 1.5], vec![-5.0, -6.5]]);
    check("paper_fig3", &[3.0, 4.0], vec![vec![1.0, 1.0], vec![-2.0, 2.0]]);
}
