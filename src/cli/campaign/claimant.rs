//! This process as one that claims units: who it is, which others live, and the leases that it renews.

use std::collections::HashMap;
use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::campaign::{CampaignFolder, Claimed, FolderError, Holder, Key, Lease};
use crate::cli::second::{began, is_alive};

/// Between two renewals of all leases.
const RENEWAL: Duration = Duration::from_secs(20);
/// The longest lease without renewal, in seconds: what a dead machine has claimed waits as long. Network file systems may show
/// a renewal a minute late.
const LONGEST: u64 = 300;
/// What a unit may take beyond its limit, in seconds, before its claim counts for nothing.
const GRACE: u64 = 60;

/// A process that claims units.
pub(super) struct Claimant<'a> {
    folder: &'a CampaignFolder,
    own: Holder,
    leases: Mutex<HashMap<String, Lease>>,
}

/// Who this process is.
pub(super) fn own() -> Holder {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    // Numbers of processes mean the same within one run of one kernel and one name space of processes.
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let machine = format!("{} {}", read("/proc/sys/kernel/random/boot_id"), space.display());
    Holder {
        host: read("/proc/sys/kernel/hostname"),
        machine,
        process: i32::try_from(std::process::id()).unwrap_or_default(),
        began: began("self").unwrap_or_default(),
    }
}

/// Whether another process of this machine lives.
pub(super) fn lives(holder: &Holder) -> bool {
    is_alive(holder.process, holder.began)
}

impl<'a> Claimant<'a> {
    /// This process, for a folder.
    pub(super) fn new(folder: &'a CampaignFolder) -> Self {
        Self { folder, own: own(), leases: Mutex::default() }
    }

    /// The machine's name.
    pub(super) fn host(&self) -> &str {
        &self.own.host
    }

    /// Claims a unit of so many seconds: whether it is this process's now.
    pub(super) fn claim(&self, key: &Key, limit: f64) -> Result<bool, FolderError> {
        let lease = (limit.ceil() as u64).saturating_add(GRACE).min(LONGEST);
        match self.folder.claim(key, &self.own, lease, &lives)? {
            Claimed::Theirs(_) => Ok(false),
            Claimed::Ours(lease) => {
                self.leases().insert(key.to_string(), lease);
                Ok(true)
            }
        }
    }

    /// Gives a unit back. Of one that is `done` nothing is left.
    pub(super) fn release(&self, key: &Key, done: bool) {
        let lease = self.leases().remove(key.as_str());
        if let Some(lease) = lease {
            if done {
                self.folder.tidy(key, &lease);
            }
            lease.release();
        }
    }

    /// Renews all leases until `ended` is closed.
    pub(super) fn renew(&self, ended: Receiver<()>) {
        while ended.recv_timeout(RENEWAL) == Err(RecvTimeoutError::Timeout) {
            let leases: Vec<Lease> = self.leases().values().cloned().collect();
            leases.iter().for_each(Lease::renew);
        }
    }

    fn leases(&self) -> std::sync::MutexGuard<'_, HashMap<String, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
