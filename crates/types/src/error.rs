//! The error every layer speaks: PostgreSQL's error fields with a SQLSTATE.
//!
//! Messages follow PostgreSQL's wording exactly where it has one, because clients and their test suites match on it.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error as it reaches a client (PostgreSQL: "Error and Notice Message Fields"). Boxed, so that `Result` stays small.
#[derive(Clone, Debug)]
pub struct Error(Box<ErrorFields>);

#[derive(Clone, Debug)]
pub struct ErrorFields {
    pub sqlstate: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// 1-based position in characters in the text of the statement.
    pub position: Option<usize>,
    pub internal_position: Option<usize>,
    pub internal_query: Option<String>,
    pub context: Option<String>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub data_type: Option<String>,
    pub constraint: Option<String>,
    /// PostgreSQL's function that reports it, for the few errors that drivers know by it.
    pub routine: Option<&'static str>,
}

impl Error {
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> Error {
        Error(Box::new(ErrorFields {
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            internal_position: None,
            internal_query: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            data_type: None,
            constraint: None,
            routine: None,
        }))
    }

    /// 0A000: something PostgreSQL has and this product does not have yet. `what` names it: "LISTEN", "type point".
    pub fn unsupported(what: impl fmt::Display) -> Error {
        Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported yet"))
    }

    /// XX000: a broken invariant of ours. Reaching it from user SQL is a bug.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(SqlState::INTERNAL_ERROR, message)
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Error {
        self.0.detail = Some(detail.into());
        self
    }

