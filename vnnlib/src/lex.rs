//! The words of the language: blanks, comments, symbols, numbers. Both versions share them.
//!
//! Parsers work on bytes, for speed; every cut is at an ASCII byte, so spans are also valid in the text.

use nom::branch::alt;
use nom::bytes::complete::{take_while, take_while_m_n, take_while1};
use nom::character::complete::{char, digit1, one_of};
use nom::combinator::{opt, recognize};
use nom::error::{ErrorKind, ParseError};
use nom::{IResult, Parser};

use crate::problem::Problem;

/// The result of a parser: the rest of the text and what was read.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// Where reading failed, measured from the text's end, and why.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    /// How many bytes were left.
    pub(crate) remaining: usize,
    /// How many of them are at fault.
    pub(crate) length: usize,
    /// The reason; `None` from a nom primitive whose caller names it.
    pub(crate) problem: Option<Box<Problem>>,
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        Self { remaining: input.len(), length: 1, problem: None }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// A fatal error: `length` bytes at the beginning of `input` are wrong.
pub(crate) fn fail<T>(input: &[u8], length: usize, problem: Problem) -> Parsed<'_, T> {
    Err(nom::Err::Failure(Fault { remaining: input.len(), length, problem: Some(Box::new(problem)) }))
}

/// A fatal error: something else should stand at the beginning of `input`.
pub(crate) fn unexpected<'a, T>(input: &'a [u8], expected: &'static str) -> Parsed<'a, T> {
    let word = word_at(input);
    let found = match word {
        [] => "the end of the text".into(),
        word => format!("`{}`", shown(word)),
    };
    fail(input, word.len(), Problem::Unexpected { expected, found })
}

/// A word as messages quote it: at most 40 characters.
pub(crate) fn shown(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(word);
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.into_owned(),
    }
}

/// The word or delimiter at the beginning of `input`; an opening parenthesis together with the word behind it.
fn word_at(input: &[u8]) -> &[u8] {
    let opening = usize::from(input.first() == Some(&b'('));
    let symbol = input[opening..].iter().position(|&b| !is_symbol(b)).unwrap_or(input.len() - opening);
    let whole = if opening + symbol > 0 { opening + symbol } else { input.len().min(1) };
    &input[..whole]
}

/// `blank = { " " | tab | form feed | line end | ";" { any character but line end } } ;`
pub(crate) fn blank(mut input: &[u8]) -> &[u8] {
    loop {
        match input {
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0c, rest @ ..] => input = rest,
            [b';', rest @ ..] => {
                let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                input = &rest[end..];
            }
            _ => return input,
        }
    }
}

/// `symbol character = ? any character but blanks, ( ) [ ] , " and ; ? ;`
pub(crate) fn is_symbol(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'(' | b')' | b'[' | b']' | b',' | b'"' | b';')
}

/// `symbol = symbol character { symbol character } ;`
pub(crate) fn symbol(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while1(is_symbol).parse(input)
}

/// ```ebnf
/// numeral = [ "+" | "-" ] ( digits [ "." [ digits ] ] | "." digits ) [ exponent ] ;
/// exponent = ( "e" | "E" ) [ "+" | "-" ] digits ;
/// ```
///
/// Both standards want digits on both sides of the point and no plus, and 2.0 has no exponent. Python, NumPy and MATLAB
/// print `1.`, `+1.0`, `.5` and `1e-05`, there is only one thing that these can mean, and they are read exactly.
pub(crate) fn numeral(input: &[u8]) -> Parsed<'_, &[u8]> {
    let exponent = (one_of("eE"), opt(one_of("+-")), digit1);
    let mantissa = alt((recognize((digit1, opt((char('.'), opt(digit1))))), recognize((char('.'), digit1))));
    recognize((opt(one_of("+-")), mantissa, opt(exponent))).parse(input)
}

/// `digits = digit { digit } ;`
pub(crate) fn digits(input: &[u8]) -> Parsed<'_, &[u8]> {
    digit1.parse(input)
}

