//! Replay in ONNX Runtime itself, where its shared library is at hand (Cargo feature `ort`).
//!
//! The library is loaded at run time from the path in COUNTERPATCH_ORT or ORT_DYLIB_PATH. Nothing here fails because
//! it is absent: [`NotAvailable`] is an outcome, and says why.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor};

use crate::onnx::{self, ElementType, Model, ModelError, Place, ValueInfo};

use super::engine::{Output, expect_inputs, input_shape};

/// Environment variables that may name the shared library, the first one first.
pub const VARIABLES: [&str; 2] = ["COUNTERPATCH_ORT", "ORT_DYLIB_PATH"];

/// Why there is no replay in ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAvailable(pub String);

impl fmt::Display for NotAvailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no replay in ONNX Runtime: {}", self.0)
    }
}

/// ONNX Runtime's shared library with its environment. A process can have one, made once.
#[derive(Clone)]
pub struct Library {
    environment: Environment,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Library")
    }
}

impl Library {
    /// Loads the library that the environment variables name.
    pub fn from_variables() -> Result<Self, NotAvailable> {
        let named = VARIABLES.iter().find_map(|name| std::env::var_os(name).filter(|path| !path.is_empty()));
        match named {
            Some(path) => Self::load(&PathBuf::from(path)),
            None => Err(NotAvailable(format!("set {} to the path of libonnxruntime.so", VARIABLES[0]))),
        }
    }

    /// Loads the library at `path`.
    pub fn load(path: &Path) -> Result<Self, NotAvailable> {
        let fail = |what: String| NotAvailable(format!("{}: {what}", path.display()));
        // An absolute path is taken as it is; for others the crate looks beside the executable first.
        let path = path.canonicalize().map_err(|e| fail(e.to_string()))?;
        let builder = ort::init_from(&path).map_err(|e| fail(e.to_string()))?;
        let environment = builder.with_telemetry(false).build().map_err(|e| fail(e.to_string()))?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        Ok(Self { environment })
    }

    /// Loads a model, from the very file that it was read from.
    pub fn session(&self, model: &Model) -> Result<OnnxRuntime, NotAvailable> {
        let fail = |what: String| NotAvailable(format!("{}: {what}", model.path.display()));
        let builder = Session::builder(&self.environment).map_err(|e| fail(e.to_string()))?;
        let mut builder = builder.with_intra_threads(1).map_err(|e| fail(e.to_string()))?;
        let unpacked = onnx::unpacked(&model.path).map_err(|e| fail(e.to_string()))?;
        let session = match unpacked {
            Some(bytes) => builder.commit_from_memory(&bytes),
            None => builder.commit_from_file(&model.path),
        };
        Ok(OnnxRuntime {
            session: session.map_err(|e| fail(e.to_string()))?,
            inputs: model.graph.inputs.clone(),
        })
    }
}

/// A model in ONNX Runtime.
#[derive(Debug)]
pub struct OnnxRuntime {
    session: Session,
    inputs: Vec<ValueInfo>,
}

impl OnnxRuntime {
    /// Computes all outputs, one thread. Inputs are given as for [`Engine::run`](super::Engine::run).
    pub fn run(&mut self, inputs: &[&[f64]]) -> Result<Vec<Output>, ModelError> {
        expect_inputs(self.inputs.len(), inputs.len())?;
        let mut given = Vec::with_capacity(inputs.len());
        for (info, values) in self.inputs.iter().zip(inputs) {
            given.push((Cow::from(info.name.clone()), SessionInputValue::from(input(info, values)?)));
        }
        let refused = |e: ort::Error| ModelError::new(Place::File, format!("ONNX Runtime refuses it: {e}"));
        let results = self.session.run(given).map_err(refused)?;
        results.iter().map(|(name, value)| output(name, &value)).collect()
    }
}

fn input(info: &ValueInfo, values: &[f64]) -> Result<DynValue, ModelError> {
    let shape = input_shape(info, values.len())?;
    let tensor = match info.element {
        ElementType::Float32 => converted(shape, values, |x| x as f32),
        ElementType::Float64 => converted(shape, values, |x| x),
        ElementType::Int64 => converted(shape, values, |x| x as i64),
        ElementType::Int32 => converted(shape, values, |x| x as i32),
        ElementType::UInt8 => converted(shape, values, |x| x as u8),
        ElementType::Bool => converted(shape, values, |x| x != 0.0),
        other => Err(format!("an input of type {other} is not supported in ONNX Runtime's replay")),
    };
    tensor.map_err(|what| ModelError::new(Place::Value(info.name.clone()), what))
}

