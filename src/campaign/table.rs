//! Results as tables for other programs: `results.csv`, which `counterpatch audit` reads, the same columns as a file of
//! Parquet, and JSON. All are written row by row, or some ten thousand at a time: a campaign may have a million.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use serde_json::{Value, json};

use super::collected::{Collected, CollectedUnit};
use super::compared::Compared;
use super::result::UnitVerdict;

/// Rows of a group of Parquet, which is held in memory until it is written.
const GROUP: usize = 50_000;

/// What a column holds, empty or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    Text,
    Number,
    Whole,
}

/// A column. `audit` knows the first five and the witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResultColumn {
    Tool,
    Benchmark,
    Network,
    Property,
    Claim,
    Time,
    Limit,
    Seed,
    Cpu,
    Peak,
    Version,
    Host,
    Witness,
    Certificate,
    Why,
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq)]
enum ResultCell<'a> {
    /// Nothing is known, or there is nothing.
    Nothing,
    Text(Cow<'a, str>),
    /// A time that was measured, in seconds.
    Seconds(f64),
    Number(f64),
    Whole(u64),
}

impl ResultColumn {
    const ALL: [Self; 15] = [
        Self::Tool,
        Self::Benchmark,
        Self::Network,
        Self::Property,
        Self::Claim,
        Self::Time,
        Self::Limit,
        Self::Seed,
        Self::Cpu,
        Self::Peak,
        Self::Version,
        Self::Host,
        Self::Witness,
        Self::Certificate,
        Self::Why,
    ];

    /// Its name, what it holds, and whether it may be empty.
    fn head(self) -> (&'static str, ColumnKind, bool) {
        use ColumnKind::{Number, Text, Whole};
        match self {
            Self::Tool => ("tool", Text, false),
            Self::Benchmark => ("benchmark", Text, false),
            Self::Network => ("onnx", Text, false),
            Self::Property => ("vnnlib", Text, false),
            Self::Claim => ("claim", Text, false),
            Self::Time => ("time_s", Number, true),
            Self::Limit => ("timeout_s", Number, false),
            Self::Seed => ("seed", Whole, false),
            Self::Cpu => ("cpu_s", Number, true),
            Self::Peak => ("peak_bytes", Whole, true),
            Self::Version => ("version", Text, false),
            Self::Host => ("host", Text, false),
            Self::Witness => ("witness", Text, true),
            Self::Certificate => ("certificate", Text, true),
            Self::Why => ("why", Text, true),
        }
    }
}

/// Results as rows. Files beside results are named from `folder` on, the table's own, if they lie below it, and else in full.
struct ResultRows<'a> {
    collected: &'a Collected,
    folder: &'a Path,
}

impl<'a> ResultRows<'a> {
    fn cell(&self, unit: &'a CollectedUnit, column: ResultColumn) -> ResultCell<'a> {
        let collected = self.collected;
        let text = |number| ResultCell::Text(collected.text(number).into());
        // Of a unit that never came to an end nothing was measured. A process that runs holds memory.
        let measured = |cell| if unit.resources.peak_bytes == 0 { ResultCell::Nothing } else { cell };
        match column {
            ResultColumn::Tool => ResultCell::Text(collected.label(unit.asked)),
            ResultColumn::Benchmark => text(unit.asked.benchmark),
            ResultColumn::Network => text(unit.asked.network),
            ResultColumn::Property => text(unit.asked.property),
            ResultColumn::Claim => ResultCell::Text(unit.verdict.word().into()),
            ResultColumn::Time => measured(ResultCell::Seconds(unit.resources.wall_seconds)),
            ResultColumn::Limit => ResultCell::Number(unit.limit),
            ResultColumn::Seed => ResultCell::Whole(unit.asked.seed),
            ResultColumn::Cpu => measured(ResultCell::Seconds(unit.resources.cpu_seconds)),
            ResultColumn::Peak => measured(ResultCell::Whole(unit.resources.peak_bytes)),
            ResultColumn::Version => text(unit.version),
            ResultColumn::Host => text(unit.host),
            ResultColumn::Witness => self.place(collected.witness(unit)),
            ResultColumn::Certificate => self.place(collected.certificate(unit)),
            ResultColumn::Why => match collected.text(unit.why) {
                "" => ResultCell::Nothing,
                why => ResultCell::Text(why.into()),
            },
        }
    }

    fn place(&self, file: Option<PathBuf>) -> ResultCell<'a> {
        let Some(path) = file else { return ResultCell::Nothing };
        ResultCell::Text(path.strip_prefix(self.folder).unwrap_or(&path).display().to_string().into())
    }
}

