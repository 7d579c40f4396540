//! What a lock is on: the public name, and the 16 bytes that the lock table keeps of it.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use storage::{IndexId, RowId, TableId, TxnId};
use types::Oid;

/// What a lock is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LockTag {
    Row(TableId, RowId),
    /// A unique key's bytes.
    Key(IndexId, Box<[u8]>),
    Relation(Oid),
    /// Advisory lock: key and whether it was given as two ints.
    Advisory {
        high: u32,
        low: u32,
        two_keys: bool,
    },
    Transaction(TxnId),
    /// A name within a schema, so that two transactions do not both create it.
    Name(Oid, Box<str>),
}

/// What a lock is on, as listings show it: the bytes of keys and names are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockTarget {
    Row(TableId, RowId),
    Key(IndexId),
    Relation(Oid),
    Advisory { high: u32, low: u32, two_keys: bool },
    Transaction(TxnId),
    Name(Oid),
}

/// What the lock table keeps. Keys and names are kept as hashes: should two ever collide, one waits for the other for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tag {
    kind: Kind,
    object: u32,
    value: u64,
}

/// What the lock table keeps of a unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyHash(u64);

/// In the order in which a commit asks for locks of several kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Relation,
    Row,
    Key,
    AdvisoryOne,
    AdvisoryTwo,
    Transaction,
    Name,
}

const HASHER: FixedState = FixedState::with_seed(0x6865_6c69_6f73);

impl KeyHash {
    pub(crate) fn of(key: &[u8]) -> KeyHash {
        KeyHash(HASHER.hash_one(key))
    }

    /// Where in `0..len` the hash lies when all that are possible are spread over it.
    pub(super) fn part_of(self, len: usize) -> usize {
        ((u128::from(self.0) * len as u128) >> 64) as usize
    }
}

impl Tag {
    pub(crate) fn row(table: TableId, row: RowId) -> Tag {
        Tag { kind: Kind::Row, object: table.0, value: row.0 }
    }

    pub(crate) fn key(index: IndexId, key: &[u8]) -> Tag {
        Tag { kind: Kind::Key, object: index.0, value: KeyHash::of(key).0 }
    }

    pub(crate) fn relation(relation: Oid) -> Tag {
        Tag { kind: Kind::Relation, object: relation.0, value: 0 }
    }

    pub(crate) fn hash(self) -> u64 {
        HASHER.hash_one((self.kind as u32 ^ self.object.rotate_left(8), self.value))
    }

    pub(crate) fn is_advisory(self) -> bool {
        matches!(self.kind, Kind::AdvisoryOne | Kind::AdvisoryTwo)
    }

    /// The unique key that the tag is on.
    pub(super) fn as_key(self) -> Option<(IndexId, KeyHash)> {
        (self.kind == Kind::Key).then_some((IndexId(self.object), KeyHash(self.value)))
    }

    /// The row that the tag is on.
    pub(crate) fn as_row(self) -> Option<(TableId, RowId)> {
        (self.kind == Kind::Row).then_some((TableId(self.object), RowId(self.value)))
    }

    pub(crate) fn target(self) -> LockTarget {
        let (high, low) = ((self.value >> 32) as u32, self.value as u32);
        match self.kind {
            Kind::Row => LockTarget::Row(TableId(self.object), RowId(self.value)),
            Kind::Key => LockTarget::Key(IndexId(self.object)),
            Kind::Relation => LockTarget::Relation(Oid(self.object)),
            Kind::AdvisoryOne => LockTarget::Advisory { high, low, two_keys: false },
            Kind::AdvisoryTwo => LockTarget::Advisory { high, low, two_keys: true },
            Kind::Transaction => LockTarget::Transaction(TxnId(self.value)),
            Kind::Name => LockTarget::Name(Oid(self.object)),
        }
    }
}

impl From<&LockTag> for Tag {
    fn from(tag: &LockTag) -> Tag {
        match tag {
            LockTag::Row(table, row) => Tag::row(*table, *row),
            LockTag::Key(index, key) => Tag::key(*index, key),
            LockTag::Relation(relation) => Tag::relation(*relation),
            LockTag::Advisory { high, low, two_keys } => Tag {
                kind: if *two_keys { Kind::AdvisoryTwo } else { Kind::AdvisoryOne },
                object: 0,
                value: u64::from(*high) << 32 | u64::from(*low),
            },
            LockTag::Transaction(id) => Tag { kind: Kind::Transaction, object: 0, value: id.0 },
            LockTag::Name(schema, name) => Tag { kind: Kind::Name, object: schema.0, value: HASHER.hash_one(&**name) },
        }
    }
}
