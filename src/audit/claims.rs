//! What tools claim: rows of a results file. With a line of names, columns may stand in any order; without one they are
//! found by what stands in them, and else are those of VNN-COMP's `results.csv`: category, network, property, preparation
//! time, result, run time.

use crate::csv::{self, Broken, TableRow};
pub use crate::witness::word::ClaimedVerdict;
use crate::witness::word::is_verdict;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditClaim {
    /// Who claims it.
    pub tool: String,
    /// The benchmark.
    pub benchmark: String,
    /// The network's file, or list of files, as written.
    pub network: String,
    /// The property's file, as written.
    pub property: String,
    /// What is claimed.
    pub answer: ClaimedVerdict,
    /// The same, as written.
    pub word: String,
    /// The counterexample's file, as written.
    pub witness: Option<String>,
}

/// A file without claims that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// A quote is not closed, or text follows one.
    #[error("{file}:{line}: no row of a table (help: write CSV; double the quotes inside quotes)")]
    Broken {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// The line of names does without one that is needed.
    #[error("{file}:{line}: no column {column} among {} (help: {HELP})", .found.join(", "))]
    Name {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column's name.
        column: &'static str,
        /// The names that are there.
        found: Vec<String>,
    },
    /// A row is too short.
    #[error("{file}:{line}: column {column} is missing (help: {HELP})")]
    Column {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column's name.
        column: &'static str,
    },
    /// There are no rows.
    #[error("{0}: no claims (help: {HELP})")]
    Empty(String),
}

const HELP: &str = "either the first line names the columns tool, benchmark, onnx, vnnlib, claim and perhaps witness, \
    or all lines are category,onnx,vnnlib,prepare_time,result,run_time";

/// Where the columns are.
struct ClaimColumns {
    tool: Option<usize>,
    benchmark: Option<usize>,
    network: usize,
    property: usize,
    claim: usize,
    witness: Option<usize>,
}

impl ClaimColumns {
    /// VNN-COMP's own order.
    const OF_RESULTS: Self =
        Self { tool: None, benchmark: Some(0), network: 1, property: 2, claim: 4, witness: None };

    /// By the endings of files and the words of verdicts; `None` if the rows show none.
    fn guessed(rows: &[TableRow]) -> Option<Self> {
        let end = |cell: &str, end: &str| {
            let cell = cell.to_ascii_lowercase();
            cell.strip_suffix(".gz").unwrap_or(&cell).trim_end_matches(['\'', ')', ']', ' ']).ends_with(end)
        };
        let find = |is: &dyn Fn(&str) -> bool| {
            rows.iter().find_map(|row| row.cells.iter().position(|cell| is(cell)))
        };
        let network = find(&|cell| end(cell, ".onnx"))?;
        let property = find(&|cell| end(cell, ".vnnlib"))?;
        let claim = find(&is_verdict)?;
        let is_witness =
            |cell: &str| end(cell, ".counterexample") || end(cell, ".txt") || end(cell, ".witness");
        let first = ![network, property, claim].contains(&0);
        Some(Self {
            tool: None,
            benchmark: first.then_some(0),
            network,
            property,
            claim,
            witness: find(&is_witness),
        })
    }

    /// By name; `None` if this is no line of names: it names neither a network nor a property nor a claim.
    ///
    /// # Errors
    /// The column that is missing.
    fn named(cells: &[String]) -> Option<Result<Self, &'static str>> {
        let at = |names: &[&str]| {
            cells.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
        };
        let network = at(&["onnx", "network"]);
        let property = at(&["vnnlib", "property"]);
        let claim = at(&["claim", "result", "answer", "verdict", "status"]);
        network.or(property).or(claim)?;
        let all = || {
            Ok(Self {
                tool: at(&["tool"]),
                benchmark: at(&["benchmark", "category"]),
                network: network.ok_or("onnx")?,
                property: property.ok_or("vnnlib")?,
                claim: claim.ok_or("claim")?,
                witness: at(&["witness", "counterexample"]),
            })
        };
        Some(all())
    }
}