impl<'a> ResultCell<'a> {
    fn in_csv(self) -> Cow<'a, [u8]> {
        let text = match self {
            Self::Nothing => return Cow::default(),
            Self::Text(Cow::Borrowed(text)) => return text.as_bytes().into(),
            Self::Text(Cow::Owned(text)) => text,
            Self::Seconds(seconds) => format!("{seconds:.3}"),
            Self::Number(number) => number.to_string(),
            Self::Whole(number) => number.to_string(),
        };
        text.into_bytes().into()
    }
}

/// Writes the table. Files beside results are named from `folder` on, the table's own, if they lie below it, and else in full.
///
/// # Errors
/// If it cannot be written.
pub fn csv(collected: &Collected, folder: &Path, out: &mut dyn Write) -> io::Result<()> {
    let rows = ResultRows { collected, folder };
    let names = ResultColumn::ALL.map(|column| column.head().0.as_bytes().into());
    let row = |unit| ResultColumn::ALL.map(|column| rows.cell(unit, column).in_csv());
    crate::csv::write(std::iter::once(names).chain(collected.found.iter().map(row)), out)
}

/// Writes the same columns as a file of Parquet: texts, doubles and whole numbers without a sign; null where there is nothing.
///
/// # Errors
/// If it cannot be written.
pub fn parquet(collected: &Collected, folder: &Path, out: &mut dyn Write) -> io::Result<()> {
    let rows = ResultRows { collected, folder };
    // What the crate writes is handed on after each group: it wants a writer that may go to other threads.
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema().map_err(refused)?, Arc::new(properties))
        .map_err(refused)?;
    for units in collected.found.chunks(GROUP) {
        let mut group = writer.next_row_group().map_err(refused)?;
        for column in ResultColumn::ALL {
            let cells = units.iter().map(|unit| rows.cell(unit, column));
            write_column(&mut group, column.head().1, cells).map_err(refused)?;
        }
        group.close().map_err(refused)?;
        writer.flush()?;
        out.write_all(&std::mem::take(writer.inner_mut()))?;
    }
    out.write_all(&writer.into_inner().map_err(refused)?)
}

/// What the crate says beyond errors of the system.
fn refused(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

fn schema() -> Result<Arc<Type>, ParquetError> {
    let field = |column: ResultColumn| {
        let (name, kind, may_be_empty) = column.head();
        let (physical, logical) = match kind {
            ColumnKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            ColumnKind::Number => (Physical::DOUBLE, None),
            ColumnKind::Whole => (Physical::INT64, Some(LogicalType::integer(64, false))),
        };
        let repetition = if may_be_empty { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let field = Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition)
            .build()?;
        Ok(Arc::new(field))
    };
    let fields = ResultColumn::ALL.into_iter().map(field).collect::<Result<Vec<_>, ParquetError>>()?;
    Ok(Arc::new(Type::group_type_builder("results").with_fields(fields).build()?))
}

/// Writes a column of a group.
fn write_column<'a>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    kind: ColumnKind,
    cells: impl Iterator<Item = ResultCell<'a>>,
) -> Result<(), ParquetError> {
    let (mut texts, mut numbers, mut wholes, mut levels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for cell in cells {
        levels.push(i16::from(cell != ResultCell::Nothing));
        match cell {
            ResultCell::Nothing => {}
            ResultCell::Text(text) => texts.push(ByteArray::from(text.into_owned().into_bytes())),
            ResultCell::Seconds(number) | ResultCell::Number(number) => numbers.push(number),
            // The bits stay; the schema says that there is no sign.
            ResultCell::Whole(number) => wholes.push(number as i64),
        }
    }
    // There is one for each column of the schema.
    let Some(mut writer) = group.next_column()? else { return Ok(()) };
    match kind {
        ColumnKind::Text => writer.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None)?,
        ColumnKind::Number => writer.typed::<DoubleType>().write_batch(&numbers, Some(&levels), None)?,
        ColumnKind::Whole => writer.typed::<Int64Type>().write_batch(&wholes, Some(&levels), None)?,
    };
    writer.close()
}

/// What follows from all results, as an object.
pub fn summary(collected: &Collected, compared: Option<&Compared<'_>>) -> Value {
    let verdicts: Vec<&str> = UnitVerdict::ALL.iter().map(|verdict| verdict.word()).collect();
    let line =
        |((tool, benchmark), scores)| json!({ "tool": tool, "benchmark": benchmark, "scores": scores });
    json!({
        "open": collected.open.len(),
        "repeated": collected.repeated,
        "foreign": collected.foreign,
        "broken": collected.broken,
        "verdicts": verdicts,
        "table": collected.scores().into_iter().map(line).collect::<Vec<_>>(),
        "disagreements": collected.opposed(),
        "compared": compared,
    })
}

