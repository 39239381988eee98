//! Tables as text: RFC 4180, as spreadsheets and Python's `csv` write them. The list form of a network holds commas, so
//! that quotes matter. Tables that are written quote their cells alike.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while};
use nom::character::complete::char;
use nom::multi::{fold_many0, separated_list1};
use nom::sequence::delimited;
use nom::{IResult, Parser};

/// One row: its cells, and the line that it begins on, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line.
    pub line: usize,
    /// The cells, without their quotes.
    pub cells: Vec<String>,
}

/// A text that is no table: the line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken(pub usize);

/// Reads all rows; empty lines are left out. Where the first line has no comma, a semicolon or a tab separates cells, as
/// spreadsheets write them in many countries.
///
/// # Errors
/// The line of the first quote that is not closed or is followed by text.
pub fn rows(text: &str) -> Result<Vec<Row>, Broken> {
    let (mut rows, mut rest, mut line) = (Vec::new(), text.trim_start_matches('\u{feff}'), 1);
    let first = rest.trim_start().lines().next().unwrap_or_default();
    let separator = [',', ';', '\t'].into_iter().find(|&mark| first.contains(mark)).unwrap_or(',');
    while !rest.is_empty() {
        let Ok((behind, cells)) = row(rest, separator) else { return Err(Broken(line)) };
        let behind = match behind.strip_prefix("\r\n").or_else(|| behind.strip_prefix('\n')) {
            Some(next) => next,
            None if behind.is_empty() => behind,
            None => return Err(Broken(line)),
        };
        if cells.iter().any(|cell| !cell.is_empty()) {
            rows.push(Row { line, cells });
        }
        line += rest.len().checked_sub(behind.len()).map_or(0, |read| rest[..read].matches('\n').count());
        rest = behind;
    }
    Ok(rows)
}

/// `row = cell { separator cell }`
fn row(input: &str, separator: char) -> IResult<&str, Vec<String>> {
    separated_list1(char(separator), alt((quoted, |input| plain(input, separator)))).parse(input)
}

/// `plain = { character - ( '"' | separator | line end ) }`
fn plain(input: &str, separator: char) -> IResult<&str, String> {
    let inside = take_while(|c| c != separator && !matches!(c, '"' | '\r' | '\n'));
    inside.map(|cell: &str| cell.trim().to_owned()).parse(input)
}

/// `quoted = '"' { character - '"' | '""' } '"'`
fn quoted(input: &str) -> IResult<&str, String> {
    let piece = alt((tag("\"\"").map(|_| "\""), nom::bytes::complete::take_while1(|c| c != '"')));
    let inside = fold_many0(piece, String::new, |mut cell, piece: &str| {
        cell.push_str(piece);
        cell
    });
    delimited(tag("\""), inside, tag("\"")).parse(input)
}

/// A cell that stands for itself: in quotes where it needs them.
pub fn written(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        type Rows<'a> = &'a [(usize, &'a [&'a str])];
        let cases: [(&str, Result<Rows<'_>, usize>); 7] = [
            ("a,b\nc,d\n", Ok(&[(1, &["a", "b"]), (2, &["c", "d"])])),
            ("a,b\r\n\r\nc, d", Ok(&[(1, &["a", "b"]), (3, &["c", "d"])])),
            ("\"[('f', 'a,b')]\",c\n", Ok(&[(1, &["[('f', 'a,b')]", "c"])])),
            (
                "\"two\nlines \"\"quoted\"\"\",x\nb\n",
                Ok(&[(1, &["two\nlines \"quoted\"", "x"]), (3, &["b"])]),
            ),
            ("", Ok(&[])),
            ("a\n\"open", Err(2)),
            ("\"a\"b\n", Err(1)),
        ];
        for (text, want) in cases {
            let got = rows(text).map_err(|Broken(line)| line);
            let want = want.map(|rows| {
                let row = |&(line, cells): &(usize, &[&str])| Row {
                    line,
                    cells: cells.iter().map(|&c| c.to_owned()).collect(),
                };
                rows.iter().map(row).collect::<Vec<_>>()
            });
            assert_eq!(got, want, "{text:?}");
        }
    }

    #[test]
    fn cells_are_read_as_they_were_written() {
        for cell in ["plain", "a,b", "[('f', 'a')]", "say \"x\"", "two\nlines", ""] {
            let line = format!("first,{}\n", written(cell));
            assert_eq!(rows(&line).unwrap()[0].cells, ["first", cell], "{line}");
        }
    }
}
