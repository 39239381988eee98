//! Points as text: one a line, numbers separated by commas; a first line of names is a heading.

use crate::csv::{self, TableRecord};

/// A text that is no list of points.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointsError {
    /// A field is no finite number.
    #[error(
        "line {line}, column {column}: `{field}` is no finite number (help: write one point a line, \
         numbers separated by commas, such as 0.5,-1,2e-3)"
    )]
    Number {
        /// The line, counted from 1.
        line: usize,
        /// The character in the line where the field begins, counted from 1.
        column: usize,
        /// What stands there, cut after 40 characters.
        field: String,
    },
    /// A line has too few or too many numbers.
    #[error(
        "line {line}, column {column}: {has} numbers in this line, a point of the property has {wanted} \
         (help: write all inputs of a point in one line, and nothing else)"
    )]
    Count {
        /// The line, counted from 1.
        line: usize,
        /// The character where the first number too many begins, or behind the last one.
        column: usize,
        /// Numbers in the line.
        has: usize,
        /// Numbers that a point has.
        wanted: usize,
    },
    /// Numbers are separated by something else.
    #[error(
        "line {line}: numbers are separated by commas here, and in this line by `{mark}` (help: write the list with \
         commas between the numbers and points in them, such as 0.5,-1,2e-3)"
    )]
    Separator {
        /// The line, counted from 1.
        line: usize,
        /// What stands between the numbers.
        mark: char,
    },
    /// An array, or a counterexample, that holds no points of the property.
    #[error("{0}")]
    Unfit(String),
    /// There is no point at all.
    #[error("there is no point in it (help: write one point a line, numbers separated by commas)")]
    Empty,
}

/// A field of a line, and the character where it begins.
struct LineField<'t> {
    text: &'t str,
    column: usize,
}

/// Reads points of `inputs` numbers each. Empty lines and lines that begin with `#` are skipped.
///
/// # Errors
/// If a field is no finite number, a line has another number of fields, or there is no point.
pub fn parse(text: &str, inputs: usize) -> Result<Vec<Vec<f64>>, PointsError> {
    // One of several lines is no remark: an open quote in it must not hide the points that follow.
    let is_remark = |record: &TableRecord<'_>| {
        let text = record.text.trim_start();
        text.is_empty() || (text.starts_with('#') && !text.contains('\n'))
    };
    let mut records = csv::records(text, b',').filter(|record| !is_remark(record)).peekable();
    records.next_if(|record| is_heading(record, inputs));
    let points: Vec<Vec<f64>> = records.map(|record| point(&record, inputs)).collect::<Result<_, _>>()?;
    if points.is_empty() { Err(PointsError::Empty) } else { Ok(points) }
}

/// Whether a line is one of names, one for each number: anything else that is no point is an error, and never left out.
fn is_heading(record: &TableRecord<'_>, inputs: usize) -> bool {
    let is_name = |field: LineField<'_>| {
        let name = field.text.trim_matches(['"', '\'']);
        name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.parse::<f64>().is_err()
    };
    record.cells.len() == inputs && fields(record).all(is_name)
}

/// The points of an array: its values in order, `inputs` for each.
///
/// # Errors
/// If its sizes are not those of points, or a value is no finite number.
pub fn of_array(sizes: &[usize], values: &[f64], inputs: usize) -> Result<Vec<Vec<f64>>, PointsError> {
    let each: usize = sizes.iter().skip(1).product();
    let single = sizes.iter().product::<usize>() == inputs;
    if inputs == 0 || values.is_empty() || (each != inputs && !single) {
        return Err(PointsError::Unfit(format!(
            "an array of shape {sizes:?}, a point of the property has {inputs} numbers (help: save an array of shape \
             [points, {inputs}])"
        )));
    }
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        let (point, number) = (at / inputs, at % inputs);
        return Err(PointsError::Unfit(format!(
            "number {number} of point {point} is {} (help: points are made of finite numbers)",
            values[at]
        )));
    }
    Ok(values.chunks_exact(inputs).map(<[f64]>::to_vec).collect())
}

