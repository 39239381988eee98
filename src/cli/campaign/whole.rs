//! The question that the units of a folder are parts of: loaded once, for the judges of what its parts say.

use std::path::PathBuf;
use std::sync::Arc;

use vnnlib::Query;

use super::CampaignFailure;
use crate::campaign::{
    Campaign, CampaignFolder, Digest, FolderError, PlannedInstance, SplitQuestion, UnitResult, UnitVerdict,
};
use crate::certificate::Certificate;
use crate::cli::input;
use crate::cli::networks::Networks;
use crate::error::Error;
use crate::onnx::Model;
use crate::unpack;
use crate::witness::check::{self, Class, Year};
use crate::witness::{Replay, read};

/// A question with its networks.
pub(super) struct WholeQuestion {
    pub(super) query: Query,
    pub(super) models: Vec<Arc<Model>>,
    replay: Replay,
}

impl WholeQuestion {
    /// That of a folder.
    ///
    /// # Errors
    /// If its files cannot be used, or the property is not the one that was split.
    pub(super) fn load(
        folder: &CampaignFolder,
        split: &SplitQuestion,
        plan: &Campaign,
    ) -> Result<Self, CampaignFailure> {
        let path = folder.whole_path();
        let query = input::property(&path)?;
        if Digest::of(query.text().as_bytes()) != split.whole {
            let why = "it was changed since it was split".to_owned();
            return Err(FolderError::Split { path, why }.into());
        }
        let Some(instance) = plan.instances.first() else {
            let why = "its plan has no instances".to_owned();
            return Err(FolderError::Split { path, why }.into());
        };
        let files = networks(plan, instance).files_for(&query)?;
        let (models, _) = input::models(&files, &query, &[])?;
        let first = files.first().cloned().unwrap_or_default();
        let replay = Replay::new(query.clone(), models.iter().cloned())
            .map_err(|source| Error::replay(first, source))?;
        Ok(Self { query, models, replay })
    }

    /// Why a counterexample that a part has found is none of the whole; `Ok` if it is one, strictly.
    pub(super) fn accepts(&self, folder: &CampaignFolder, result: &UnitResult) -> Result<(), String> {
        let name = result.witness.as_ref().ok_or("it has left no counterexample")?;
        let reading = read::read(&folder.beside(name)).map_err(|error| error.to_string())?;
        let report = check::check(&self.replay, &reading, Year::Of2026).map_err(|error| error.to_string())?;
        match report.class {
            Class::Correct => Ok(()),
            other => Err(other.word()),
        }
    }
}

/// The networks of an instance.
fn networks(plan: &Campaign, instance: &PlannedInstance) -> Networks {
    let path = |file: usize| plan.files.get(file).map_or_else(PathBuf::new, |file| file.path.clone());
    match &instance.networks[..] {
        [(None, file)] => Networks::One(path(*file)),
        named => Networks::Named(
            named.iter().map(|(name, file)| (name.clone().unwrap_or_default(), path(*file))).collect(),
        ),
    }
}

/// The certificate that a unit has left.
///
/// # Errors
/// If it has left none, or none that can be read; in words.
pub(super) fn certificate_of(folder: &CampaignFolder, result: &UnitResult) -> Result<Certificate, String> {
    let name = result.certificate.as_ref().ok_or("the unit has left none")?;
    let read = unpack::read(&folder.beside(name), unpack::limit::CERTIFICATE);
    let (_, text) = read.map_err(|error| error.to_string())?;
    Certificate::parse(&*text).map_err(|error| error.to_string())
}

/// Whether what a unit says may decide the question: a counterexample of any part, and of the whole a proof too.
pub(super) fn may_decide(split: &SplitQuestion, result: &UnitResult) -> bool {
    match result.verdict {
        UnitVerdict::Sat => result.witness.is_some(),
        UnitVerdict::Unsat => split.is_by_seeds() && result.certificate.is_some(),
        _ => false,
    }
}
