//! Gathering and joining columns, a vector at a time.

use types::Datum;

use super::{
    Column, ColumnData,
    data::{for_kind, for_kinds},
};
use crate::Bitmap;

impl From<Vec<Datum>> for ColumnData {
    fn from(values: Vec<Datum>) -> ColumnData {
        ColumnData::Any(values)
    }
}

#[expect(clippy::clone_on_copy, reason = "one arm serves all fixed types, of which numeric is not Copy")]
impl Column {
    /// The rows at these positions, in this order.
    pub fn take(&self, rows: &[u32]) -> Column {
        let data = for_kind!(&self.data,
            fixed(values) => ColumnData::from(rows.iter().map(|&row| values[row as usize].clone()).collect::<Vec<_>>()),
            var(values) => self.data.with_var_len(values.take(rows)),
            any(values) => ColumnData::Any(rows.iter().map(|&row| values[row as usize].clone()).collect()),
        );
        Column { data, validity: self.validity.as_ref().map(|bits| bits.take(rows)) }
    }

    /// Like [`Column::take`], with NULL where the position is None: the outer side of a join.
    pub fn take_optional(&self, rows: &[Option<u32>]) -> Column {
        let data = for_kind!(&self.data,
            fixed(values) => {
                let value = |row: &Option<u32>| row.map_or_else(Default::default, |row| values[row as usize].clone());
                ColumnData::from(rows.iter().map(value).collect::<Vec<_>>())
            },
            var(values) => self.data.with_var_len(values.take_optional(rows)),
            any(values) => {
                ColumnData::Any(rows.iter().map(|row| row.map_or(Datum::Null, |row| values[row as usize].clone())).collect())
            },
        );
        let validity: Bitmap = rows.iter().map(|row| row.is_some_and(|row| !self.is_null(row as usize))).collect();
        Column { data, validity: (!validity.all_set()).then_some(validity) }
    }

    pub fn slice(&self, start: usize, len: usize) -> Column {
        let data = for_kind!(&self.data,
            fixed(values) => ColumnData::from(values[start..start + len].to_vec()),
            var(values) => self.data.with_var_len(values.slice(start, len)),
            any(values) => ColumnData::Any(values[start..start + len].to_vec()),
        );
        let validity = self.validity.as_ref().map(|bits| {
            let mut part = Bitmap::default();
            part.append_range(bits, start, len);
            part
        });
        Column { data, validity }
    }

    pub fn append(&mut self, other: &Column) {
        self.append_range(other, 0, other.len());
    }

    /// Appends the rows `start..start + count` of another column.
    pub fn append_range(&mut self, other: &Column, start: usize, count: usize) {
        let before = self.len();
        for_kinds!(&mut self.data, &other.data,
            fixed(values, more) => values.extend_from_slice(&more[start..start + count]),
            var(values, more) => values.append_range(more, start, count),
            any(values, more) => values.extend_from_slice(&more[start..start + count]),
        );
        match (&mut self.validity, &other.validity) {
            (None, None) => {}
            (Some(bits), None) => bits.extend_filled(count, true),
            (bits, Some(more)) => bits.get_or_insert_with(|| Bitmap::filled(before, true)).append_range(more, start, count),
        }
    }

    /// Appends the rows at these positions of another column, in this order.
    pub fn append_taken(&mut self, other: &Column, rows: &[u32]) {
        let before = self.len();
        for_kinds!(&mut self.data, &other.data,
            fixed(values, more) => values.extend(rows.iter().map(|&row| more[row as usize].clone())),
            var(values, more) => values.append_taken(more, rows),
            any(values, more) => values.extend(rows.iter().map(|&row| more[row as usize].clone())),
        );
        match (&mut self.validity, &other.validity) {
            (None, None) => {}
            (Some(bits), None) => bits.extend_filled(rows.len(), true),
            (bits, Some(more)) => {
                let bits = bits.get_or_insert_with(|| Bitmap::filled(before, true));
                rows.iter().for_each(|&row| bits.push(more.get(row as usize)));
            }
        }
    }

    /// Appends one row of another column.
    pub fn push_from(&mut self, other: &Column, row: usize) {
        for_kinds!(&mut self.data, &other.data,
            fixed(values, more) => values.push(more[row].clone()),
            var(values, more) => values.push(more.get(row)),
            any(values, more) => values.push(more[row].clone()),
        );
        self.push_validity(!other.is_null(row));
    }

