//! The files of `attack`: images from a file or a folder, labels, networks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::attack::fit::{self, FitError};
use crate::attack::images::{self, Image, ImageError, Set, picture};
use crate::attack::victim::VictimError;
use crate::attack::{ChannelOrder, Victim};
use crate::onnx::{self, Model};
use crate::unpack;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttackFileError {
    /// The system refused.
    #[error("{}: {source}", unpack::shown(.path))]
    Io { path: PathBuf, source: unpack::FileError },
    /// It holds no images or labels that can be used.
    #[error("{}: {source}", unpack::shown(.path))]
    Images { path: PathBuf, source: ImageError },
    /// A folder without pictures.
    #[error("{}: there is no PNG or JPEG file in this folder (help: pictures may be here or one folder down)", .0.display())]
    NoPictures(PathBuf),
    /// A picture of another shape than the first.
    #[error("{}: {found}, but {first} of {} (help: all images of a run have one shape)", .path.display(), .other.display())]
    Shape { path: PathBuf, found: String, other: PathBuf, first: String },
    /// Images without classes.
    #[error("{}: the images have no classes (help: give them with --labels, or put pictures into one sub-folder a class)", .0.display())]
    NoLabels(PathBuf),
    /// A class that the network does not have.
    #[error(
        "image {image} is of class {label}, the network has {classes} outputs (help: classes count from 0)"
    )]
    Label { image: String, label: usize, classes: usize },
    /// A target that the network does not have.
    #[error(
        "{image} is to become class {target}, the network has {classes} outputs (help: classes count from 0)"
    )]
    Target { image: String, target: usize, classes: usize },
    /// The network cannot be read.
    #[error(transparent)]
    Model(#[from] onnx::ReadError),
    /// How it reads images is not known.
    #[error("{}: {source}", unpack::shown(.path))]
    Fit { path: PathBuf, source: FitError },
    /// It is no classifier of these images.
    #[error("{}: {source}", unpack::shown(.path))]
    Victim { path: PathBuf, source: VictimError },
}

/// The images with their classes.
pub(super) fn images(path: &Path, labels: Option<&Path>) -> Result<Set, AttackFileError> {
    let mut set = if path.is_dir() { folder(path)? } else { parsed(path, images::read)? };
    if let Some(labels) = labels {
        let table = parsed(labels, images::read_labels)?;
        let wrong = |source| AttackFileError::Images { path: labels.to_path_buf(), source };
        table.give(&mut set).map_err(wrong)?;
    }
    match set.images.iter().all(|image| image.label.is_some()) && !set.images.is_empty() {
        true => Ok(set),
        false => Err(AttackFileError::NoLabels(path.to_path_buf())),
    }
}

fn parsed<T>(path: &Path, parse: impl Fn(&[u8]) -> Result<T, ImageError>) -> Result<T, AttackFileError> {
    let read = unpack::read(path, unpack::limit::IMAGES);
    let (path, bytes) = read.map_err(|source| AttackFileError::Io { path: path.to_path_buf(), source })?;
    parse(&bytes).map_err(|source| AttackFileError::Images { path, source })
}

/// Pictures of a folder and its sub-folders, by name. Sub-folders are classes: their names are the numbers, or they count
/// from 0 in the order of their names.
fn folder(root: &Path) -> Result<Set, AttackFileError> {
    let inside = |path: &Path| -> Result<Vec<PathBuf>, AttackFileError> {
        let io =
            |refusal: io::Error| AttackFileError::Io { path: path.to_path_buf(), source: refusal.into() };
        let entries =
            fs::read_dir(path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>()).map_err(io)?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        Ok(paths)
    };
    let all = inside(root)?;
    let folders: Vec<&PathBuf> = all.iter().filter(|path| path.is_dir()).collect();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let numbers: Option<Vec<usize>> = folders.iter().map(|path| name(path).parse().ok()).collect();
    let mut files: Vec<(PathBuf, Option<usize>)> =
        all.iter().filter(|path| is_picture(path)).map(|path| (path.clone(), None)).collect();
    for (at, folder) in folders.iter().enumerate() {
        let class = numbers.as_ref().map_or(at, |numbers| numbers[at]);
        let pictures = inside(folder)?.into_iter().filter(|path| is_picture(path));
        files.extend(pictures.map(|path| (path, Some(class))));
    }
    pictures(root, files)
}

fn pictures(root: &Path, files: Vec<(PathBuf, Option<usize>)>) -> Result<Set, AttackFileError> {
    let mut set: Option<(Set, PathBuf)> = None;
    for (path, label) in files {
        let (shape, values) = parsed(&path, picture::read)?;
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let image = Image { name, values, label, target: None };
        match &mut set {
            None => set = Some((Set { shape, images: vec![image] }, path)),
            Some((set, _)) if set.shape == shape => set.images.push(image),
            Some((set, other)) => {
                let (found, first) = (shape.to_string(), set.shape.to_string());
                return Err(AttackFileError::Shape { path, found, other: other.clone(), first });
            }
        }
    }
    set.map(|(set, _)| set).ok_or_else(|| AttackFileError::NoPictures(root.to_path_buf()))
}

fn is_picture(path: &Path) -> bool {
    let known =
        |end: &std::ffi::OsStr| ["png", "jpg", "jpeg"].iter().any(|known| end.eq_ignore_ascii_case(known));
    path.is_file() && path.extension().is_some_and(known)
}

/// How networks read the images of the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct ImageReading<'a> {
    /// The images.
    pub(super) set: &'a Set,
    /// The order in flat inputs.
    pub(super) order: Option<ChannelOrder>,
    /// `--mean`.
    pub(super) mean: &'a [f32],
    /// What it is divided by.
    pub(super) deviation: &'a [f32],
}

impl ImageReading<'_> {
    /// A classifier of the images.
    pub(super) fn victim(&self, path: &Path) -> Result<Victim, AttackFileError> {
        self.of_model(Arc::new(onnx::read(path)?), path)
    }

    /// The same, of a model that was read.
    pub(super) fn of_model(&self, model: Arc<Model>, path: &Path) -> Result<Victim, AttackFileError> {
        let shape = self.set.shape;
        let fit = |source| AttackFileError::Fit { path: path.to_path_buf(), source };
        let layout = fit::layout(&model, shape, self.order).map_err(fit)?;
        let scaling =
            fit::scaling(shape.channels, self.mean, self.deviation, ["--mean", "--std"]).map_err(fit)?;
        let unusable = |source| AttackFileError::Victim { path: path.to_path_buf(), source };
        Victim::new(model, layout, scaling).map_err(unusable)
    }
}
