//! The network whose features give the Fréchet distance: the file of `--features`, or the network under attack.

use std::path::PathBuf;

use super::files::ImageReading;
use super::stem;
use crate::attack::Victim;
use crate::attack::measures::features::{FeatureLayer, Features, NoLayer};
use crate::attack::measures::reader::{PictureReader, ReaderError};
use crate::budget::Budget;
use crate::cli::args;
use crate::network::{self, ImportError, Network};
use crate::onnx;

/// Why the network of `--features` cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// It cannot be read.
    #[error(transparent)]
    Model(#[from] onnx::ReadError),
    /// It does not read images, or none that these can become.
    #[error("{}: {source}", .path.display())]
    Reader { path: PathBuf, source: ReaderError },
    /// The fast engine cannot evaluate it.
    #[error("{}: {source}", .path.display())]
    Import { path: PathBuf, source: ImportError },
    /// It has no such node.
    #[error("{}: {source}", .path.display())]
    Layer { path: PathBuf, source: NoLayer },
}

/// What is compared, and how it reads the run's images.
pub(super) struct Source {
    /// The file of `--features`; without it the network is the victim's.
    named: Option<(PathBuf, Network<f32>)>,
    layer: FeatureLayer,
    reader: PictureReader,
}

impl Source {
    /// The file and the node of `--features`, or the victim's penultimate layer.
    pub(super) fn new(
        args: &args::Attack,
        images: &ImageReading<'_>,
        victim: &Victim,
    ) -> Result<Self, SourceError> {
        let Some(text) = &args.features else {
            let (layer, reader) =
                (FeatureLayer::penultimate(&victim.network), PictureReader::of_victim(victim));
            return Ok(Self { named: None, layer, reader });
        };
        let at = |end: &str| text.find(&format!("{end}:")).map(|at| text.split_at(at + end.len()));
        let (file, node) = match at(".onnx.gz").or_else(|| at(".onnx")) {
            Some((file, node)) => (file, node.strip_prefix(':').filter(|node| !node.is_empty())),
            None => (text.as_str(), None),
        };
        let path = PathBuf::from(file);
        let model = onnx::read(&path)?;
        let (mean, deviation) = (&args.features_mean, &args.features_deviation);
        let reader = PictureReader::new(&model, images.set.shape, images.order, mean, deviation)
            .map_err(|source| SourceError::Reader { path: path.clone(), source })?;
        let network = network::import::<f32>(&model)
            .map_err(|source| SourceError::Import { path: path.clone(), source })?;
        let outputs: Vec<&str> = model.graph.outputs.iter().map(|output| output.name.as_str()).collect();
        let layer = match node {
            None => FeatureLayer::penultimate(&network),
            Some(node) => FeatureLayer::named(&network, &outputs, node)
                .map_err(|source| SourceError::Layer { path: path.clone(), source })?,
        };
        Ok(Self { named: Some((path, network)), layer, reader })
    }

    /// What is measured; the victim is the one that this was made for.
    pub(super) fn features<'a>(
        &'a self,
        victim: &'a Victim,
        threads: usize,
        budget: &'a Budget,
    ) -> Features<'a> {
        let (network, of) = match &self.named {
            Some((path, network)) => (network, stem(path)),
            None => (&victim.network, "the network under attack".to_owned()),
        };
        Features::new(network, self.layer.clone(), self.reader.clone(), &of, threads, budget)
    }
}
