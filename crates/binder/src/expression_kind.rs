//! Where an expression stands: decides what it may contain and what the error says otherwise.

/// PostgreSQL's ParseExprKind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionKind {
    JoinOn,
    FromSubselect,
    FromFunction,
    Where,
    Having,
    Filter,
    WindowPartition,
    WindowOrder,
    WindowFrameRange,
    WindowFrameRows,
    WindowFrameGroups,
    SelectTarget,
    InsertTarget,
    UpdateSource,
    GroupBy,
    OrderBy,
    DistinctOn,
    Limit,
    Offset,
    Returning,
    Values,
    ValuesSingle,
    CheckConstraint,
    DomainCheck,
    ColumnDefault,
    IndexExpression,
    IndexPredicate,
    AlterColumnTransform,
    ExecuteParameter,
    GeneratedColumn,
    CallArgument,
    PolicyCheck,
    TriggerWhen,
    CopyWhere,
    /// An expression of no clause: evaluated by itself.
    Other,
}

/// What is not allowed somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Construct {
    Aggregate,
    Grouping,
    Window,
    SetReturning,
}

impl ExpressionKind {
    /// The clause as `aggregate functions are not allowed in WHERE` names it (ParseExprKindName).
    pub(crate) fn clause(self) -> &'static str {
        match self {
            ExpressionKind::JoinOn => "JOIN/ON",
            ExpressionKind::FromSubselect => "sub-SELECT in FROM",
            ExpressionKind::FromFunction => "function in FROM",
            ExpressionKind::Where => "WHERE",
            ExpressionKind::PolicyCheck => "POLICY",
            ExpressionKind::Having => "HAVING",
            ExpressionKind::Filter => "FILTER",
            ExpressionKind::WindowPartition => "window PARTITION BY",
            ExpressionKind::WindowOrder => "window ORDER BY",
            ExpressionKind::WindowFrameRange => "window RANGE",
            ExpressionKind::WindowFrameRows => "window ROWS",
            ExpressionKind::WindowFrameGroups => "window GROUPS",
            ExpressionKind::SelectTarget => "SELECT",
            ExpressionKind::InsertTarget => "INSERT",
            ExpressionKind::UpdateSource => "UPDATE",
            ExpressionKind::GroupBy => "GROUP BY",
            ExpressionKind::OrderBy => "ORDER BY",
            ExpressionKind::DistinctOn => "DISTINCT ON",
            ExpressionKind::Limit => "LIMIT",
            ExpressionKind::Offset => "OFFSET",
            ExpressionKind::Returning => "RETURNING",
            ExpressionKind::Values | ExpressionKind::ValuesSingle => "VALUES",
            ExpressionKind::CheckConstraint | ExpressionKind::DomainCheck => "CHECK",
            ExpressionKind::ColumnDefault => "DEFAULT",
            ExpressionKind::IndexExpression => "index expression",
            ExpressionKind::IndexPredicate => "index predicate",
            ExpressionKind::AlterColumnTransform => "USING",
            ExpressionKind::ExecuteParameter => "EXECUTE",
            ExpressionKind::TriggerWhen => "WHEN",
            ExpressionKind::CallArgument => "CALL",
            ExpressionKind::CopyWhere => "WHERE",
            ExpressionKind::GeneratedColumn => "GENERATED AS",
            ExpressionKind::Other => "expression",
        }
    }

    /// The place in a sentence: "check constraints", "DEFAULT expressions", or None for "in WHERE" by [`Self::clause`].
    fn sentence(self) -> Option<&'static str> {
        Some(match self {
            ExpressionKind::CheckConstraint | ExpressionKind::DomainCheck => "check constraints",
            ExpressionKind::ColumnDefault => "DEFAULT expressions",
            ExpressionKind::IndexExpression => "index expressions",
            ExpressionKind::IndexPredicate => "index predicates",
            ExpressionKind::AlterColumnTransform => "transform expressions",
            ExpressionKind::ExecuteParameter => "EXECUTE parameters",
            ExpressionKind::TriggerWhen => "trigger WHEN conditions",
            ExpressionKind::GeneratedColumn => "column generation expressions",
            ExpressionKind::CallArgument => "CALL arguments",
            ExpressionKind::CopyWhere => "COPY FROM WHERE conditions",
            ExpressionKind::PolicyCheck => "policy expressions",
            ExpressionKind::JoinOn => "JOIN conditions",
            ExpressionKind::FromFunction => "functions in FROM",
            ExpressionKind::WindowPartition | ExpressionKind::WindowOrder => "window definitions",
            _ => return None,
        })
    }

    /// The message when a construct may not stand here, None when it may.
    pub(crate) fn refusal(self, construct: Construct) -> Option<String> {
        use ExpressionKind as K;
        match construct {
            Construct::Aggregate | Construct::Grouping => {
                let what = if construct == Construct::Aggregate { "aggregate functions" } else { "grouping operations" };
                let place = match self {
                    K::SelectTarget | K::Having | K::OrderBy | K::DistinctOn | K::WindowPartition | K::WindowOrder | K::Other => {
                        return None;
                    }
                    K::FromSubselect => "FROM clause of their own query level".to_string(),
                    K::WindowFrameRange => "window RANGE".to_string(),
                    K::WindowFrameRows => "window ROWS".to_string(),
                    K::WindowFrameGroups => "window GROUPS".to_string(),
                    _ => self.sentence().map_or_else(|| self.clause().to_string(), str::to_string),
                };
                Some(format!("{what} are not allowed in {place}"))
            }
            Construct::Window => {
                let place = match self {
                    K::SelectTarget | K::OrderBy | K::DistinctOn | K::Other => return None,
                    _ => self.sentence().unwrap_or_else(|| self.clause()),
                };
                Some(format!("window functions are not allowed in {place}"))
            }
            Construct::SetReturning => {
                let place = match self {
                    K::SelectTarget
                    | K::OrderBy
                    | K::DistinctOn
                    | K::GroupBy
                    | K::FromFunction
                    | K::InsertTarget
                    | K::ValuesSingle
                    | K::Other => return None,
                    _ => self.sentence().unwrap_or_else(|| self.clause()),
                };
                Some(format!("set-returning functions are not allowed in {place}"))
            }
        }
    }

    /// The message when a subquery may not stand here.
    pub(crate) fn subquery_refusal(self) -> Option<&'static str> {
        Some(match self {
            ExpressionKind::CheckConstraint | ExpressionKind::DomainCheck => "cannot use subquery in check constraint",
            ExpressionKind::ColumnDefault => "cannot use subquery in DEFAULT expression",
            ExpressionKind::IndexExpression => "cannot use subquery in index expression",
            ExpressionKind::IndexPredicate => "cannot use subquery in index predicate",
            ExpressionKind::AlterColumnTransform => "cannot use subquery in transform expression",
            ExpressionKind::ExecuteParameter => "cannot use subquery in EXECUTE parameter",
            ExpressionKind::TriggerWhen => "cannot use subquery in trigger WHEN condition",
            ExpressionKind::CallArgument => "cannot use subquery in CALL argument",
            ExpressionKind::CopyWhere => "cannot use subquery in COPY FROM WHERE condition",
            ExpressionKind::GeneratedColumn => "cannot use subquery in column generation expression",
            _ => return None,
        })
    }

    /// The message when columns may not be mentioned here.
    pub(crate) fn column_refusal(self) -> Option<&'static str> {
        match self {
            ExpressionKind::ColumnDefault => Some("cannot use column reference in DEFAULT expression"),
            _ => None,
        }
    }
}
