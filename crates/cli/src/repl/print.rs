//! Results as psql prints them.

use std::borrow::Cow;

use durability::Row;
use unicode_width::UnicodeWidthStr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Layout {
    #[default]
    Aligned,
    Unaligned,
    Csv,
}

/// How results look: \pset.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub layout: Layout,
    pub expanded: bool,
    /// Expanded where the lines would be wider than the terminal.
    pub expanded_when_wide: bool,
    pub tuples_only: bool,
    pub footer: bool,
    pub null: String,
    /// NULL is drawn faint, so that nobody takes it for a text: for a terminal, aligned.
    pub faint_null: bool,
    pub separator: String,
}

impl Default for Style {
    fn default() -> Style {
        Style {
            layout: Layout::Aligned,
            expanded: false,
            expanded_when_wide: false,
            tuples_only: false,
            footer: true,
            null: String::new(),
            faint_null: false,
            separator: "|".into(),
        }
    }
}

/// A result, or a table of a backslash command.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub title: Option<String>,
    /// Names and types.
    pub columns: Vec<(String, u32)>,
    pub rows: Vec<Row>,
    /// Lines below; "(n rows)" when there are none.
    pub footers: Option<Vec<String>>,
}

/// Numbers stand on the right.
fn is_number(ty: u32) -> bool {
    matches!(ty, 20 | 21 | 23 | 26 | 28 | 29 | 700 | 701 | 790 | 1700 | 5069)
}

impl Table {
    pub(super) fn print(&self, style: &Style) -> String {
        let mut out = String::new();
        if let (Some(title), false, true) = (&self.title, style.tuples_only, style.layout == Layout::Aligned) {
            let width = if style.expanded { 0 } else { self.width(style) };
            out.push_str(&" ".repeat(width.saturating_sub(title.width()) / 2));
            out.push_str(title);
            out.push('\n');
        }
        match (style.layout, style.expanded) {
            (Layout::Aligned, false) => self.aligned(style, &mut out),
            (Layout::Aligned, true) => self.aligned_expanded(style, &mut out),
            (Layout::Unaligned, expanded) => self.unaligned(style, expanded, &mut out),
            (Layout::Csv, _) => self.csv(style, &mut out),
        }
        out
    }