/// Writes a summary, perhaps with more fields, and behind them all results as `units`: one object.
///
/// # Errors
/// If it cannot be written, or a log cannot be read.
pub fn json(summary: &Value, collected: &Collected, out: &mut dyn Write) -> io::Result<()> {
    let head = summary.to_string();
    write!(out, "{},\"units\":[", head.strip_suffix('}').unwrap_or(&head))?;
    let mut logs = collected.logs();
    for (at, unit) in collected.found.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        serde_json::to_writer(&mut *out, &logs.whole(unit).map_err(io::Error::other)?)?;
    }
    out.write_all(b"]}\n")
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::*;
    use crate::audit::claims::{self, ClaimedVerdict};
    use crate::campaign::collected::tests::with;

    fn text(write: impl Fn(&mut dyn Write) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_table_is_one_of_claims() {
        let (temporary, folder, plan) = with(&[(UnitVerdict::Sat, 1.0), (UnitVerdict::Memory, 3.0)]);
        let mut collected = Collected::default();
        collected.add(&folder, &plan).unwrap();
        let table = text(|out| csv(&collected, temporary.path(), out));
        let claims = claims::read("results.csv", &table, "nobody").unwrap();
        let got: Vec<_> = claims.iter().map(|claim| (claim.tool.as_str(), claim.answer)).collect();
        assert_eq!(
            got,
            [("counterpatch-seed0", ClaimedVerdict::Sat), ("counterpatch-seed3", ClaimedVerdict::Nothing)]
        );
        let witness = temporary.path().join(claims[0].witness.as_deref().unwrap());
        assert!(witness.is_file() && claims[1].witness.is_none(), "{table}");
        assert_eq!((claims[0].network.as_str(), claims[0].property.as_str()), ("n0.onnx", "p.vnnlib"));
        let elsewhere = text(|out| csv(&collected, Path::new("/nowhere"), out));
        assert!(elsewhere.contains(&witness.display().to_string()), "{elsewhere}");
        let object = text(|out| json(&summary(&collected, None), &collected, out));
        let object: Value = serde_json::from_str(&object).unwrap();
        assert_eq!((object["units"].as_array().unwrap().len(), object["open"].as_u64()), (2, Some(6)));
        assert_eq!(object["table"][0]["scores"]["verdicts"][0], 1);
        assert_eq!(object["units"][0]["log"], "note: x\n");
    }

    #[test]
    fn the_columns_of_parquet_are_those_of_the_table_with_their_types() {
        let (temporary, folder, plan) = with(&[(UnitVerdict::Sat, 0.1), (UnitVerdict::Error, 3.0)]);
        let mut collected = Collected::default();
        collected.add(&folder, &plan).unwrap();
        // One of several that were never measured, and a seed beyond what a number with a sign holds.
        collected.found[1].resources = Default::default();
        collected.found[1].asked.seed = u64::MAX;
        let write = |out: &mut dyn Write| parquet(&collected, temporary.path(), out);
        let mut bytes = Vec::new();
        write(&mut bytes).unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let table = text(|out| csv(&collected, temporary.path(), out));
        let table = crate::csv::rows(&table).unwrap();
        assert_eq!(rows.len() + 1, table.len());
        for (row, line) in rows.iter().zip(&table[1..]) {
            for (((name, field), head), cell) in row.get_column_iter().zip(&table[0].cells).zip(&line.cells) {
                let said = match field {
                    Field::Null => String::new(),
                    Field::Str(text) => text.clone(),
                    Field::ULong(number) => number.to_string(),
                    Field::Double(number) if name == "timeout_s" => number.to_string(),
                    Field::Double(number) => format!("{number:.3}"),
                    other => panic!("{name}: {other:?}"),
                };
                assert_eq!((name, &said), (head, cell));
            }
        }
        let null = |at: usize, name: &str| {
            rows[at].get_column_iter().any(|(head, field)| head == name && *field == Field::Null)
        };
        assert!(null(1, "time_s") && null(1, "witness") && !null(0, "time_s") && !null(0, "witness"));
    }

    #[test]
    fn groups_of_rows_follow_each_other() {
        let (_temporary, folder, plan) = with(&[(UnitVerdict::Sat, 0.1)]);
        let mut collected = Collected::default();
        collected.add(&folder, &plan).unwrap();
        let first = collected.found[0];
        for rows in [0, GROUP, GROUP + 1] {
            collected.found = vec![first; rows];
            let mut bytes = Vec::new();
            parquet(&collected, Path::new("/"), &mut bytes).unwrap();
            let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
            assert_eq!(reader.metadata().num_row_groups(), rows.div_ceil(GROUP));
            assert_eq!(reader.metadata().file_metadata().num_rows(), rows as i64);
        }
    }
}
