//! What each strategy has spent and reached, as a table.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::table::aligned;
use crate::search::observer::{Ended, Event, Observer};

/// Collects what a search reports when it ends.
#[derive(Debug, Default)]
pub struct Statistics {
    state: Mutex<StatisticsState>,
}

#[derive(Debug, Default)]
struct StatisticsState {
    rows: Vec<[String; 8]>,
    best_margin: Option<f64>,
    best_point: Option<(f64, Vec<f64>)>,
    rejected: u64,
    thin: u64,
    notes: Vec<String>,
    not_used: Vec<String>,
}

impl Statistics {
    /// The best margin of all strategies; `None` if nothing was evaluated.
    pub fn best_margin(&self) -> Option<f64> {
        self.lock().best_margin
    }

    /// The point that came nearest, in the order of the search's inputs; `None` if nothing was evaluated.
    pub fn best_point(&self) -> Option<Vec<f64>> {
        self.lock().best_point.as_ref().map(|(_, point)| point.clone())
    }

    /// What the user may want to know of the search.
    pub fn notes(&self) -> Vec<String> {
        self.lock().notes.clone()
    }

    /// Strategies that could not be used, each with the reason.
    pub fn not_used(&self) -> Vec<String> {
        self.lock().not_used.clone()
    }

    /// The table: one line a strategy, then one with what was spent in all, then the search's notes.
    pub fn table(&self, elapsed: Duration) -> String {
        const HEAD: [&str; 8] =
            ["strategy", "rounds", "evaluations", "gradients", "programs", "best margin", "seconds", "ended"];
        let state = self.lock();
        let head = std::iter::once(HEAD.map(str::to_owned));
        let rows: Vec<Vec<String>> = head.chain(state.rows.iter().cloned()).map(Vec::from).collect();
        // The strategy, and how it ended.
        let mut table = aligned(&rows, |column| column == 0 || column == HEAD.len() - 1);
        let seconds = elapsed.as_secs_f64();
        let (rejected, thin) = (state.rejected, state.thin);
        // Writing to a String cannot fail.
        let _ = writeln!(table, "{seconds:.3} s in all; {rejected} candidates rejected, {thin} found thin");
        state.notes.iter().for_each(|note| table.extend([note.as_str(), "\n"]));
        table
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, StatisticsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Statistics {
    fn event(&self, event: &Event<'_>) {
        let mut state = self.lock();
        match *event {
            Event::StrategyFinished {
                strategy,
                rounds,
                evaluations,
                gradients,
                programs,
                best_margin,
                time,
                ended,
            } => {
                state.best_margin = state.best_margin.into_iter().chain(best_margin).reduce(f64::max);
                if let Ended::NotApplicable(reason) = ended {
                    state.not_used.push(format!("{strategy} was not used: {reason}"));
                }
                state.rows.push([
                    strategy.to_owned(),
                    rounds.to_string(),
                    evaluations.to_string(),
                    gradients.to_string(),
                    programs.to_string(),
                    best_margin.map_or_else(|| "-".to_owned(), |margin| format!("{margin:.3e}")),
                    format!("{:.3}", time.as_secs_f64()),
                    of_ended(ended),
                ]);
            }
            Event::CandidateRejected { .. } => state.rejected += 1,
            Event::ThinWitness { .. } => state.thin += 1,
            Event::Note(note) => state.notes.push(note.to_owned()),
            Event::BestMargin { margin, point, .. } => {
                if state.best_point.as_ref().is_none_or(|(best, _)| margin > *best) {
                    state.best_point = Some((margin, point.to_vec()));
                }
            }
            Event::StrategyStarted { .. } | Event::Nearest { .. } | Event::Warning { .. } => {}
        }
    }
}

fn of_ended(ended: Ended<'_>) -> String {
    match ended {
        Ended::Found => "found".to_owned(),
        Ended::Stopped(reason) => reason.to_string(),
        Ended::NotApplicable(reason) => format!("not applicable: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::StopReason;

    #[test]
    fn the_table_has_a_line_for_every_strategy() {
        let statistics = Statistics::default();
        let finished = |strategy, best_margin, ended| Event::StrategyFinished {
            strategy,
            rounds: 12,
            evaluations: 3456,
            gradients: 0,
            programs: 7,
            best_margin,
            time: Duration::from_millis(1500),
            ended,
        };
        statistics.event(&finished("pgd", Some(-0.25), Ended::Found));
        statistics.event(&finished("region-walk", None, Ended::NotApplicable("no ReLU")));
        statistics.event(&finished("sample", Some(-1.5), Ended::Stopped(StopReason::TimeUp)));
        statistics.event(&Event::CandidateRejected { reason: "why" });
        statistics.event(&Event::Note("one region"));
        insta::assert_snapshot!(statistics.table(Duration::from_millis(2345)), @r"
        strategy     rounds  evaluations  gradients  programs  best margin  seconds  ended
        pgd              12         3456          0         7    -2.500e-1    1.500  found
        region-walk      12         3456          0         7            -    1.500  not applicable: no ReLU
        sample           12         3456          0         7     -1.500e0    1.500  the time is up
        2.345 s in all; 1 candidates rejected, 0 found thin
        one region
        ");
        assert_eq!(statistics.best_margin(), Some(-0.25));
    }

    #[test]
    fn the_nearest_point_of_all_threads_is_kept() {
        let statistics = Statistics::default();
        assert_eq!(statistics.best_point(), None);
        for (margin, x) in [(-2.0, 1.0), (-0.5, 2.0), (-1.0, 3.0)] {
            statistics.event(&Event::BestMargin { strategy: "pgd", margin, evaluations: 1, point: &[x] });
        }
        assert_eq!(statistics.best_point(), Some(vec![2.0]));
    }
}
