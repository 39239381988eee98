//! Lists of instances: VNN-COMP's `instances.csv` of every year, and tables with a line of names.
//!
//! The competition's rows are `onnx,vnnlib,timeout`. Columns are found by their names where there are some, and else by
//! what stands in them, so that a benchmark in front or a remark behind does no harm. A list of networks, as VNN-LIB 2.0
//! needs it, may stand in quotes or without: `[('f', 'a.onnx'), ('g', 'b.onnx')]`.

use crate::csv::{self, Broken, TableRow};

/// One instance, as a table lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The line of the table, from 1.
    pub line: usize,
    /// The benchmark, if the table names it.
    pub benchmark: Option<String>,
    /// The network's file, or the list of files.
    pub network: String,
    /// The property's file.
    pub property: String,
    /// The time limit, in seconds, if the table has one.
    pub limit: Option<f64>,
}

/// A table that lists no instances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// A quote is not closed, or text follows one.
    #[error("line {0}: no row of a table (help: write CSV; double the quotes inside quotes)")]
    Broken(usize),
    /// A row without a cell that it needs.
    #[error(
        "line {line}: {column} is missing (help: a row is onnx,vnnlib,timeout, or the first line names its columns)"
    )]
    Missing {
        /// The line, from 1.
        line: usize,
        /// The column's name.
        column: &'static str,
    },
    /// A time limit that is none.
    #[error("line {line}: the timeout {text} is not a number of seconds above 0")]
    Timeout {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// There are no rows.
    #[error("no instances (help: a row is onnx,vnnlib,timeout)")]
    Empty,
    /// Rows are chosen by a column that it does not have.
    #[error("there is no column {0} (help: the first line names the columns)")]
    NoColumn(String),
}

/// Where the columns are.
struct InstanceColumns {
    benchmark: Option<usize>,
    network: Option<usize>,
    property: Option<usize>,
    limit: Option<usize>,
}

impl InstanceColumns {
    /// By a line of names; `None` if it is none.
    fn named(cells: &[String]) -> Option<Self> {
        let at = |names: &[&str]| {
            cells.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
        };
        let (network, property) = (at(&["onnx", "network"]), at(&["vnnlib", "property"]));
        network.or(property)?;
        let limit = at(&["timeout", "timeout_s", "time_limit", "limit", "limit_s"]);
        Some(Self { benchmark: at(&["benchmark", "category"]), network, property, limit })
    }

    /// By what stands in a row.
    fn guessed(cells: &[String]) -> Self {
        let find = |is: &dyn Fn(&str) -> bool| cells.iter().position(|cell| is(cell));
        let network = find(&|cell| ends(cell, ".onnx"));
        let property = find(&|cell| ends(cell, ".vnnlib"));
        let behind = network.max(property).map_or(0, |last| last + 1);
        let limit = (behind < cells.len()).then_some(behind);
        let named = [network, property].iter().flatten().all(|&at| at > 0);
        Self { benchmark: (named && network.is_some()).then_some(0), network, property, limit }
    }
}

/// Whether a cell is a file, or a list of files, of some kind.
fn ends(cell: &str, end: &str) -> bool {
    let cell = cell.trim_end_matches(['\'', '"', ')', ']', ' ', ',']).to_ascii_lowercase();
    cell.strip_suffix(".gz").unwrap_or(&cell).ends_with(end)
}

/// Reads the rows of a table whose columns have the values that are wanted of them, by the columns' names: perhaps none. Several
/// values of one column are alternatives.
///
/// # Errors
/// If it is no table, a column is missing, a row lacks a network or a property, a time limit is none, or there are no rows at all.
pub fn listings(text: &str, wanted: &[(String, String)]) -> Result<Vec<Listing>, ListingError> {
    let rows = csv::rows(text).map_err(|Broken(line)| ListingError::Broken(line))?;
    let rows: Vec<TableRow> =
        rows.into_iter().map(|row| TableRow { line: row.line, cells: rejoined(row.cells) }).collect();
    let named = rows.first().and_then(|row| InstanceColumns::named(&row.cells));
    let chosen = columns_of(wanted, rows.first().filter(|_| named.is_some()))?;
    let is_wanted = |row: &TableRow| {
        let has = |at: usize, value: &str| row.cells.get(at).is_some_and(|cell| cell == value);
        chosen.iter().all(|(at, _)| chosen.iter().any(|(other, value)| other == at && has(*at, value)))
    };
    let rows = &rows[usize::from(named.is_some()).min(rows.len())..];
    let mut found = Vec::new();
    for row in rows.iter().filter(|row| is_wanted(row)) {
        let guessed = InstanceColumns::guessed(&row.cells);
        found.push(listing(row, named.as_ref().unwrap_or(&guessed))?);
    }
    if rows.is_empty() { Err(ListingError::Empty) } else { Ok(found) }
}

/// The columns that are asked for, by a line of names.
fn columns_of<'w>(
    wanted: &'w [(String, String)],
    names: Option<&TableRow>,
) -> Result<Vec<(usize, &'w str)>, ListingError> {
    let column = |(name, value): &'w (String, String)| {
        let at = names.and_then(|names| names.cells.iter().position(|cell| cell.eq_ignore_ascii_case(name)));
        at.map(|at| (at, value.as_str())).ok_or_else(|| ListingError::NoColumn(name.clone()))
    };
    wanted.iter().map(column).collect()
}

