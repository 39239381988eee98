//! Tables of text, laid out by the crate `comfy-table`: it knows how wide characters are. All commands take these two forms.
//! Lines are not folded to the terminal's width: rows of figures that go on below each other can no longer be compared.

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, Table};

/// Columns below each other, two blanks between them, the heads in the first row. Columns of texts go to the left, others to
/// the right.
pub(crate) fn aligned(rows: &[Vec<String>], is_text: impl Fn(usize) -> bool) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).add_rows(rows);
    laid_out(table, (0, 2), is_text)
}

/// The same as Markdown, so that it can be put into a document as it is.
pub(crate) fn markdown(
    head: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    is_text: impl Fn(usize) -> bool,
) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(head);
    for row in rows {
        table.add_row(row.iter().map(|cell| cell.replace('|', r"\|")));
    }
    laid_out(table, (1, 1), is_text)
}

fn laid_out(mut table: Table, padding: (u16, u16), is_text: impl Fn(usize) -> bool) -> String {
    for (at, column) in table.column_iter_mut().enumerate() {
        let alignment = if is_text(at) { CellAlignment::Left } else { CellAlignment::Right };
        column.set_padding(padding).set_cell_alignment(alignment);
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        let rows =
            [["tool", "solved", "why"], ["a", "12345678", "漢字"], ["longer", "1", "a|b"], ["", "", ""]];
        rows.map(|row| row.map(str::to_owned).to_vec()).to_vec()
    }

    #[test]
    fn columns_stand_below_each_other() {
        insta::assert_snapshot!(aligned(&rows(), |column| column != 1), @r"
        tool      solved  why
        a       12345678  漢字
        longer         1  a|b
        ");
    }

    #[test]
    fn markdown_is_aligned_and_holds_every_cell() {
        insta::assert_snapshot!(markdown(&["tool", "solved", "why"], rows().split_off(1), |column| column != 1), @r"
        | tool   |   solved | why  |
        |--------|----------|------|
        | a      | 12345678 | 漢字 |
        | longer |        1 | a\|b |
        |        |          |      |
        ");
    }
}