/// A word of letters, digits and `_` that begins with a letter.
pub(crate) fn name(input: &[u8]) -> Parsed<'_, &[u8]> {
    let letter = take_while_m_n(1, 1, |byte: u8| byte.is_ascii_alphabetic());
    recognize((letter, take_while(|byte: u8| byte.is_ascii_alphanumeric() || byte == b'_'))).parse(input)
}

/// The length of `[ "-" ] digits [ "." digits ]` at the beginning, for the fast path.
pub(crate) fn plain_length(input: &[u8]) -> Option<usize> {
    let digits_from = |from: usize| {
        let count = input.get(from..)?.iter().position(|byte| !byte.is_ascii_digit())?;
        (count > 0).then_some(from + count)
    };
    let whole = digits_from(usize::from(input.first() == Some(&b'-')))?;
    if input[whole] == b'.' { digits_from(whole + 1) } else { Some(whole) }
}

/// A number of at most nine digits at the beginning, and the rest.
pub(crate) fn small_number(input: &[u8]) -> Option<(&[u8], u32)> {
    let mut value = 0;
    for (at, byte) in input.iter().enumerate().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (at > 0).then_some((&input[at..], value));
        }
        // Too large only at the tenth digit, where the loop ends without a result.
        value = value.wrapping_mul(10).wrapping_add(u32::from(digit));
    }
    None
}

/// The text behind `initialized`, if it begins with that word.
pub(crate) fn initialized(input: &[u8]) -> Option<&[u8]> {
    match name(input) {
        Ok((rest, b"initialized")) => Some(rest),
        _ => None,
    }
}

/// What stands between the quotes, as written.
///
/// ```ebnf
/// onnx name = '"' { ? any character but '"' and backslash ? | escape } '"' ;
/// escape = ? backslash, then one of '"', backslash, "n", "t", "r", "f" ? ;
/// ```
pub(crate) fn string(input: &[u8]) -> Parsed<'_, &[u8]> {
    let mut at = 1;
    loop {
        match input.get(at..) {
            Some([b'"', rest @ ..]) => return Ok((rest, &input[1..at])),
            Some([b'\\', b'"' | b'\\' | b'n' | b't' | b'r' | b'f', ..]) => at += 2,
            Some([b'\\', ..]) => return fail(&input[at..], 2, Problem::UnknownEscape),
            Some([_, ..]) => at += 1,
            _ => return fail(input, 1, Problem::UnclosedString),
        }
    }
}

/// The text that a string between its quotes stands for.
pub(crate) fn unescape(inside: &[u8]) -> String {
    let text = String::from_utf8_lossy(inside);
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            other => other,
        });
    }
    plain
}

/// One of the four brackets and the comma, after blanks.
pub(crate) fn delimiter<'a>(
    input: &'a [u8],
    which: u8,
    expected: &'static str,
) -> Result<&'a [u8], nom::Err<Fault>> {
    let input = blank(input);
    match input.split_first() {
        Some((&first, rest)) if first == which => Ok(rest),
        _ => unexpected::<()>(input, expected).map(|(rest, ())| rest),
    }
}

/// The rest of an ignored command, up to and without its closing parenthesis.
///
/// ```ebnf
/// token = symbol | string | "[" | "]" | "," | "(" { token } ")" ;
/// string = '"' { any character but '"' } '"' ;
/// ```
pub(crate) fn skip_arguments(mut input: &[u8]) -> Parsed<'_, ()> {
    let mut depth = 0_usize;
    loop {
        input = blank(input);
        input = match input {
            [b')', ..] if depth == 0 => return Ok((input, ())),
            [b')', rest @ ..] => {
                depth -= 1;
                rest
            }
            [b'(', rest @ ..] => {
                depth += 1;
                rest
            }
            [] => return unexpected(input, "`)`"),
            // Strings of SMT-LIB have no backslash escapes, and a doubled quote reads as two strings.
            [b'"', inside @ ..] => match inside.iter().position(|&b| b == b'"') {
                Some(end) => &inside[end + 1..],
                None => return fail(input, 1, Problem::UnclosedString),
            },
            _ => alt((symbol, take_while1(|b| matches!(b, b'[' | b']' | b',')))).parse(input)?.0,
        };
    }
}