fn listing(row: &TableRow, columns: &InstanceColumns) -> Result<Listing, ListingError> {
    let line = row.line;
    let cell = |at: Option<usize>| at.and_then(|at| row.cells.get(at)).filter(|cell| !cell.is_empty());
    let wanted = |at, column| cell(at).cloned().ok_or(ListingError::Missing { line, column });
    let limit = |text: &String| match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        _ => Err(ListingError::Timeout { line, text: text.clone() }),
    };
    Ok(Listing {
        line,
        benchmark: cell(columns.benchmark).cloned(),
        network: wanted(columns.network, "onnx")?,
        property: wanted(columns.property, "vnnlib")?,
        limit: cell(columns.limit).map(limit).transpose()?,
    })
}

/// Cells of a list that was written without quotes around it, put together again.
fn rejoined(cells: Vec<String>) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    for cell in cells {
        match whole.last_mut() {
            Some(open) if open.starts_with('[') && !open.ends_with(']') => {
                open.push(',');
                open.push_str(&cell);
            }
            _ => whole.push(cell),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<&str, &str>) {
        check_wanted(text, &[], want);
    }

    fn check_wanted(text: &str, wanted: &[(&str, &str)], want: Result<&str, &str>) {
        let shown = |listing: &Listing| {
            let Listing { line, benchmark, network, property, limit } = listing;
            let limit = limit.map_or("-".to_owned(), |limit| limit.to_string());
            format!("{line}: {} {network} {property} {limit}", benchmark.as_deref().unwrap_or("-"))
        };
        let wanted: Vec<_> =
            wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let got = listings(text, &wanted).map(|all| all.iter().map(shown).collect::<Vec<_>>().join("; "));
        let got = got.map_err(|error| error.to_string());
        match want {
            Ok(want) => assert_eq!(got.as_deref(), Ok(want), "{text}"),
            Err(want) => assert!(got.as_ref().is_err_and(|error| error.starts_with(want)), "{text}: {got:?}"),
        }
    }

    #[test]
    fn rows_are_chosen_by_their_columns() {
        let table = "onnx,vnnlib,timeout_s,Truth,year\na.onnx,p.vnnlib,1,sat,2024\nb.onnx,p.vnnlib,1,unsat,2024\nc.onnx,p.vnnlib,1,sat,2025\n";
        let check = |wanted: &[(&str, &str)], want| check_wanted(table, wanted, want);
        check(&[("truth", "sat")], Ok("2: - a.onnx p.vnnlib 1; 4: - c.onnx p.vnnlib 1"));
        check(&[("truth", "sat"), ("year", "2025")], Ok("4: - c.onnx p.vnnlib 1"));
        check(
            &[("truth", "sat"), ("year", "2024"), ("year", "2025")],
            Ok("2: - a.onnx p.vnnlib 1; 4: - c.onnx p.vnnlib 1"),
        );
        check(&[("truth", "no")], Ok(""));
        check(&[("tool", "x")], Err("there is no column tool"));
        check_wanted("a.onnx,p.vnnlib,1\n", &[("truth", "sat")], Err("there is no column truth"));
    }

    #[test]
    fn lists_of_all_years_are_read() {
        check("onnx/a.onnx,vnnlib/p.vnnlib,116\n", Ok("1: - onnx/a.onnx vnnlib/p.vnnlib 116"));
        check("./a.onnx.gz,./p.vnnlib.gz,116.5\r\n", Ok("1: - ./a.onnx.gz ./p.vnnlib.gz 116.5"));
        check("a.onnx, p.vnnlib, 60", Ok("1: - a.onnx p.vnnlib 60"));
        check("a.onnx,p.vnnlib\n\nb.onnx,q.vnnlib,3\n", Ok("1: - a.onnx p.vnnlib -; 3: - b.onnx q.vnnlib 3"));
        check("acas,a.onnx,p.vnnlib,60\n", Ok("1: acas a.onnx p.vnnlib 60"));
        check("a.onnx;p.vnnlib;60\n", Ok("1: - a.onnx p.vnnlib 60"));
        check("\u{feff}A.ONNX,P.VNNLIB,60\n", Ok("1: - A.ONNX P.VNNLIB 60"));
        let two = "[('N','a.onnx'),('M','b.onnx')]";
        check(&format!("\"{two}\",p.vnnlib,60\n"), Ok(&format!("1: - {two} p.vnnlib 60")));
        check(&format!("{two},p.vnnlib,60\n"), Ok(&format!("1: - {two} p.vnnlib 60")));
    }

    #[test]
    fn columns_may_have_names() {
        check("onnx,vnnlib,timeout\na,p,60\n", Ok("2: - a p 60"));
        check("benchmark,onnx,vnnlib,timeout_s,truth\nb,a,p,116,unsat\n", Ok("2: b a p 116"));
        check("property,network,truth\np,a,sat\n", Ok("2: - a p -"));
        check("Category,Network,Property,Limit\nb,a,p,\n", Ok("2: b a p -"));
    }

    #[test]
    fn other_tables_are_refused_with_their_place() {
        check("", Err("no instances"));
        check("onnx,vnnlib,timeout\n", Err("no instances"));
        check("a.onnx,60\n", Err("line 1: vnnlib is missing"));
        check("a.onnx,p.vnnlib,60\nb.onnx\n", Err("line 2: vnnlib is missing"));
        check("onnx,vnnlib,timeout\n,p,60\n", Err("line 2: onnx is missing"));
        check("network,truth\na,sat\n", Err("line 2: vnnlib is missing"));
        check("a.onnx,p.vnnlib,soon\n", Err("line 1: the timeout soon"));
        check("a.onnx,p.vnnlib,-1\n", Err("line 1: the timeout -1"));
        check("a.onnx,\"p.vnnlib,60\n", Err("line 1: no row"));
    }
}