    /// Appends `count` NULLs.
    pub fn append_nulls(&mut self, count: usize) {
        let before = self.len();
        self.data.extend_default(count);
        if count > 0 {
            self.validity.get_or_insert_with(|| Bitmap::filled(before, true)).extend_filled(count, false);
        }
    }

    /// Appends `count` arbitrary values that are not NULL.
    pub(crate) fn append_fillers(&mut self, count: usize) {
        self.data.extend_default(count);
        if let Some(bits) = &mut self.validity {
            bits.extend_filled(count, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::Physical;

    use super::*;

    fn column(physical: Physical, values: &[Option<i64>]) -> Column {
        let datum = |value: &Option<i64>| match (value, physical) {
            (None, _) => Datum::Null,
            (Some(value), Physical::Int8) => Datum::Int8(*value),
            (Some(value), Physical::Bytes) => Datum::bytes(&value.to_be_bytes()[..*value as usize % 9]),
            (Some(value), Physical::Text) => Datum::text(&value.to_string().repeat(*value as usize % 90)),
            (Some(value), _) => Datum::text(&value.to_string()),
        };
        Column::from_datums(physical, &values.iter().map(datum).collect::<Vec<_>>())
    }

    fn shown(column: &Column) -> Vec<String> {
        assert!(column.validity().is_none_or(|bits| bits.len() == column.len()));
        (0..column.len()).map(|row| format!("{:?}", column.datum(row))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn gathering_is_the_same_row_by_row(
            values in prop::collection::vec(prop::option::weighted(0.8, 0..1000i64), 1..300),
            nullable in any::<bool>(),
            picks in prop::collection::vec(prop::option::weighted(0.8, any::<u32>()), 0..200),
            cut in any::<usize>(),
        ) {
            for physical in [Physical::Int8, Physical::Text, Physical::Bytes, Physical::Any] {
                let values: Vec<Option<i64>> = values.iter().map(|value| if nullable { *value } else { Some(value.unwrap_or(3)) }).collect();
                let mut source = column(physical, &values);
                if cut % 2 == 0 {
                    source.shrink();
                }
                let rows = shown(&source);
                let optional: Vec<Option<u32>> = picks.iter().map(|pick| pick.map(|pick| pick % values.len() as u32)).collect();
                let taken: Vec<u32> = optional.iter().copied().flatten().collect();
                let picked: Vec<String> = taken.iter().map(|&row| rows[row as usize].clone()).collect();
                prop_assert_eq!(shown(&source.take(&taken)), picked.clone());
                let with_nulls: Vec<String> =
                    optional.iter().map(|row| row.map_or("Null".to_owned(), |row| rows[row as usize].clone())).collect();
                prop_assert_eq!(shown(&source.take_optional(&optional)), with_nulls);
                let (start, len) = (cut % values.len(), (values.len() - cut % values.len()) / 2);
                prop_assert_eq!(shown(&source.slice(start, len)), rows[start..start + len].to_vec());

                let mut joined = source.clone();
                let mut expected = rows.clone();
                joined.append_range(&source, start, len);
                expected.extend_from_slice(&rows[start..start + len]);
                joined.append_taken(&source, &taken);
                expected.extend(picked);
                joined.append_nulls(2);
                expected.extend(["Null".to_owned(), "Null".to_owned()]);
                joined.push_from(&source, start);
                expected.push(rows[start].clone());
                joined.append(&source);
                expected.extend(rows.clone());
                prop_assert_eq!(shown(&joined), expected);
                prop_assert_eq!(shown(&source), rows);
            }
        }
    }

    #[test]
    fn repeated_values() {
        for datum in [Datum::Int4(7), Datum::Null] {
            let repeated = Column::repeat(Physical::Int4, &datum, 70);
            assert_eq!(shown(&repeated), vec![format!("{datum:?}"); 70]);
        }
        let mut repeated = Column::repeat(Physical::Text, &Datum::text("abc"), 3);
        repeated.set(1, &Datum::Null);
        repeated.push(&Datum::text("d"));
        assert_eq!(shown(&repeated), ["Text(\"abc\")", "Null", "Text(\"abc\")", "Text(\"d\")"]);
        assert_eq!(Column::repeat(Physical::Any, &Datum::text("a"), 2).len(), 2);
    }
}
