//! Names for the items of FROM and their columns, under which everything printed means what it did (set_deparse_for_query).
//!
//! An item is called by its alias, else by what its relation is called now; names that would hide another of the query or of the queries
//! around it get a number. Columns go by their names of now unless those would clash with a merged column's.

use std::collections::HashMap;

use catalog::type_names::{NamedRelation, Names};
use types::Oid;

use super::Printer;
use crate::analysed::{AnalysedQuery, ItemJoin, ItemSource, LevelId, RangeItem};

/// PostgreSQL's limit on names, in bytes.
const LONGEST_NAME: usize = 63;

/// The names of one level.
pub(super) struct LevelNames {
    level: LevelId,
    /// By item; an unnamed join has none.
    pub(super) items: Vec<Option<String>>,
    pub(super) columns: Vec<ColumnNames>,
    /// Merged columns must differ across the whole level.
    unique_using: bool,
    using: Vec<String>,
}

/// The names of one item's columns.
#[derive(Default)]
pub(super) struct ColumnNames {
    /// By column; None until chosen, or when the column has been dropped.
    pub(super) names: Vec<Option<String>>,
    /// The names of merged columns (joins only).
    pub(super) using: Vec<String>,
    /// Merged columns of the joins above, which the item's other columns may not be called like.
    parent_using: Vec<String>,
    /// What a list of column aliases holds.
    pub(super) listed: Vec<String>,
    /// Whether that list must be printed.
    pub(super) prints_list: bool,
}

impl LevelNames {
    /// Chooses the names of a level; `reserved` are names that nothing may have.
    pub(super) fn choose(query: &AnalysedQuery, reserved: &[&str], around: &[LevelNames], names: &Names) -> LevelNames {
        let mut used: HashMap<String, u32> = reserved.iter().map(|name| (name.to_string(), 0)).collect();
        used.extend(around.iter().flat_map(|level| level.items.iter().flatten()).map(|name| (name.clone(), 0)));
        let items = query.items.iter().map(|item| item_name(item, names).map(|name| unique_item_name(name, &mut used))).collect();
        let columns = query.items.iter().map(|_| ColumnNames::default()).collect();
        let unique_using = query.items.iter().any(|item| match &item.source {
            ItemSource::Join(join) => item.alias.is_none() && join.computes,
            _ => false,
        });
        let mut level = LevelNames { level: query.level, items, columns, unique_using, using: Vec::new() };
        for item in &query.from {
            level.choose_merged(query, *item, &[]);
        }
        for at in 0..query.items.len() {
            match &query.items[at].source {
                ItemSource::Join(join) => level.choose_join_columns(query, at, join),
                ItemSource::Relation { oid, .. } if query.items[at].columns.iter().any(|column| column.attribute.is_some()) => {
                    level.choose_relation_columns(&query.items[at], at, *oid, names);
                }
                _ => level.choose_columns(&query.items[at], at),
            }
        }
        level
    }

    fn push_down(&mut self, item: usize, column: usize, name: &str) {
        let names = &mut self.columns[item].names;
        if names.len() <= column {
            names.resize(column + 1, None);
        }
        names[column] = Some(name.to_owned());
    }

    /// Chooses the names of columns that USING merges, from the outermost join in (set_using_names).
    fn choose_merged(&mut self, query: &AnalysedQuery, at: usize, parent_using: &[String]) {
        let item = &query.items[at];
        let ItemSource::Join(join) = &item.source else { return };
        let sides = |level: &mut LevelNames, column: usize, name: &str| {
            if let Some((left, right)) = join.columns.get(column) {
                left.iter().for_each(|left| level.push_down(join.left, *left, name));
                right.iter().for_each(|right| level.push_down(join.right, *right, name));
            }
        };
        if item.alias.is_none() {
            for (column, name) in self.columns[at].names.clone().into_iter().enumerate() {
                name.iter().for_each(|name| sides(self, column, name));
            }
        }
        let mut parent_using = parent_using.to_vec();
        for (column, written) in join.using.iter().enumerate() {
            let name = match self.columns[at].names.get(column).cloned().flatten() {
                Some(pushed) => pushed,
                None => {
                    let name = item.column_aliases.get(column).unwrap_or(written);
                    let name = self.unique_column_name(name, at);
                    if self.unique_using {
                        self.using.push(name.clone());
                    }
                    self.push_down(at, column, &name);
                    name
                }
            };
            self.columns[at].using.push(name.clone());
            sides(self, column, &name);
            parent_using.push(name);
        }
        for side in [join.left, join.right] {
            self.columns[side].parent_using.clone_from(&parent_using);
        }
        for side in [join.left, join.right] {
            self.choose_merged(query, side, &parent_using);
        }
    }

    fn choose_join_columns(&mut self, query: &AnalysedQuery, at: usize, join: &ItemJoin) {
        let item = &query.items[at];
        self.columns[at].names.resize(item.columns.len(), None);
        let mut changed = false;
        for column in join.using.len()..item.columns.len() {
            let (left, right) = join.columns.get(column).copied().unwrap_or_default();
            let below = match (left, right) {
                (Some(left), _) => self.columns[join.left].names.get(left).cloned().flatten(),
                (None, Some(right)) => self.columns[join.right].names.get(right).cloned().flatten(),
                (None, None) => None,
            };
            let Some(below) = below else {
                self.columns[at].names[column] = None;
                continue;
            };
            if item.alias.is_none() {
                self.columns[at].names[column] = Some(below);
                continue;
            }
            let name = match self.columns[at].names[column].clone() {
                Some(name) => name,
                None => self.unique_column_name(item.column_aliases.get(column).map_or(&below, |alias| alias), at),
            };
            changed |= name != below;
            self.columns[at].names[column] = Some(name);
        }
        let columns = &mut self.columns[at];
        columns.listed = columns.names.iter().flatten().cloned().collect();
        columns.prints_list = item.alias.is_some() && changed;
    }