fn point(record: &TableRecord<'_>, inputs: usize) -> Result<Vec<f64>, PointsError> {
    let line = record.line;
    let separates = |mark: &char| {
        let parts = record.text.split(*mark).map(str::trim).filter(|part| !part.is_empty());
        parts.clone().count() > 1 && parts.clone().all(|part| part.replace(',', ".").parse::<f64>().is_ok())
    };
    if fields(record).any(|field| field.text.parse::<f64>().is_err())
        && let Some(mark) = [';', '\t', ' '].into_iter().find(separates)
    {
        return Err(PointsError::Separator { line, mark });
    }
    let number = |field: LineField<'_>| {
        let number = field.text.parse::<f64>().ok().filter(|number| number.is_finite());
        let cut = || field.text.chars().take(40).collect();
        number.ok_or_else(|| PointsError::Number { line, column: field.column, field: cut() })
    };
    let numbers: Vec<f64> = fields(record).map(number).collect::<Result<_, _>>()?;
    if numbers.len() == inputs {
        return Ok(numbers);
    }
    let column = fields(record).nth(inputs).map_or(record.text.chars().count() + 1, |field| field.column);
    Err(PointsError::Count { line, column, has: numbers.len(), wanted: inputs })
}

/// The fields of a line with their places. Quotes, which numbers need none of, are not counted.
fn fields<'r>(record: &'r TableRecord<'_>) -> impl Iterator<Item = LineField<'r>> {
    let mut column = 1;
    record.cells.iter().map(move |field| {
        let blanks = field.chars().take_while(|c| c.is_whitespace()).count();
        let begin = column + blanks;
        column += field.chars().count() + 1;
        LineField { text: field.trim(), column: begin }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read() {
        let expected = vec![vec![1.0, -0.5], vec![2e-3, 4.0]];
        for text in [
            "1,-0.5\n2e-3, 4\n",
            "x0,x1\r\n1,-0.5\r\n\r\n.002,4",
            "\"x, 0\",\"x1\"\n1,\"-0.5\"\n2e-3,4",
            "\u{feff}# two\n 1 ,-0.5\n2e-3,4",
        ] {
            assert_eq!(parse(text, 2), Ok(expected.clone()), "{text:?}");
        }
    }

    #[test]
    fn arrays_are_cut_into_points() {
        let values = [1.0, -0.5, 2e-3, 4.0];
        let expected = vec![vec![1.0, -0.5], vec![2e-3, 4.0]];
        assert_eq!(of_array(&[2, 2], &values, 2), Ok(expected.clone()));
        assert_eq!(of_array(&[2, 1, 2], &values, 2), Ok(expected));
        assert_eq!(of_array(&[2, 2], &values, 4), Ok(vec![values.to_vec()]));
        for (sizes, values, part) in [
            (&[4][..], &values[..], "an array of shape [4], a point of the property has 2"),
            (&[0, 2], &[], "an array of shape [0, 2]"),
            (&[1, 2], &[1.0, f64::NAN], "number 1 of point 0 is NaN"),
        ] {
            let message = of_array(sizes, values, 2).unwrap_err().to_string();
            assert!(message.starts_with(part), "{message}");
        }
    }

    #[test]
    fn errors_name_line_and_column() {
        let cases = [
            ("1,2\n3,four", "line 2, column 3: `four` is no finite number"),
            ("1,2\n3, inf", "line 2, column 4: `inf` is no finite number"),
            ("# a,\"b\n1,2\n3,4\n", "line 1, column 1: `# a` is no finite number"),
            ("1,2\n3,", "line 2, column 3: `` is no finite number"),
            ("x,y\na,b", "line 2, column 1: `a` is no finite number"),
            ("1,2\n3", "line 2, column 2: 1 numbers in this line, a point of the property has 2"),
            ("1,2\n3,4,5", "line 2, column 5: 3 numbers in this line, a point of the property has 2"),
            ("x,y\n\n", "there is no point in it"),
            ("1;2\n3;4", "line 1: numbers are separated by commas here, and in this line by `;`"),
            ("x,y\n0,5;1,5", "line 2: numbers are separated by commas here, and in this line by `;`"),
            ("1 2\n", "line 1: numbers are separated by commas here, and in this line by ` `"),
            ("nan,nan\n1,2", "line 1, column 1: `nan` is no finite number"),
            ("x\n1,2", "line 1, column 1: `x` is no finite number"),
            ("1.5x,2.5x\n1,2", "line 1, column 1: `1.5x` is no finite number"),
            ("", "there is no point in it"),
        ];
        for (text, expected) in cases {
            let message = parse(text, 2).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{text:?}: {message}");
        }
    }
}