/// Reads the claims of a file; `tool` is whose they are where the file does not say so.
///
/// # Errors
/// If it is no table, lacks a column or has no rows.
pub fn read(file: &str, text: &str, tool: &str) -> Result<Vec<AuditClaim>, ClaimsError> {
    let broken = |Broken(line)| ClaimsError::Broken { file: file.to_owned(), line };
    let rows = csv::rows(text).map_err(broken)?;
    let named = rows.first().and_then(|row| Some((row, ClaimColumns::named(&row.cells)?)));
    let first = usize::from(named.is_some());
    let columns = match named {
        Some((row, named)) => named.map_err(|column| {
            let found = row.cells.clone();
            ClaimsError::Name { file: file.to_owned(), line: row.line, column, found }
        })?,
        None => ClaimColumns::guessed(&rows).unwrap_or(ClaimColumns::OF_RESULTS),
    };
    let mut claims = Vec::new();
    for row in rows.iter().skip(first) {
        let cell = |at: usize, column| {
            let missing = ClaimsError::Column { file: file.to_owned(), line: row.line, column };
            row.cells.get(at).filter(|cell| !cell.is_empty()).cloned().ok_or(missing)
        };
        let optional =
            |at: Option<usize>| at.and_then(|at| row.cells.get(at)).filter(|cell| !cell.is_empty()).cloned();
        // A run without any result leaves the cell empty.
        let word = row.cells.get(columns.claim).cloned().unwrap_or_default();
        claims.push(AuditClaim {
            tool: optional(columns.tool).unwrap_or_else(|| tool.to_owned()),
            benchmark: optional(columns.benchmark).unwrap_or_default(),
            network: cell(columns.network, "onnx")?,
            property: cell(columns.property, "vnnlib")?,
            answer: ClaimedVerdict::of(&word),
            word,
            witness: optional(columns.witness),
        });
    }
    // Rows may be short where a run gave nothing. Where all are, it is another table, such as a list of instances.
    let line = rows.first().map_or(0, |row| row.line);
    if !claims.is_empty() && rows.iter().skip(first).all(|row| row.cells.len() <= columns.claim) {
        return Err(ClaimsError::Column { file: file.to_owned(), line: line + first, column: "claim" });
    }
    if claims.is_empty() { Err(ClaimsError::Empty(file.to_owned())) } else { Ok(claims) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<&str, &str>) {
        let got = read("r.csv", text, "us").map(|claims| {
            let line = |c: &AuditClaim| {
                let witness = c.witness.as_deref().unwrap_or("-");
                format!("{} {} {} {} {:?} {witness}", c.tool, c.benchmark, c.network, c.property, c.answer)
            };
            claims.iter().map(line).collect::<Vec<_>>().join("; ")
        });
        let got = got.map_err(|error| error.to_string());
        match want {
            Ok(want) => assert_eq!(got.as_deref(), Ok(want)),
            Err(want) => assert!(got.as_ref().is_err_and(|error| error.starts_with(want)), "{got:?}"),
        }
    }

    #[test]
    fn named_and_unnamed_columns_are_read() {
        check(
            "tool,benchmark,onnx,vnnlib,claim,time_s,witness\na,b,n,p,sat,1,w\na,b,n,q,unsat,1,\n",
            Ok("a b n p Sat w; a b n q Unsat -"),
        );
        check("result,vnnlib,onnx\nholds,p,n\n", Ok("us  n p Unsat -"));
        check("acas,./n.onnx,./p.vnnlib,0.1,violated,3.5\n", Ok("us acas ./n.onnx ./p.vnnlib Sat -"));
        check("acas,n,p,0.1,run_instance_timeout,3.5\n", Ok("us acas n p Nothing -"));
        check(
            "acas,n,p,0.1,SAT\nacas,n,q,0.1,verified,3.5,more,more\n",
            Ok("us acas n p Sat -; us acas n q Unsat -"),
        );
        check("a.onnx;b.vnnlib;Violated\n", Ok("us  a.onnx b.vnnlib Sat -"));
        check(
            "\u{feff}acas\tunsat\t./a.onnx.gz\tb.vnnlib\tw.txt\n",
            Ok("us acas ./a.onnx.gz b.vnnlib Unsat w.txt"),
        );
        check(
            "acas,a.onnx,b.vnnlib\nacas,a.onnx,c.vnnlib,1,sat,2\n",
            Ok("us acas a.onnx b.vnnlib Nothing -; us acas a.onnx c.vnnlib Sat -"),
        );
        check("acas,n,p\nacas,n,q,0.1,,\n", Ok("us acas n p Nothing -; us acas n q Nothing -"));
        check("acas,n\n", Err("r.csv:1: column vnnlib is missing"));
        check("tool,onnx,vnnlib,claim\na,,p,sat\n", Err("r.csv:2: column onnx is missing"));
        check("tool,onnx,vnnlib,claim\n", Err("r.csv: no claims"));
        // Tables of something else.
        check("onnx,vnnlib,timeout\nn,p,60\n", Err("r.csv:1: no column claim among onnx, vnnlib, timeout"));
        check("tool,onnx,result\na,n,sat\n", Err("r.csv:1: no column vnnlib among"));
        check("n.onnx,p.vnnlib,60\n", Err("r.csv:1: column claim is missing"));
        check("acas,n,p\nacas,n,q\n", Err("r.csv:1: column claim is missing"));
        check("a,\"b\n", Err("r.csv:1: no row"));
    }
}
