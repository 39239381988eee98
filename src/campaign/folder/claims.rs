//! Who runs a unit: a file `claims/KEY` that only one process can make.
//!
//! A claim is void when the process that made it has ended, which others on the same machine see at once, or when it was not
//! renewed for the time that it says, which everybody sees. Its age is measured with the clock of the file system alone: the
//! clocks of the machines may differ. A void claim is not removed, because two processes might do so, one of them too late.
//! Instead there is a next one, `claims/KEY.1`, and again only one process can make it. The last one counts.
//! Whoever has a claim looks once more whether there is a result: between a look and a claim another process may have done
//! the unit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::{CampaignFolder, FolderError, WriteOnce, forget, names};
use crate::campaign::key::Key;
use crate::pack::Durability;

/// Most claims of one unit that became void one after the other.
const MOST: usize = 10_000;

/// A process that runs units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine's name, for people.
    pub host: String,
    /// What tells the machine, and its processes' numbers, from others: they are comparable where this is equal.
    pub machine: String,
    /// The process's number.
    pub process: i32,
    /// When it began, in clock ticks of its machine: numbers are given again.
    pub began: u64,
}

/// What stands in a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ClaimTerms {
    #[serde(flatten)]
    holder: Holder,
    /// Seconds without renewal after which it is void.
    lease: u64,
}

/// A claim of this process.
#[derive(Debug, Clone)]
pub struct Lease {
    path: PathBuf,
    text: String,
}

/// Whose a unit is after an attempt to claim it.
#[derive(Debug, Clone)]
pub enum Claimed {
    /// This process's.
    Ours(Lease),
    /// Another's.
    Theirs(Holder),
}

/// What is known of the last claim of a unit.
enum Standing {
    /// It holds.
    Valid(Holder),
    /// It is void, or there is none: the next one has this name.
    Free(PathBuf),
}

impl Lease {
    /// Says that the process still lives: writing the file anew sets its time by the clock of the file system. A claim that
    /// was removed or cannot be written is none any more; its unit may then be run a second time, and one result stays.
    pub fn renew(&self) {
        let written = OpenOptions::new().write(true).open(&self.path);
        let _ = written.and_then(|mut file| file.write_all(self.text.as_bytes()));
    }

    /// Gives the unit back.
    pub fn release(&self) {
        forget(&self.path);
    }
}

impl CampaignFolder {
    pub(super) fn claims(&self) -> PathBuf {
        self.path().join("claims")
    }

    /// Claims a unit for `holder` and `lease` seconds; `lives` tells whether another process of the same machine does.
    ///
    /// # Errors
    /// If the claim cannot be written.
    pub fn claim(
        &self,
        key: &Key,
        holder: &Holder,
        lease: u64,
        lives: &dyn Fn(&Holder) -> bool,
    ) -> Result<Claimed, FolderError> {
        let path = self.claims();
        let fail = |source| FolderError::Write { path: path.clone(), source };
        let terms = ClaimTerms { holder: holder.clone(), lease };
        let text = serde_json::to_string(&terms).map_err(io::Error::from).map_err(fail)?;
        loop {
            match self.standing(key.as_str(), holder, lives).map_err(fail)? {
                Standing::Valid(other) => return Ok(Claimed::Theirs(other)),
                Standing::Free(next) => {
                    if self.publish(&next, text.as_bytes(), Durability::Name).map_err(fail)? == WriteOnce::New
                    {
                        return Ok(Claimed::Ours(Lease { path: next, text }));
                    }
                    // Another process was faster: look at its claim.
                }
            }
        }
    }

    /// The claims that hold, by their units' keys.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn claimed(
        &self,
        asker: &Holder,
        lives: &dyn Fn(&Holder) -> bool,
    ) -> Result<Vec<(String, Holder)>, FolderError> {
        let fail = |source| FolderError::Read { path: self.claims(), source };
        let mut found = Vec::new();
        for name in names(&self.claims()).map_err(fail)?.filter(|name| !name.contains('.')) {
            if let Standing::Valid(holder) = self.standing(&name, asker, lives).map_err(fail)? {
                found.push((name, holder));
            }
        }
        Ok(found)
    }

    /// Removes what void claims and dead processes have left of a unit that has a result.
    pub fn tidy(&self, key: &Key, lease: &Lease) {
        let last = number_of(&lease.path);
        // The lowest first: the highest one, which counts, is this process's own.
        (0..last).for_each(|number| forget(&self.claim_path(key.as_str(), number)));
    }

    fn claim_path(&self, key: &str, number: usize) -> PathBuf {
        let name = if number == 0 { key.to_owned() } else { format!("{key}.{number}") };
        self.claims().join(name)
    }

    fn standing(&self, key: &str, asker: &Holder, lives: &dyn Fn(&Holder) -> bool) -> io::Result<Standing> {
        let mut last = None;
        for number in 0..MOST {
            let path = self.claim_path(key, number);
            match fs::read_to_string(&path) {
                Ok(text) => last = Some((path, text)),
                Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                    let Some((last, text)) = last else { return Ok(Standing::Free(path)) };
                    return Ok(match self.valid(&last, &text, asker, lives)? {
                        Some(holder) => Standing::Valid(holder),
                        None => Standing::Free(path),
                    });
                }
                Err(other) => return Err(other),
            }
        }
        Err(io::Error::other(format!("more than {MOST} claims of one unit")))
    }

    /// Who holds a claim, if it holds.
    fn valid(
        &self,
        path: &Path,
        text: &str,
        asker: &Holder,
        lives: &dyn Fn(&Holder) -> bool,
    ) -> io::Result<Option<Holder>> {
        // It appears whole; one that is not was damaged later, and nobody renews it.
        let Ok(ClaimTerms { holder, lease }) = serde_json::from_str::<ClaimTerms>(text) else {
            return Ok(None);
        };
        if holder.machine == asker.machine {
            return Ok(lives(&holder).then_some(holder));
        }
        let Ok(claim) = fs::metadata(path) else { return Ok(None) };
        let age = self.now()?.saturating_sub(claim.mtime());
        Ok((age <= i64::try_from(lease).unwrap_or(i64::MAX)).then_some(holder))
    }

    /// The time of the file system, in seconds.
    fn now(&self) -> io::Result<i64> {
        let probe = self.fresh(&self.claims());
        let now = File::create(&probe).and_then(|mut file| {
            file.write_all(b".")?;
            file.metadata()
        });
        forget(&probe);
        Ok(now?.mtime())
    }
}

/// The number of a claim, by its name.
fn number_of(path: &Path) -> usize {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split_once('.').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// What the files of this process are called before they have their names.
pub(super) fn own_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host: String = host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        // Machines may have one name, and their processes one number; not at one time, too.
        let began = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let began: String =
            began.chars().take_while(|c| !c.is_whitespace()).filter(char::is_ascii_digit).collect();
        format!("{host}-{}-{began}", std::process::id())
    })
}