    /// Names the function of PostgreSQL that reports this, which some drivers ask for.
    pub fn routine(mut self, routine: &'static str) -> Error {
        self.0.routine = Some(routine);
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Error {
        self.0.context = Some(context.into());
        self
    }

    /// Sets the position unless a more precise one is known already.
    #[must_use]
    pub fn at(mut self, position: Option<usize>) -> Error {
        self.0.position = self.0.position.or(position);
        self
    }

    #[must_use]
    pub fn in_table(mut self, schema: impl Into<String>, table: impl Into<String>) -> Error {
        self.0.schema = Some(schema.into());
        self.0.table = Some(table.into());
        self
    }

    #[must_use]
    pub fn in_column(mut self, column: impl Into<String>) -> Error {
        self.0.column = Some(column.into());
        self
    }

    #[must_use]
    pub fn of_constraint(mut self, constraint: impl Into<String>) -> Error {
        self.0.constraint = Some(constraint.into());
        self
    }

    pub fn sqlstate(&self) -> SqlState {
        self.0.sqlstate
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn fields(&self) -> &ErrorFields {
        &self.0
    }

    pub fn fields_mut(&mut self) -> &mut ErrorFields {
        &mut self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// A five-character SQLSTATE (PostgreSQL, appendix A).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// A state by its five characters; for codes a user chooses (RAISE ... USING ERRCODE).
    pub const fn from_code(code: &[u8; 5]) -> SqlState {
        SqlState(*code)
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("SQLSTATEs are made from ASCII literals")
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

macro_rules! sqlstates {
    ($($name:ident = $code:literal),* $(,)?) => {
        impl SqlState { $(pub const $name: SqlState = SqlState(*$code);)* }
    };
}

sqlstates! {
    SUCCESSFUL_COMPLETION = b"00000",
    WARNING = b"01000",
    WARNING_DYNAMIC_RESULT_SETS_RETURNED = b"0100C",
    WARNING_IMPLICIT_ZERO_BIT_PADDING = b"01008",
    WARNING_NULL_VALUE_ELIMINATED_IN_SET_FUNCTION = b"01003",
    WARNING_PRIVILEGE_NOT_GRANTED = b"01007",
    WARNING_PRIVILEGE_NOT_REVOKED = b"01006",
    WARNING_STRING_DATA_RIGHT_TRUNCATION = b"01004",
    WARNING_DEPRECATED_FEATURE = b"01P01",
    NO_DATA = b"02000",
    NO_ADDITIONAL_DYNAMIC_RESULT_SETS_RETURNED = b"02001",
    SQL_STATEMENT_NOT_YET_COMPLETE = b"03000",
    CONNECTION_EXCEPTION = b"08000",
    CONNECTION_DOES_NOT_EXIST = b"08003",
    CONNECTION_FAILURE = b"08006",
    SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION = b"08001",
    SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION = b"08004",
    TRANSACTION_RESOLUTION_UNKNOWN = b"08007",
    PROTOCOL_VIOLATION = b"08P01",
    TRIGGERED_ACTION_EXCEPTION = b"09000",
    FEATURE_NOT_SUPPORTED = b"0A000",
    INVALID_TRANSACTION_INITIATION = b"0B000",
    LOCATOR_EXCEPTION = b"0F000",
    L_E_INVALID_SPECIFICATION = b"0F001",
    INVALID_GRANTOR = b"0L000",
    INVALID_GRANT_OPERATION = b"0LP01",
    INVALID_ROLE_SPECIFICATION = b"0P000",
    DIAGNOSTICS_EXCEPTION = b"0Z000",
    STACKED_DIAGNOSTICS_ACCESSED_WITHOUT_ACTIVE_HANDLER = b"0Z002",
    CASE_NOT_FOUND = b"20000",
    CARDINALITY_VIOLATION = b"21000",
    DATA_EXCEPTION = b"22000",
    ARRAY_ELEMENT_ERROR = b"2202E",
    ARRAY_SUBSCRIPT_ERROR = b"2202E",
    CHARACTER_NOT_IN_REPERTOIRE = b"22021",
    DATETIME_FIELD_OVERFLOW = b"22008",
    DATETIME_VALUE_OUT_OF_RANGE = b"22008",
    DIVISION_BY_ZERO = b"22012",
    ERROR_IN_ASSIGNMENT = b"22005",
    ESCAPE_CHARACTER_CONFLICT = b"2200B",
    INDICATOR_OVERFLOW = b"22022",
    INTERVAL_FIELD_OVERFLOW = b"22015",
    INVALID_ARGUMENT_FOR_LOG = b"2201E",
    INVALID_ARGUMENT_FOR_NTILE = b"22014",
    INVALID_ARGUMENT_FOR_NTH_VALUE = b"22016",
    INVALID_ARGUMENT_FOR_POWER_FUNCTION = b"2201F",
    INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION = b"2201G",
    INVALID_CHARACTER_VALUE_FOR_CAST = b"22018",
    INVALID_DATETIME_FORMAT = b"22007",
    INVALID_ESCAPE_CHARACTER = b"22019",
    INVALID_ESCAPE_OCTET = b"2200D",
    INVALID_ESCAPE_SEQUENCE = b"22025",
    NONSTANDARD_USE_OF_ESCAPE_CHARACTER = b"22P06",
    INVALID_INDICATOR_PARAMETER_VALUE = b"22010",
    INVALID_PARAMETER_VALUE = b"22023",
    INVALID_PRECEDING_OR_FOLLOWING_SIZE = b"22013",
    INVALID_REGULAR_EXPRESSION = b"2201B",
    INVALID_ROW_COUNT_IN_LIMIT_CLAUSE = b"2201W",
    INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE = b"2201X",
    INVALID_TABLESAMPLE_ARGUMENT = b"2202H",
    INVALID_TABLESAMPLE_REPEAT = b"2202G",
    INVALID_TIME_ZONE_DISPLACEMENT_VALUE = b"22009",
    INVALID_USE_OF_ESCAPE_CHARACTER = b"2200C",
    MOST_SPECIFIC_TYPE_MISMATCH = b"2200G",
    NULL_VALUE_NOT_ALLOWED = b"22004",
    NULL_VALUE_NO_INDICATOR_PARAMETER = b"22002",
    NUMERIC_VALUE_OUT_OF_RANGE = b"22003",
    SEQUENCE_GENERATOR_LIMIT_EXCEEDED = b"2200H",
    STRING_DATA_LENGTH_MISMATCH = b"22026",
    STRING_DATA_RIGHT_TRUNCATION = b"22001",
    SUBSTRING_ERROR = b"22011",
    TRIM_ERROR = b"22027",
    UNTERMINATED_C_STRING = b"22024",
    ZERO_LENGTH_CHARACTER_STRING = b"2200F",
    FLOATING_POINT_EXCEPTION = b"22P01",
    INVALID_TEXT_REPRESENTATION = b"22P02",
    INVALID_BINARY_REPRESENTATION = b"22P03",
    BAD_COPY_FILE_FORMAT = b"22P04",
    UNTRANSLATABLE_CHARACTER = b"22P05",
    NOT_AN_XML_DOCUMENT = b"2200L",
    INVALID_XML_DOCUMENT = b"2200M",
    INVALID_XML_CONTENT = b"2200N",
    INVALID_XML_COMMENT = b"2200S",
    INVALID_XML_PROCESSING_INSTRUCTION = b"2200T",
    DUPLICATE_JSON_OBJECT_KEY_VALUE = b"22030",
    INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION = b"22031",
    INVALID_JSON_TEXT = b"22032",
    INVALID_SQL_JSON_SUBSCRIPT = b"22033",
    MORE_THAN_ONE_SQL_JSON_ITEM = b"22034",
    NO_SQL_JSON_ITEM = b"22035",
    NON_NUMERIC_SQL_JSON_ITEM = b"22036",
    NON_UNIQUE_KEYS_IN_A_JSON_OBJECT = b"22037",
    SINGLETON_SQL_JSON_ITEM_REQUIRED = b"22038",
    SQL_JSON_ARRAY_NOT_FOUND = b"22039",
    SQL_JSON_MEMBER_NOT_FOUND = b"2203A",
    SQL_JSON_NUMBER_NOT_FOUND = b"2203B",
    SQL_JSON_OBJECT_NOT_FOUND = b"2203C",
    TOO_MANY_JSON_ARRAY_ELEMENTS = b"2203D",
    TOO_MANY_JSON_OBJECT_MEMBERS = b"2203E",
    SQL_JSON_SCALAR_REQUIRED = b"2203F",
    SQL_JSON_ITEM_CANNOT_BE_CAST_TO_TARGET_TYPE = b"2203G",
    INTEGRITY_CONSTRAINT_VIOLATION = b"23000",
    RESTRICT_VIOLATION = b"23001",
    NOT_NULL_VIOLATION = b"23502",
    FOREIGN_KEY_VIOLATION = b"23503",
    UNIQUE_VIOLATION = b"23505",
    CHECK_VIOLATION = b"23514",
    EXCLUSION_VIOLATION = b"23P01",
    INVALID_CURSOR_STATE = b"24000",
    INVALID_TRANSACTION_STATE = b"25000",
    ACTIVE_SQL_TRANSACTION = b"25001",
    BRANCH_TRANSACTION_ALREADY_ACTIVE = b"25002",
    HELD_CURSOR_REQUIRES_SAME_ISOLATION_LEVEL = b"25008",
    INAPPROPRIATE_ACCESS_MODE_FOR_BRANCH_TRANSACTION = b"25003",
    INAPPROPRIATE_ISOLATION_LEVEL_FOR_BRANCH_TRANSACTION = b"25004",
    NO_ACTIVE_SQL_TRANSACTION_FOR_BRANCH_TRANSACTION = b"25005",
    READ_ONLY_SQL_TRANSACTION = b"25006",
    SCHEMA_AND_DATA_STATEMENT_MIXING_NOT_SUPPORTED = b"25007",
    NO_ACTIVE_SQL_TRANSACTION = b"25P01",
    IN_FAILED_SQL_TRANSACTION = b"25P02",
    IDLE_IN_TRANSACTION_SESSION_TIMEOUT = b"25P03",
    INVALID_SQL_STATEMENT_NAME = b"26000",
    TRIGGERED_DATA_CHANGE_VIOLATION = b"27000",
    INVALID_AUTHORIZATION_SPECIFICATION = b"28000",
    INVALID_PASSWORD = b"28P01",
    DEPENDENT_PRIVILEGE_DESCRIPTORS_STILL_EXIST = b"2B000",
    DEPENDENT_OBJECTS_STILL_EXIST = b"2BP01",
    INVALID_TRANSACTION_TERMINATION = b"2D000",
    SQL_ROUTINE_EXCEPTION = b"2F000",
    S_R_E_FUNCTION_EXECUTED_NO_RETURN_STATEMENT = b"2F005",
    S_R_E_MODIFYING_SQL_DATA_NOT_PERMITTED = b"2F002",
    S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED = b"2F003",
    S_R_E_READING_SQL_DATA_NOT_PERMITTED = b"2F004",
    INVALID_CURSOR_NAME = b"34000",
    EXTERNAL_ROUTINE_EXCEPTION = b"38000",
    E_R_E_CONTAINING_SQL_NOT_PERMITTED = b"38001",
    E_R_E_MODIFYING_SQL_DATA_NOT_PERMITTED = b"38002",
    E_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED = b"38003",
    E_R_E_READING_SQL_DATA_NOT_PERMITTED = b"38004",
    EXTERNAL_ROUTINE_INVOCATION_EXCEPTION = b"39000",
    E_R_I_E_INVALID_SQLSTATE_RETURNED = b"39001",
    E_R_I_E_NULL_VALUE_NOT_ALLOWED = b"39004",
    E_R_I_E_TRIGGER_PROTOCOL_VIOLATED = b"39P01",
    E_R_I_E_SRF_PROTOCOL_VIOLATED = b"39P02",
    E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED = b"39P03",
    SAVEPOINT_EXCEPTION = b"3B000",
    S_E_INVALID_SPECIFICATION = b"3B001",
    INVALID_CATALOG_NAME = b"3D000",
    INVALID_SCHEMA_NAME = b"3F000",
    TRANSACTION_ROLLBACK = b"40000",
    T_R_INTEGRITY_CONSTRAINT_VIOLATION = b"40002",
    T_R_SERIALIZATION_FAILURE = b"40001",
    T_R_STATEMENT_COMPLETION_UNKNOWN = b"40003",
    T_R_DEADLOCK_DETECTED = b"40P01",
    SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION = b"42000",
    SYNTAX_ERROR = b"42601",
    INSUFFICIENT_PRIVILEGE = b"42501",
    CANNOT_COERCE = b"42846",
    GROUPING_ERROR = b"42803",
    WINDOWING_ERROR = b"42P20",
    INVALID_RECURSION = b"42P19",
    INVALID_FOREIGN_KEY = b"42830",
    INVALID_NAME = b"42602",
    NAME_TOO_LONG = b"42622",
    RESERVED_NAME = b"42939",
    DATATYPE_MISMATCH = b"42804",
    INDETERMINATE_DATATYPE = b"42P18",
    COLLATION_MISMATCH = b"42P21",
    INDETERMINATE_COLLATION = b"42P22",
    WRONG_OBJECT_TYPE = b"42809",
    GENERATED_ALWAYS = b"428C9",
    UNDEFINED_COLUMN = b"42703",
    UNDEFINED_CURSOR = b"34000",
    UNDEFINED_DATABASE = b"3D000",
    UNDEFINED_FUNCTION = b"42883",
    UNDEFINED_PSTATEMENT = b"26000",
    UNDEFINED_SCHEMA = b"3F000",
    UNDEFINED_TABLE = b"42P01",
    UNDEFINED_PARAMETER = b"42P02",
    UNDEFINED_OBJECT = b"42704",
    DUPLICATE_COLUMN = b"42701",
    DUPLICATE_CURSOR = b"42P03",
    DUPLICATE_DATABASE = b"42P04",
    DUPLICATE_FUNCTION = b"42723",
    DUPLICATE_PSTATEMENT = b"42P05",
    DUPLICATE_SCHEMA = b"42P06",
    DUPLICATE_TABLE = b"42P07",
    DUPLICATE_ALIAS = b"42712",
    DUPLICATE_OBJECT = b"42710",
    AMBIGUOUS_COLUMN = b"42702",
    AMBIGUOUS_FUNCTION = b"42725",
    AMBIGUOUS_PARAMETER = b"42P08",
    AMBIGUOUS_ALIAS = b"42P09",
    INVALID_COLUMN_REFERENCE = b"42P10",
    INVALID_COLUMN_DEFINITION = b"42611",
    INVALID_CURSOR_DEFINITION = b"42P11",
    INVALID_DATABASE_DEFINITION = b"42P12",
    INVALID_FUNCTION_DEFINITION = b"42P13",
    INVALID_PSTATEMENT_DEFINITION = b"42P14",
    INVALID_SCHEMA_DEFINITION = b"42P15",
    INVALID_TABLE_DEFINITION = b"42P16",
    INVALID_OBJECT_DEFINITION = b"42P17",
    WITH_CHECK_OPTION_VIOLATION = b"44000",
    INSUFFICIENT_RESOURCES = b"53000",
    DISK_FULL = b"53100",
    OUT_OF_MEMORY = b"53200",
    TOO_MANY_CONNECTIONS = b"53300",
    CONFIGURATION_LIMIT_EXCEEDED = b"53400",
    PROGRAM_LIMIT_EXCEEDED = b"54000",
    STATEMENT_TOO_COMPLEX = b"54001",
    TOO_MANY_COLUMNS = b"54011",
    TOO_MANY_ARGUMENTS = b"54023",
    OBJECT_NOT_IN_PREREQUISITE_STATE = b"55000",
    OBJECT_IN_USE = b"55006",
    CANT_CHANGE_RUNTIME_PARAM = b"55P02",
    LOCK_NOT_AVAILABLE = b"55P03",
    UNSAFE_NEW_ENUM_VALUE_USAGE = b"55P04",
    OPERATOR_INTERVENTION = b"57000",
    QUERY_CANCELED = b"57014",
    ADMIN_SHUTDOWN = b"57P01",
    CRASH_SHUTDOWN = b"57P02",
    CANNOT_CONNECT_NOW = b"57P03",
    DATABASE_DROPPED = b"57P04",
    IDLE_SESSION_TIMEOUT = b"57P05",
    SYSTEM_ERROR = b"58000",
    IO_ERROR = b"58030",
    UNDEFINED_FILE = b"58P01",
    DUPLICATE_FILE = b"58P02",
    SNAPSHOT_TOO_OLD = b"72000",
    CONFIG_FILE_ERROR = b"F0000",
    LOCK_FILE_EXISTS = b"F0001",
    FDW_ERROR = b"HV000",
    FDW_COLUMN_NAME_NOT_FOUND = b"HV005",
    FDW_DYNAMIC_PARAMETER_VALUE_NEEDED = b"HV002",
    FDW_FUNCTION_SEQUENCE_ERROR = b"HV010",
    FDW_INCONSISTENT_DESCRIPTOR_INFORMATION = b"HV021",
    FDW_INVALID_ATTRIBUTE_VALUE = b"HV024",
    FDW_INVALID_COLUMN_NAME = b"HV007",
    FDW_INVALID_COLUMN_NUMBER = b"HV008",
    FDW_INVALID_DATA_TYPE = b"HV004",
    FDW_INVALID_DATA_TYPE_DESCRIPTORS = b"HV006",
    FDW_INVALID_DESCRIPTOR_FIELD_IDENTIFIER = b"HV091",
    FDW_INVALID_HANDLE = b"HV00B",
    FDW_INVALID_OPTION_INDEX = b"HV00C",
    FDW_INVALID_OPTION_NAME = b"HV00D",
    FDW_INVALID_STRING_LENGTH_OR_BUFFER_LENGTH = b"HV090",
    FDW_INVALID_STRING_FORMAT = b"HV00A",
    FDW_INVALID_USE_OF_NULL_POINTER = b"HV009",
    FDW_TOO_MANY_HANDLES = b"HV014",
    FDW_OUT_OF_MEMORY = b"HV001",
    FDW_NO_SCHEMAS = b"HV00P",
    FDW_OPTION_NAME_NOT_FOUND = b"HV00J",
    FDW_REPLY_HANDLE = b"HV00K",
    FDW_SCHEMA_NOT_FOUND = b"HV00Q",
    FDW_TABLE_NOT_FOUND = b"HV00R",
    FDW_UNABLE_TO_CREATE_EXECUTION = b"HV00L",
    FDW_UNABLE_TO_CREATE_REPLY = b"HV00M",
    FDW_UNABLE_TO_ESTABLISH_CONNECTION = b"HV00N",
    PLPGSQL_ERROR = b"P0000",
    RAISE_EXCEPTION = b"P0001",
    NO_DATA_FOUND = b"P0002",
    TOO_MANY_ROWS = b"P0003",
    ASSERT_FAILURE = b"P0004",
    INTERNAL_ERROR = b"XX000",
    DATA_CORRUPTED = b"XX001",
    INDEX_CORRUPTED = b"XX002",
}
