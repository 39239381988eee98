//! Time: the only clock of the program, and why a search stopped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
#[cfg(feature = "cli")]
use std::time::{SystemTime, UNIX_EPOCH};

/// Why a search ended without a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The time is used up.
    TimeUp,
    /// SIGTERM, SIGINT, or another thread that has found a witness.
    Interrupted,
    /// The process holds as much memory as it may.
    MemoryUp,
    /// Every strategy has tried all that it can try.
    Exhausted,
    /// No input box holds a number of the network's type.
    NoNumbers,
    /// The search's bounds exclude a counterexample, the judge could not confirm that they do for every permitted computation.
    Unconfirmed,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimeUp => "the time is up",
            Self::Interrupted => "interrupted",
            Self::MemoryUp => "the memory is used up",
            Self::Exhausted => "every strategy has ended",
            Self::Unconfirmed => {
                "bounds over the real numbers exclude a counterexample, those of every permitted computation in floats do not"
            }
            Self::NoNumbers => "the input set holds real numbers, but none of the network's type",
        })
    }
}

/// A flag that ends a search early; copies share it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
    /// Whether memory was why. Written before `raised`.
    memory: Arc<AtomicBool>,
}

impl Interrupt {
    /// Ends every search that holds a copy.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Release);
    }

    /// The same because the process holds too much memory.
    pub fn raise_for_memory(&self) {
        self.memory.store(true, Ordering::Relaxed);
        self.raise();
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Why it was raised.
    pub fn reason(&self) -> StopReason {
        if self.memory.load(Ordering::Relaxed) { StopReason::MemoryUp } else { StopReason::Interrupted }
    }

    /// The flag itself, for a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.raised)
    }
}

/// How long a search may go on: a deadline, flags that end it early, and the moment it counts from.
#[derive(Debug, Clone)]
pub struct Budget {
    start: Instant,
    deadline: Option<Instant>,
    interrupts: Vec<Interrupt>,
}

impl Budget {
    /// A budget without a deadline that counts from now.
    pub fn unlimited() -> Self {
        Self { start: Instant::now(), deadline: None, interrupts: Vec::new() }
    }

    /// A budget that counts from the start of the process, as the competition does, and ends in time to write a
    /// complete results file: at `timeout − max(0.5 s, 2%)`, but never before half of `timeout`.
    pub fn of_process(timeout: Duration) -> Self {
        let start = process_start();
        Self { start, deadline: start.checked_add(timeout - reserve(timeout)), interrupts: Vec::new() }
    }

    /// The same budget, ended early by `interrupt` too.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupts.push(interrupt);
        self
    }

    /// A part of this budget: at most `slice` from now.
    #[must_use]
    pub fn slice(&self, slice: Duration) -> Self {
        let end = Instant::now().checked_add(slice);
        let deadline = match (self.deadline, end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { deadline, ..self.clone() }
    }

    /// Why to stop, if it is time to.
    pub fn check(&self) -> Result<(), StopReason> {
        if let Some(raised) = self.interrupts.iter().find(|interrupt| interrupt.is_raised()) {
            return Err(raised.reason());
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(StopReason::TimeUp),
            _ => Ok(()),
        }
    }

    /// Time since the budget began to count.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Time that is left; `None` without a deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

/// The moment in UTC as logs have it: `2026-11-30T20:34:56Z`.
#[cfg(feature = "cli")]
pub(crate) fn timestamp() -> String {
    let seconds = seconds_since_1970();
    let (year, month, day) = civil(seconds);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date and the time of day in UTC, as pages say when they were made: `2026-11-30 20:34 UTC`.
#[cfg(feature = "cli")]
pub(crate) fn date() -> String {
    date_of(seconds_since_1970())
}

#[cfg(feature = "cli")]
fn seconds_since_1970() -> u64 {
    // Before 1970 there is no such program.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(feature = "cli")]
fn date_of(seconds: u64) -> String {
    let (year, month, day) = civil(seconds);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3_600 % 24, seconds / 60 % 60)
}

/// Year, month and day so many seconds after the beginning of 1970. Days become a date of the Gregorian calendar by counting years from March on,
/// so that the leap day is the last one (Hinnant, "chrono-compatible low-level date algorithms").
#[cfg(feature = "cli")]
fn civil(seconds: u64) -> (u64, u64, u64) {
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (400 * era + year + u64::from(month <= 2), month, day)
}

/// Measures how long something takes, for statistics.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to count.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// One that has counted since the process began.
    pub fn of_process() -> Self {
        Self(process_start())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Time from another one's start to this one's; nothing, if the other began later.
    pub fn since(&self, other: &Self) -> Duration {
        self.0.saturating_duration_since(other.0)
    }
}

/// Time since the process began.
pub fn elapsed_of_process() -> Duration {
    process_start().elapsed()
}

/// The part of a time limit that is kept for writing a complete results file; half of it is the watchdog's. With two processes of two
/// threads each on two cores, 95 runs of 3 s ended after 2.77 to 2.93 s.
pub fn reserve(timeout: Duration) -> Duration {
    (timeout / 50).max(Duration::from_millis(250)).min(timeout / 2)
}

/// When the process began, as the kernel says (to 10 ms); now, where it does not say.
fn process_start() -> Instant {
    let now = Instant::now();
    age_of_process().and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

/// Field 22 of `/proc/self/stat` is the start in clock ticks (100 a second on Linux) since boot.
fn age_of_process() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime: f64 =
        std::fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64((uptime - ticks / 100.0).max(0.0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "cli")]
    #[test]
    fn seconds_are_dates() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_827_696, "2000-02-29 12:34 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(date_of(seconds), date);
        }
        assert!(date() > date_of(1_735_689_599));
    }

    #[test]
    fn a_slice_never_outlives_its_budget() {
        let budget = Budget::unlimited().slice(Duration::from_secs(5));
        let slice = budget.slice(Duration::from_secs(50));
        assert!(slice.remaining() <= Some(Duration::from_secs(5)));
        assert_eq!(budget.slice(Duration::ZERO).check(), Err(StopReason::TimeUp));
    }

    #[test]
    fn an_interrupt_ends_every_copy() {
        let interrupt = Interrupt::default();
        let budget = Budget::unlimited().with_interrupt(interrupt.clone());
        assert_eq!(budget.check(), Ok(()));
        interrupt.raise();
        assert_eq!(budget.slice(Duration::from_secs(1)).check(), Err(StopReason::Interrupted));
    }

    #[test]
    fn huge_and_tiny_limits_are_fine() {
        assert!(Budget::of_process(Duration::MAX).check().is_ok());
        assert!(Budget::of_process(Duration::ZERO).check().is_err());
    }
}
