//! Tables as text: RFC 4180, as spreadsheets and Python's `csv` write them, read and written by the crate `csv`. The list form
//! of a network holds commas, so that quotes matter. What is added here: which mark separates cells, which line a row begins
//! on, and that a quote in a wrong place is an error. The crate reads on over such quotes, and a table whose last rows all stand
//! in one cell would go unnoticed.

use std::io::{self, Write};

use ::csv::{ReaderBuilder, StringRecord, WriterBuilder};

/// One row: its cells, and the line that it begins on, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow {
    /// The line.
    pub line: usize,
    /// The cells, without their quotes and without blanks around them.
    pub cells: Vec<String>,
}

/// A text that is no table: the line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken(pub usize);

/// A row as it stands.
#[derive(Debug)]
pub(crate) struct TableRecord<'t> {
    /// The line that it begins on, from 1.
    pub(crate) line: usize,
    /// Its text, with quotes and without the end of the line.
    pub(crate) text: &'t str,
    /// Its cells, without quotes.
    pub(crate) cells: StringRecord,
}

/// Reads all rows; empty lines are left out. Where the first line has no comma, a semicolon or a tab separates cells, as
/// spreadsheets write them in many countries.
///
/// # Errors
/// The line of the first row with a quote that is not closed, or that text stands beside.
pub fn rows(text: &str) -> Result<Vec<TableRow>, Broken> {
    let first = without_mark(text).trim_start().lines().next().unwrap_or_default();
    let separator =
        [b',', b';', b'\t'].into_iter().find(|&mark| first.contains(char::from(mark))).unwrap_or(b',');
    let mut rows = Vec::new();
    for record in records(text, separator) {
        if !is_well_quoted(record.text, separator) {
            return Err(Broken(record.line));
        }
        let cells: Vec<String> = record.cells.iter().map(|cell| cell.trim().to_owned()).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            rows.push(TableRow { line: record.line, cells });
        }
    }
    Ok(rows)
}

/// The rows as they stand, of any number of cells each; empty lines are left out.
pub(crate) fn records(text: &str, separator: u8) -> impl Iterator<Item = TableRecord<'_>> {
    let text = without_mark(text);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let (mut end, mut line) = (0, 1);
    std::iter::from_fn(move || {
        let mut cells = StringRecord::new();
        // Memory can be read, is UTF-8 here, and rows may have any length: nothing is left that could go wrong.
        reader.read_record(&mut cells).ok().filter(|&read| read)?;
        let read = usize::try_from(reader.position().byte()).unwrap_or(text.len()).min(text.len());
        let whole = &text[end..read];
        // The crate leaves out empty lines before a row, and takes the line feed behind a carriage return for one.
        let row = whole.trim_start_matches(['\r', '\n']);
        let begin = line + whole[..whole.len() - row.len()].matches('\n').count();
        line += whole.matches('\n').count();
        end = read;
        Some(TableRecord { line: begin, text: row.trim_end_matches(['\r', '\n']), cells })
    })
}

/// Without the mark of UTF-8 that Windows puts in front.
fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

/// Whether quotes stand around whole cells, and doubled within them.
fn is_well_quoted(row: &str, separator: u8) -> bool {
    let bytes = row.as_bytes();
    let is_edge = |byte: Option<&u8>| {
        byte.is_none_or(|byte| *byte == separator || matches!(byte, b'"' | b'\r' | b'\n'))
    };
    let stands_well =
        |at: usize| is_edge(at.checked_sub(1).map(|at| &bytes[at])) || is_edge(bytes.get(at + 1));
    let mut quotes = row.match_indices('"').map(|(at, _)| at);
    row.matches('"').count().is_multiple_of(2) && quotes.all(stands_well)
}

/// The rows as text, with quotes where a cell needs them.
pub fn text<R, C>(rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = C>,
    C: AsRef<[u8]>,
{
    let mut bytes = Vec::new();
    // Writing to memory cannot fail.
    let _ = write(rows, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes the same row by row.
///
/// # Errors
/// If the system refuses.
pub(crate) fn write<R, C>(rows: impl IntoIterator<Item = R>, out: &mut dyn Write) -> io::Result<()>
where
    R: IntoIterator<Item = C>,
    C: AsRef<[u8]>,
{
    let mut writer = WriterBuilder::new().flexible(true).from_writer(out);
    for row in rows {
        writer.write_record(row)?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_are_read() {
        type Rows<'a> = &'a [(usize, &'a [&'a str])];
        let cases: [(&str, Result<Rows<'_>, usize>); 15] = [
            ("a,b\nc,d\n", Ok(&[(1, &["a", "b"]), (2, &["c", "d"])])),
            ("a,b\r\n\r\nc, d", Ok(&[(1, &["a", "b"]), (3, &["c", "d"])])),
            ("\n\n  \na\r\nb,c,d\r\n", Ok(&[(4, &["a"]), (5, &["b", "c", "d"])])),
            ("\u{feff}a;b,c\nd;e", Ok(&[(1, &["a;b", "c"]), (2, &["d;e"])])),
            ("a;b\n1,5;2", Ok(&[(1, &["a", "b"]), (2, &["1,5", "2"])])),
            ("a\tb\n,\n\t\nc", Ok(&[(1, &["a", "b"]), (2, &[","]), (4, &["c"])])),
            ("\"[('f', 'a,b')]\",c\n", Ok(&[(1, &["[('f', 'a,b')]", "c"])])),
            (
                "\"two\nlines \"\"quoted\"\"\",x\nb\n",
                Ok(&[(1, &["two\nlines \"quoted\"", "x"]), (3, &["b"])]),
            ),
            ("\"\",\"\"\"\"\n", Ok(&[(1, &["", "\""])])),
            ("", Ok(&[])),
            ("a\n\"open", Err(2)),
            ("a\n\"open\nb,c\nd\n", Err(2)),
            ("\"a\"b\n", Err(1)),
            ("a\nb \"c\"\n", Err(2)),
            ("a\r\nb\"c\r\n", Err(2)),
        ];
        for (text, want) in cases {
            let got = rows(text).map_err(|Broken(line)| line);
            let want = want.map(|rows| {
                let row = |&(line, cells): &(usize, &[&str])| TableRow {
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
            let line = text([["first", cell]]);
            assert_eq!(rows(&line).unwrap()[0].cells, ["first", cell], "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_table_comes_back(table in prop::collection::vec(prop::collection::vec("[a\",;\r\n ']{0,5}", 2..5), 1..5)) {
            let trimmed = |cells: &Vec<String>| -> Vec<String> { cells.iter().map(|cell| cell.trim().to_owned()).collect() };
            // A comma in the first line says what separates; rows without text are none.
            let table: Vec<Vec<String>> = [vec!["a".to_owned(), "b".to_owned()]].into_iter().chain(table).collect();
            let want: Vec<Vec<String>> =
                table.iter().map(trimmed).filter(|cells| cells.iter().any(|cell| !cell.is_empty())).collect();
            let got: Vec<Vec<String>> = rows(&text(&table)).unwrap().into_iter().map(|row| row.cells).collect();
            prop_assert_eq!(got, want);
        }
    }
}
