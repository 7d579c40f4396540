//! Lock modes and PostgreSQL's tables of which conflict with which.

/// Row lock strengths and PostgreSQL's eight table lock modes. Keys are locked with `Update`; advisory locks with `ShareTable` and
/// `Exclusive`, as PostgreSQL shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    ShareTable,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

/// A set of modes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModeSet(u16);

impl ModeSet {
    pub(crate) const EMPTY: ModeSet = ModeSet(0);

    pub(crate) fn of(mode: LockMode) -> ModeSet {
        ModeSet(mode.bit())
    }

    pub(crate) fn insert(&mut self, mode: LockMode) {
        self.0 |= mode.bit();
    }

    pub(crate) fn remove(&mut self, mode: LockMode) {
        self.0 &= !mode.bit();
    }

    pub(crate) fn contains(self, mode: LockMode) -> bool {
        self.0 & mode.bit() != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn conflicts_with(self, mode: LockMode) -> bool {
        self.0 & mode.conflicts() != 0
    }

    /// Whether holding these makes asking for the mode pointless: it is among them, or it is a weaker strength of row lock.
    pub(crate) fn covers(self, mode: LockMode) -> bool {
        let row_strengths = LockMode::Update.bit() * 2 - 1;
        let asked = if mode.bit() <= LockMode::Update.bit() { row_strengths & !(mode.bit() - 1) } else { mode.bit() };
        self.0 & asked != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = LockMode> {
        LockMode::ALL.into_iter().filter(move |&mode| self.contains(mode))
    }
}

impl LockMode {
    const ALL: [LockMode; 12] = {
        use LockMode::*;
        [
            KeyShare,
            Share,
            NoKeyUpdate,
            Update,
            AccessShare,
            RowShare,
            RowExclusive,
            ShareUpdateExclusive,
            ShareTable,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
        ]
    };

    const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// The modes that this one excludes when another transaction holds them; the relation is symmetric.
    const fn conflicts(self) -> u16 {
        use LockMode::*;
        const fn any(modes: &[LockMode]) -> u16 {
            let (mut bits, mut position) = (0, 0);
            while position < modes.len() {
                bits |= modes[position].bit();
                position += 1;
            }
            bits
        }
        const FROM_SHARE_ROW_EXCLUSIVE: u16 = any(&[ShareRowExclusive, Exclusive, AccessExclusive]);
        match self {
            KeyShare => any(&[Update]),
            Share => any(&[NoKeyUpdate, Update]),
            NoKeyUpdate => any(&[Share, NoKeyUpdate, Update]),
            Update => any(&[KeyShare, Share, NoKeyUpdate, Update]),
            AccessShare => any(&[AccessExclusive]),
            RowShare => any(&[Exclusive, AccessExclusive]),
            RowExclusive => any(&[ShareTable]) | FROM_SHARE_ROW_EXCLUSIVE,
            ShareUpdateExclusive => any(&[ShareUpdateExclusive, ShareTable]) | FROM_SHARE_ROW_EXCLUSIVE,
            ShareTable => any(&[RowExclusive, ShareUpdateExclusive]) | FROM_SHARE_ROW_EXCLUSIVE,
            ShareRowExclusive => any(&[RowExclusive, ShareUpdateExclusive, ShareTable]) | FROM_SHARE_ROW_EXCLUSIVE,
            Exclusive => any(&[RowShare, RowExclusive, ShareUpdateExclusive, ShareTable]) | FROM_SHARE_ROW_EXCLUSIVE,
            AccessExclusive => {
                any(&[AccessShare, RowShare, RowExclusive, ShareUpdateExclusive, ShareTable]) | FROM_SHARE_ROW_EXCLUSIVE
            }
        }
    }

    pub fn conflicts_with(self, other: LockMode) -> bool {
        self.conflicts() & other.bit() != 0
    }

    /// What pg_locks.mode shows, and deadlock reports.
    pub fn name(self) -> &'static str {
        match self {
            LockMode::KeyShare | LockMode::Share | LockMode::NoKeyUpdate | LockMode::Update => "ExclusiveLock",
            LockMode::AccessShare => "AccessShareLock",
            LockMode::RowShare => "RowShareLock",
            LockMode::RowExclusive => "RowExclusiveLock",
            LockMode::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            LockMode::ShareTable => "ShareLock",
            LockMode::ShareRowExclusive => "ShareRowExclusiveLock",
            LockMode::Exclusive => "ExclusiveLock",
            LockMode::AccessExclusive => "AccessExclusiveLock",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_symmetric_and_stay_among_rows_and_tables() {
        for one in LockMode::ALL {
            for other in LockMode::ALL {
                assert_eq!(one.conflicts_with(other), other.conflicts_with(one), "{one:?} {other:?}");
                if (one <= LockMode::Update) != (other <= LockMode::Update) {
                    assert!(!one.conflicts_with(other));
                }
            }
        }
        // PostgreSQL's documentation, table 13.2: how many modes each table mode conflicts with.
        let counts = LockMode::ALL[4..].iter().map(|mode| mode.conflicts().count_ones()).collect::<Vec<_>>();
        assert_eq!(counts, [1, 2, 4, 5, 5, 6, 7, 8]);
    }

    #[test]
    fn a_stronger_row_lock_covers_a_weaker_one() {
        assert!(ModeSet::of(LockMode::Update).covers(LockMode::KeyShare));
        assert!(!ModeSet::of(LockMode::KeyShare).covers(LockMode::Share));
        assert!(ModeSet::of(LockMode::Share).covers(LockMode::Share));
        assert!(!ModeSet::of(LockMode::AccessExclusive).covers(LockMode::AccessShare));
    }
}
