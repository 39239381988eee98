//! Reading the instances.

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use counterpatch::problem::Problem;
use counterpatch::{network, onnx};
use flate2::read::GzDecoder;

/// A problem with its name.
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) problem: Problem<f32>,
}

fn root() -> PathBuf {
    std::env::var_os("COUNTERPATCH_BENCHMARKS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/benchmarks"), PathBuf::from)
}

/// The known-sat instances of a family, or of several joined by `+`.
pub(crate) fn known_sat(families: &str) -> Result<Vec<Instance>, Box<dyn Error>> {
    let root = root();
    let list = fs::read_to_string(root.join("instances.csv"))?;
    let mut instances = Vec::new();
    for line in list.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        if let [family, network, property, _, "sat", ..] = fields.as_slice()
            && families.split('+').any(|wanted| wanted == *family)
        {
            instances.push(read(&root.join(network), &root.join(property))?);
        }
    }
    Ok(instances)
}

/// Every network of a folder that has a property of the same name.
pub(crate) fn in_folder(folder: &str) -> Result<Vec<Instance>, Box<dyn Error>> {
    let mut networks: Vec<PathBuf> =
        fs::read_dir(folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    networks.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    networks.sort();
    networks.iter().map(|network| read(network, &network.with_extension("vnnlib"))).collect()
}

fn read(network: &Path, property: &Path) -> Result<Instance, Box<dyn Error>> {
    let stem = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Radii have a point in them: `prop_0_0.03.vnnlib.gz`.
        let ends = [".gz", ".onnx", ".vnnlib"];
        ends.iter().fold(name.as_str(), |name, end| name.strip_suffix(end).unwrap_or(name)).to_owned()
    };
    let name = format!("{}/{}", stem(network), stem(property));
    let model = onnx::read(network)?;
    let mut text = String::new();
    let file = File::open(property)?;
    if property.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(file).read_to_string(&mut text)?;
    } else {
        (&file).read_to_string(&mut text)?;
    }
    let query = vnnlib::parse(text).map_err(|error| format!("{name}: {error}"))?;
    Ok(Instance { problem: Problem::new(query, network::import::<f32>(&model)?)?, name })
}
