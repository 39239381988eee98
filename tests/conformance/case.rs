//! One node test: a folder with a model and pairs of inputs and outputs.

use std::panic;
use std::path::{Path, PathBuf};

use counterpatch::onnx::{self, Data, ElementType, Tensor, ValueInfo};

use super::{Run, compare};

pub(crate) struct Case {
    pub(crate) name: String,
    folder: PathBuf,
}

impl Case {
    /// All tests in `folder`, by name.
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut cases: Vec<Self> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("model.onnx").is_file())
            .map(|path| Self { name: path.file_name().unwrap().to_string_lossy().into_owned(), folder: path })
            .collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        cases
    }

    /// Runs every data set; a panic is a failure with a name.
    pub(crate) fn run(&self, run: Run) -> Result<(), String> {
        panic::catch_unwind(|| self.run_unguarded(run)).unwrap_or_else(|_| Err("PANIC".into()))
    }

    fn run_unguarded(&self, run: Run) -> Result<(), String> {
        for set in 0.. {
            let folder = self.folder.join(format!("test_data_set_{set}"));
            if !folder.is_dir() {
                return if set == 0 { Err("it has no data".into()) } else { Ok(()) };
            }
            let model = onnx::read(&self.folder.join("model.onnx")).map_err(|e| e.to_string())?;
            // Inputs are matched by position; a test may leave trailing optional ones out.
            let expected = declared(tensors(&folder, "output")?, &model.graph.outputs);
            let inputs = declared(tensors(&folder, "input")?, &model.graph.inputs);
            let results = run(model, inputs)?;
            if results.len() != expected.len() {
                return Err(format!("{} results instead of {}", results.len(), expected.len()));
            }
            for (got, want) in results.iter().zip(&expected) {
                compare::same(got, want)?;
            }
        }
        Ok(())
    }
}

fn tensors(folder: &Path, kind: &str) -> Result<Vec<Tensor>, String> {
    (0..)
        .map(|i| folder.join(format!("{kind}_{i}.pb")))
        .take_while(|path| path.is_file())
        .map(|path| onnx::read_tensor(&path).map(|(_, tensor)| tensor).map_err(|e| e.to_string()))
        .collect()
}

/// Tensors with the types that the model declares: the suite keeps bfloat16 as the uint16 of its bits.
fn declared(tensors: Vec<Tensor>, values: &[ValueInfo]) -> Vec<Tensor> {
    let mut types = values.iter().map(|value| value.element);
    let one = |tensor: Tensor| match (types.next(), &tensor.data) {
        (Some(ElementType::BFloat16), Data::I64(bits)) if tensor.element == ElementType::UInt16 => {
            let numbers: Vec<f32> = bits.iter().map(|&bits| f32::from_bits((bits as u32) << 16)).collect();
            Tensor { element: ElementType::BFloat16, shape: tensor.shape, data: Data::F32(numbers.into()) }
        }
        _ => tensor,
    };
    tensors.into_iter().map(one).collect()
}