    fn cell<'a>(&'a self, style: &'a Style, row: &'a Row, at: usize) -> &'a str {
        row.get(at).and_then(Option::as_deref).unwrap_or(&style.null)
    }

    /// A line of a cell as it is drawn, which is no wider than the line.
    fn drawn<'a>(style: &Style, row: &Row, at: usize, line: &'a str) -> Cow<'a, str> {
        let is_null = row.get(at).is_some_and(Option::is_none);
        if style.faint_null && is_null && !line.is_empty() { format!("\x1b[2m{line}\x1b[22m").into() } else { line.into() }
    }

    fn widths(&self, style: &Style) -> Vec<usize> {
        let longest = |text: &str| text.split('\n').map(UnicodeWidthStr::width).max().unwrap_or(0);
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| longest(name)).collect();
        for row in &self.rows {
            for (at, width) in widths.iter_mut().enumerate() {
                *width = (*width).max(longest(self.cell(style, row, at)));
            }
        }
        widths
    }

    /// Characters of a line.
    pub(super) fn width(&self, style: &Style) -> usize {
        self.widths(style).iter().map(|width| width + 3).sum::<usize>().saturating_sub(1)
    }

    fn footer(&self, style: &Style, out: &mut String) {
        match &self.footers {
            Some(lines) if !style.tuples_only => lines.iter().for_each(|line| {
                out.push_str(line);
                out.push('\n');
            }),
            None if style.footer && !style.tuples_only => {
                let count = self.rows.len();
                out.push_str(&if count == 1 { "(1 row)\n".to_owned() } else { format!("({count} rows)\n") });
            }
            _ => {}
        }
    }

    fn aligned(&self, style: &Style, out: &mut String) {
        let widths = self.widths(style);
        if !style.tuples_only {
            let names: Vec<String> = self
                .columns
                .iter()
                .zip(&widths)
                .map(|((name, _), width)| {
                    let spare = width.saturating_sub(name.width());
                    format!(" {}{name}{} ", " ".repeat(spare / 2), " ".repeat(spare - spare / 2))
                })
                .collect();
            out.push_str(&names.join("|"));
            out.push('\n');
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
            out.push_str(&rules.join("+"));
            out.push('\n');
        }
        for row in &self.rows {
            self.aligned_row(style, row, &widths, out);
        }
        self.footer(style, out);
        out.push('\n');
    }

    fn aligned_row(&self, style: &Style, row: &Row, widths: &[usize], out: &mut String) {
        let cells: Vec<Vec<&str>> = (0..widths.len()).map(|at| self.cell(style, row, at).split('\n').collect()).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            for (at, cell) in cells.iter().enumerate() {
                let text = cell.get(line).copied().unwrap_or("");
                let goes_on = line + 1 < cell.len();
                let spare = " ".repeat(widths[at].saturating_sub(text.width()));
                let last = at + 1 == widths.len();
                out.push(' ');
                if is_number(self.columns[at].1) {
                    out.push_str(&spare);
                    out.push_str(&Self::drawn(style, row, at, text));
                } else {
                    out.push_str(&Self::drawn(style, row, at, text));
                    if !last || goes_on {
                        out.push_str(&spare);
                    }
                }
                if goes_on {
                    out.push('+');
                } else if !last {
                    out.push(' ');
                }
                if !last {
                    out.push('|');
                }
            }
            out.push('\n');
        }
    }

    fn aligned_expanded(&self, style: &Style, out: &mut String) {
        if self.rows.is_empty() {
            if !style.tuples_only {
                out.push_str("(0 rows)\n");
            }
            out.push('\n');
            return;
        }
        let name_width = self.columns.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
        let value_width = self.widths_of_values(style);
        for (number, row) in self.rows.iter().enumerate() {
            if style.tuples_only {
                if number > 0 {
                    out.push('\n');
                }
            } else {
                out.push_str(&record_line(number + 1, name_width, value_width));
            }
            for (at, (name, _)) in self.columns.iter().enumerate() {
                let lines: Vec<&str> = self.cell(style, row, at).split('\n').collect();
                for (line, text) in lines.iter().enumerate() {
                    let shown = if line == 0 { name.as_str() } else { "" };
                    let spare = " ".repeat(name_width.saturating_sub(shown.width()));
                    let more = if line + 1 < lines.len() {
                        format!("{}+", " ".repeat(value_width.saturating_sub(text.width())))
                    } else {
                        String::new()
                    };
                    let drawn = Self::drawn(style, row, at, text);
                    out.push_str(format!("{shown}{spare} | {drawn}{more}").trim_end_matches(' '));
                    if text.is_empty() && more.is_empty() {
                        out.push(' ');
                    }
                    out.push('\n');
                }
            }
        }
        if let Some(lines) = self.footers.as_ref().filter(|_| !style.tuples_only) {
            lines.iter().for_each(|line| out.push_str(&format!("{line}\n")));
        }
        out.push('\n');
    }

    fn widths_of_values(&self, style: &Style) -> usize {
        let longest = |text: &str| text.split('\n').map(UnicodeWidthStr::width).max().unwrap_or(0);
        let cells = self.rows.iter().flat_map(|row| (0..self.columns.len()).map(move |at| longest(self.cell(style, row, at))));
        cells.max().unwrap_or(0)
    }

    fn unaligned(&self, style: &Style, expanded: bool, out: &mut String) {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        if expanded {
            for (number, row) in self.rows.iter().enumerate() {
                if number > 0 {
                    out.push('\n');
                }
                for (at, name) in names.iter().enumerate() {
                    out.push_str(&format!("{name}{}{}\n", style.separator, self.cell(style, row, at)));
                }
            }
            return;
        }
        if !style.tuples_only {
            out.push_str(&names.join(&style.separator));
            out.push('\n');
        }
        for row in &self.rows {
            let cells: Vec<&str> = (0..names.len()).map(|at| self.cell(style, row, at)).collect();
            out.push_str(&cells.join(&style.separator));
            out.push('\n');
        }
        self.footer(style, out);
    }

    fn csv(&self, style: &Style, out: &mut String) {
        let field = |text: &str| {
            if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
        };
        let names: Vec<String> = self.columns.iter().map(|(name, _)| field(name)).collect();
        if !style.tuples_only {
            out.push_str(&format!("{}\n", names.join(",")));
        }
        for row in &self.rows {
            let cells: Vec<String> = (0..names.len()).map(|at| field(self.cell(style, row, at))).collect();
            out.push_str(&format!("{}\n", cells.join(",")));
        }
    }
}

/// `-[ RECORD 1 ]---+-----`
fn record_line(number: usize, name_width: usize, value_width: usize) -> String {
    let label = format!("-[ RECORD {number} ]");
    let rule = format!("{}+{}", "-".repeat(name_width + 1), "-".repeat(value_width + 1));
    let rest: String = rule.chars().skip(label.len()).collect();
    format!("{label}{rest}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let text = |text: &str| Some(text.to_owned());
        Table {
            columns: vec![("id".into(), 23), ("name".into(), 25)],
            rows: vec![vec![text("1"), text("a\nbcd")], vec![text("100"), None]],
            ..Table::default()
        }
    }

    #[test]
    fn aligned_as_psql() {
        let expected = " id  | name \n-----+------\n   1 | a   +\n     | bcd\n 100 | \n(2 rows)\n\n";
        assert_eq!(table().print(&Style::default()), expected);
    }

    #[test]
    fn expanded_as_psql() {
        let faint = Style { null: "NULL".into(), faint_null: true, ..Style::default() };
        assert!(table().print(&faint).contains("| \x1b[2mNULL\x1b[22m"), "{}", table().print(&faint));
        let style = Style { expanded: true, null: "NULL".into(), ..Style::default() };
        let expected = "-[ RECORD 1 ]\nid   | 1\nname | a   +\n     | bcd\n-[ RECORD 2 ]\nid   | 100\nname | NULL\n\n";
        assert_eq!(table().print(&style), expected);
    }

    #[test]
    fn unaligned_and_csv_as_psql() {
        let style = Style { layout: Layout::Unaligned, tuples_only: true, ..Style::default() };
        assert_eq!(table().print(&style), "1|a\nbcd\n100|\n");
        let style = Style { layout: Layout::Csv, ..Style::default() };
        assert_eq!(table().print(&style), "id,name\n1,\"a\nbcd\"\n100,\n");
    }
}