    /// A relation's columns by their names of now.
    fn choose_relation_columns(&mut self, item: &RangeItem, at: usize, relation: Oid, names: &Names) {
        self.columns[at].names.resize(item.columns.len(), None);
        let mut changed = false;
        for (position, real) in attribute_names(names, relation) {
            let column = item.columns.iter().position(|column| column.attribute == Some(position));
            let chosen = column.and_then(|column| self.columns[at].names[column].clone());
            let name = match chosen {
                Some(name) => name,
                None => {
                    let alias = column.and_then(|column| item.column_aliases.get(column));
                    self.unique_column_name(alias.map_or(real.as_str(), |alias| alias), at)
                }
            };
            changed |= name != real;
            if let Some(column) = column {
                self.columns[at].names[column] = Some(name.clone());
            }
            self.columns[at].listed.push(name);
        }
        self.columns[at].prints_list = changed;
    }

    fn choose_columns(&mut self, item: &RangeItem, at: usize) {
        self.columns[at].names.resize(item.columns.len(), None);
        let mut changed = false;
        for (column, real) in item.columns.iter().enumerate() {
            let name = match self.columns[at].names[column].clone() {
                Some(name) => name,
                None => self.unique_column_name(&real.name, at),
            };
            changed |= *name != *real.name;
            self.columns[at].names[column] = Some(name.clone());
            self.columns[at].listed.push(name);
        }
        let is_function = matches!(item.source, ItemSource::Functions { .. });
        self.columns[at].prints_list = is_function || !item.column_aliases.is_empty() || changed;
    }

    fn unique_column_name(&self, wanted: &str, at: usize) -> String {
        let columns = &self.columns[at];
        let is_free = |name: &str| {
            !columns.names.iter().flatten().any(|known| known == name)
                && !columns.listed.iter().any(|known| known == name)
                && !self.using.iter().any(|known| known == name)
                && !columns.parent_using.iter().any(|known| known == name)
        };
        if is_free(wanted) {
            return wanted.to_owned();
        }
        (1..).map(|number| numbered(wanted, number)).find(|name| is_free(name)).unwrap_or_default()
    }
}

fn item_name(item: &RangeItem, names: &Names) -> Option<String> {
    match (&item.alias, &item.source) {
        (_, ItemSource::Hidden) => None,
        (Some(alias), _) => Some(alias.to_string()),
        (None, ItemSource::Relation { oid, .. }) => Some(names.relation(*oid)?.name().to_owned()),
        (None, ItemSource::Join(_)) => None,
        (None, _) => Some(item.name.to_string()),
    }
}

fn unique_item_name(wanted: String, used: &mut HashMap<String, u32>) -> String {
    let Some(count) = used.get(&wanted).copied() else {
        used.insert(wanted.clone(), 0);
        return wanted;
    };
    let free = (count + 1..).map(|number| (number, numbered(&wanted, number))).find(|(_, name)| !used.contains_key(name));
    let (number, name) = free.expect("numbers do not end before names do");
    used.insert(wanted, number);
    used.insert(name.clone(), 0);
    name
}

/// A name with a number behind it, shortened so that it stays a name.
fn numbered(name: &str, number: u32) -> String {
    let suffix = format!("_{number}");
    let mut kept = name.len().min(LONGEST_NAME.saturating_sub(suffix.len()));
    while !name.is_char_boundary(kept) {
        kept -= 1;
    }
    format!("{}{suffix}", &name[..kept])
}

/// The live attributes of a relation, with their positions.
fn attribute_names(names: &Names, relation: Oid) -> Vec<(usize, String)> {
    match names.relation(relation) {
        Some(NamedRelation::User(relation)) => {
            relation.live_attributes().map(|(position, attribute)| (position, attribute.name.to_string())).collect()
        }
        Some(NamedRelation::System(relation)) => {
            relation.columns.iter().enumerate().map(|(position, column)| (position, column.name.to_owned())).collect()
        }
        None => Vec::new(),
    }
}

impl Printer<'_> {
    pub(super) fn level_names(&self, level: LevelId) -> Option<&LevelNames> {
        self.levels.iter().rev().find(|names| names.level == level)
    }

    /// `item.`, unless the item is a join without a name.
    pub(super) fn item_prefix(&mut self, level: LevelId, item: usize) {
        let name = self.level_names(level).and_then(|names| names.items.get(item)?.clone());
        if let Some(name) = name {
            self.push_identifier(&name);
            self.push(".");
        }
    }

    pub(super) fn item_column_name(&self, level: LevelId, item: usize, column: usize) -> Option<String> {
        self.level_names(level)?.columns.get(item)?.names.get(column)?.clone()
    }

    pub(super) fn item_column(&mut self, level: LevelId, item: usize, column: usize) {
        self.item_prefix(level, item);
        match self.item_column_name(level, item, column) {
            Some(name) => self.push_identifier(&name),
            None => self.push("\"?dropped?column?\""),
        }
    }
}
