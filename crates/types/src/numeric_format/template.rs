//! A numeric template: its patterns in order, and what they say together about signs, digits and the point.

use crate::datetime::template::quoted_text;
use crate::{Error, Result, SqlState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    Comma,
    Point,
    Zero,
    Nine,
    Blank,
    Scientific,
    FillMode,
    Group,
    Currency,
    Minus,
    Plus,
    Brackets,
    Roman,
    RomanLower,
    SignOrPlus,
    Sign,
    Ordinal,
    OrdinalLower,
    Shift,
    /// "C" and "SP": known, and printed as nothing.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Pattern(Pattern),
    Char(char),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SignPlace {
    #[default]
    None,
    Before,
    After,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    pub(super) nodes: Vec<Node>,
    /// Digit patterns before and after the point.
    pub(super) before_point: usize,
    pub(super) after_point: usize,
    /// Digit patterns after V.
    pub(super) shift: usize,
    /// Digit patterns before the first 0, counted from 1 (0: none), and up to the last 0.
    pub(super) zero_start: usize,
    pub(super) zero_end: usize,
    pub(super) sign_place: SignPlace,
    /// Digit patterns before S.
    pub(super) digits_before_sign: usize,
    pub(super) has_point: bool,
    pub(super) has_zero: bool,
    pub(super) is_blank: bool,
    pub(super) fill_mode: bool,
    pub(super) has_sign: bool,
    pub(super) has_brackets: bool,
    pub(super) has_minus: bool,
    pub(super) has_plus: bool,
    pub(super) is_roman: bool,
    pub(super) is_shifted: bool,
    pub(super) is_scientific: bool,
}

/// In PostgreSQL's order: of patterns with the same first letter the first that fits is taken.
static PATTERNS: &[(&str, Pattern)] = &[
    (",", Pattern::Comma),
    (".", Pattern::Point),
    ("0", Pattern::Zero),
    ("9", Pattern::Nine),
    ("B", Pattern::Blank),
    ("C", Pattern::Nothing),
    ("D", Pattern::Point),
    ("EEEE", Pattern::Scientific),
    ("FM", Pattern::FillMode),
    ("G", Pattern::Group),
    ("L", Pattern::Currency),
    ("MI", Pattern::Minus),
    ("PL", Pattern::Plus),
    ("PR", Pattern::Brackets),
    ("RN", Pattern::Roman),
    ("SG", Pattern::SignOrPlus),
    ("SP", Pattern::Nothing),
    ("S", Pattern::Sign),
    ("TH", Pattern::Ordinal),
    ("V", Pattern::Shift),
    ("b", Pattern::Blank),
    ("c", Pattern::Nothing),
    ("d", Pattern::Point),
    ("eeee", Pattern::Scientific),
    ("fm", Pattern::FillMode),
    ("g", Pattern::Group),
    ("l", Pattern::Currency),
    ("mi", Pattern::Minus),
    ("pl", Pattern::Plus),
    ("pr", Pattern::Brackets),
    ("rn", Pattern::RomanLower),
    ("sg", Pattern::SignOrPlus),
    ("sp", Pattern::Nothing),
    ("s", Pattern::Sign),
    ("th", Pattern::OrdinalLower),
    ("v", Pattern::Shift),
];

fn refuse_if(refused: bool, message: &str) -> Result<()> {
    if refused { Err(Error::new(SqlState::SYNTAX_ERROR, message)) } else { Ok(()) }
}

impl Template {
    /// Errors: 42601 for patterns that do not go together.
    pub(super) fn parse(format: &str) -> Result<Template> {
        let mut template = Template::default();
        let mut rest = format;
        while !rest.is_empty() {
            if let Some((name, pattern)) = PATTERNS.iter().find(|(name, _)| rest.starts_with(name)) {
                rest = &rest[name.len()..];
                template.note(*pattern)?;
                template.nodes.push(Node::Pattern(*pattern));
            } else if let Some(after) = rest.strip_prefix('"') {
                let (characters, after) = quoted_text(after);
                template.nodes.extend(characters.into_iter().map(Node::Char));
                rest = after;
            } else {
                if rest.starts_with("\\\"") {
                    rest = &rest[1..];
                }
                let mut chars = rest.chars();
                template.nodes.extend(chars.next().map(Node::Char));
                rest = chars.as_str();
            }
        }
        Ok(template)
    }

    fn note(&mut self, pattern: Pattern) -> Result<()> {
        refuse_if(self.is_scientific && pattern != Pattern::Scientific, "\"EEEE\" must be the last pattern used")?;
        match pattern {
            Pattern::Nine => {
                refuse_if(self.has_brackets, "\"9\" must be ahead of \"PR\"")?;
                match (self.is_shifted, self.has_point) {
                    (true, _) => self.shift += 1,
                    (false, true) => self.after_point += 1,
                    (false, false) => self.before_point += 1,
                }
            }
            Pattern::Zero => {
                refuse_if(self.has_brackets, "\"0\" must be ahead of \"PR\"")?;
                if !self.has_zero && !self.has_point {
                    self.has_zero = true;
                    self.zero_start = self.before_point + 1;
                }
                *(if self.has_point { &mut self.after_point } else { &mut self.before_point }) += 1;
                self.zero_end = self.before_point + self.after_point;
            }
            Pattern::Blank => self.is_blank |= self.before_point == 0 && self.after_point == 0 && !self.has_zero,
            Pattern::Point => {
                refuse_if(self.has_point, "multiple decimal points")?;
                refuse_if(self.is_shifted, "cannot use \"V\" and decimal point together")?;
                self.has_point = true;
            }
            Pattern::FillMode => self.fill_mode = true,
            Pattern::Roman | Pattern::RomanLower => self.is_roman = true,
            Pattern::Shift => {
                refuse_if(self.has_point, "cannot use \"V\" and decimal point together")?;
                self.is_shifted = true;
            }
            Pattern::Scientific => self.note_scientific()?,
            _ => self.note_sign(pattern)?,
        }
        Ok(())
    }

    fn note_sign(&mut self, pattern: Pattern) -> Result<()> {
        match pattern {
            Pattern::Sign => {
                refuse_if(self.has_sign, "cannot use \"S\" twice")?;
                refuse_if(
                    self.has_plus || self.has_minus || self.has_brackets,
                    "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together",
                )?;
                self.has_sign = true;
                self.sign_place = if self.has_point { SignPlace::After } else { SignPlace::Before };
                self.digits_before_sign = self.before_point;
            }
            Pattern::Minus => {
                refuse_if(self.has_sign, "cannot use \"S\" and \"MI\" together")?;
                self.has_minus = true;
            }
            Pattern::Plus => {
                refuse_if(self.has_sign, "cannot use \"S\" and \"PL\" together")?;
                self.has_plus = true;
            }
            Pattern::SignOrPlus => {
                refuse_if(self.has_sign, "cannot use \"S\" and \"SG\" together")?;
                (self.has_minus, self.has_plus) = (true, true);
            }
            Pattern::Brackets => {
                refuse_if(
                    self.has_sign || self.has_plus || self.has_minus,
                    "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together",
                )?;
                self.has_brackets = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn note_scientific(&mut self) -> Result<()> {
        refuse_if(self.is_scientific, "cannot use \"EEEE\" twice")?;
        let is_incompatible = self.is_blank
            || self.fill_mode
            || self.has_sign
            || self.has_brackets
            || self.has_minus
            || self.has_plus
            || self.is_roman
            || self.is_shifted;
        if is_incompatible {
            let detail = "\"EEEE\" may only be used together with digit and decimal point patterns.";
            let error = Error::new(SqlState::SYNTAX_ERROR, "\"EEEE\" is incompatible with other formats");
            return Err(error.detail(detail));
        }
        self.is_scientific = true;
        Ok(())
    }
}