fn converted<T>(shape: Vec<usize>, values: &[f64], convert: fn(f64) -> T) -> Result<DynValue, String>
where
    T: PrimitiveTensorElementType + Clone + fmt::Debug + 'static,
{
    let values: Vec<T> = values.iter().map(|&x| convert(x)).collect();
    Tensor::from_array((shape, values)).map(|t| t.into_dyn()).map_err(|e| e.to_string())
}

fn output(name: &str, value: &DynValue) -> Result<Output, ModelError> {
    let extracted = extract(value, ElementType::Float32, |x: f32| x.into())
        .or_else(|| extract(value, ElementType::Float64, |x: f64| x))
        .or_else(|| extract(value, ElementType::Int64, |x: i64| x as f64))
        .or_else(|| extract(value, ElementType::Int32, |x: i32| x.into()))
        .or_else(|| extract(value, ElementType::UInt8, |x: u8| x.into()))
        .or_else(|| extract(value, ElementType::Bool, |x: bool| f64::from(u8::from(x))));
    match extracted {
        Some((element, shape, values)) => Ok(Output { name: name.into(), element, shape, values }),
        None => Err(ModelError::new(
            Place::Value(name.into()),
            "an output of a type that replay does not support",
        )),
    }
}

fn extract<T>(
    value: &DynValue,
    element: ElementType,
    widen: fn(T) -> f64,
) -> Option<(ElementType, Vec<usize>, Vec<f64>)>
where
    T: PrimitiveTensorElementType + Copy,
{
    let (shape, values) = value.try_extract_tensor::<T>().ok()?;
    let shape = shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
    Some((element, shape, values.iter().map(|&x| widen(x)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Engine, Precision};
    use std::sync::Arc;

    /// The library that the variables name, or that of a Python environment in the checkout.
    fn library() -> Result<Library, NotAvailable> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let lib = std::fs::read_dir(root.join(".venv/lib")).into_iter().flatten().flatten();
        let capi = lib.map(|python| python.path().join("site-packages/onnxruntime/capi"));
        let files = capi.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
        let is_library = |path: &PathBuf| path.to_string_lossy().contains("libonnxruntime.so");
        let found = files.map(|file| file.path()).find(is_library);
        Library::from_variables().or_else(|why| found.map_or(Err(why), |path| Library::load(&path)))
    }

    /// One test, because a process can load the library once.
    #[test]
    #[ignore = "needs ONNX Runtime's shared library: ORT_DYLIB_PATH, or .venv-judge"]
    fn onnx_runtime_and_the_reference_engine_agree() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        for (path, expected) in [("missing.so", "No such file"), ("instances.csv", "failed to load")] {
            let why = Library::load(&folder.join(path)).unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
        }
        let library = library().unwrap_or_else(|why| panic!("{why}"));
        let networks = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let networks: Vec<_> = networks.filter(|p| p.extension().is_some_and(|e| e == "onnx")).collect();
        assert!(networks.len() > 1, "no networks in {}", folder.display());
        for path in networks {
            let model = Arc::new(onnx::read(&path).unwrap());
            let size = model.graph.inputs.iter().map(|i| i.shape.as_ref().unwrap());
            let size = size
                .map(|dims| dims.iter().map(|d| if let onnx::Dim::Fixed(n) = d { *n } else { 1 }).product());
            let sizes: Vec<usize> = size.collect();
            let point: Vec<Vec<f64>> =
                sizes.iter().map(|&n| (0..n).map(|i| (i % 7) as f64 / 8.0).collect()).collect();
            let point: Vec<&[f64]> = point.iter().map(Vec::as_slice).collect();
            let mut runtime = library.session(&model).unwrap();
            let theirs = runtime.run(&point).unwrap();
            let ours = Engine::new(model).unwrap().run(&point, Precision::Model).unwrap();
            assert_eq!(ours.len(), theirs.len());
            for (a, b) in ours.iter().zip(&theirs) {
                assert_eq!(
                    (&a.name, a.element, &a.shape),
                    (&b.name, b.element, &b.shape),
                    "{}",
                    path.display()
                );
                let scale = b.values.iter().fold(1e-6, |m: f64, v| m.max(v.abs()));
                let gap = a.values.iter().zip(&b.values).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
                assert!(gap <= 1e-5 * scale, "{}: {gap} at scale {scale}", path.display());
            }
            assert!(runtime.run(&[]).is_err(), "missing inputs are an error");
        }
    }
}
