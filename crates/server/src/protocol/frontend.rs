//! Messages from the client.

use bytes::{Buf, Bytes, BytesMut};
use types::{Error, Oid, Result, SqlState};

/// A message after start-up.
#[derive(Debug)]
pub(crate) enum Message {
    Query(String),
    Parse {
        statement: String,
        query: String,
        parameter_types: Vec<Oid>,
    },
    Bind(Bind),
    Describe {
        is_portal: bool,
        name: String,
    },
    Execute {
        portal: String,
        limit: i32,
    },
    Close {
        is_portal: bool,
        name: String,
    },
    Sync,
    Flush,
    CopyData(Bytes),
    CopyDone,
    CopyFail(String),
    Terminate,
    /// A function call by oid, which nothing has sent for decades.
    FunctionCall,
}

#[derive(Debug)]
pub(crate) struct Bind {
    pub portal: String,
    pub statement: String,
    pub parameter_formats: Vec<i16>,
    /// None is NULL.
    pub parameters: Vec<Option<Bytes>>,
    pub result_formats: Vec<i16>,
}

/// Messages longer than this are refused, as PostgreSQL refuses them.
const LARGEST: usize = 0x3fff_ffff;
/// Kinds that carry no user data are refused beyond this.
const LARGEST_SMALL: usize = 30_000;

fn violation(message: impl Into<String>) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, message)
}

/// Takes the next message off the buffer; None while it is incomplete.
///
/// Errors: 08P01 when the stream cannot be followed any more (fatal); see [`Decoded`] for errors within one message.
pub(crate) fn decode(buffer: &mut BytesMut) -> Result<Option<(u8, Result<Message>)>> {
    let Some(header) = buffer.get(..5) else { return Ok(None) };
    let kind = header[0];
    let length = i32::from_be_bytes([header[1], header[2], header[3], header[4]]);
    let is_large = matches!(kind, b'Q' | b'P' | b'B' | b'd' | b'F' | b'f');
    if !is_large && !matches!(kind, b'D' | b'E' | b'C' | b'S' | b'H' | b'c' | b'X' | b'p') {
        return Err(violation(format!("invalid frontend message type {kind}")));
    }
    let largest = if is_large { LARGEST } else { LARGEST_SMALL };
    let length = usize::try_from(length)
        .ok()
        .filter(|length| (4..=largest).contains(length))
        .ok_or_else(|| violation("invalid message length"))?;
    if buffer.len() < length + 1 {
        return Ok(None);
    }
    let mut frame = buffer.split_to(length + 1);
    frame.advance(5);
    Ok(Some((kind, Reader(frame.freeze()).message(kind))))
}

/// Reads the parts of one message.
struct Reader(Bytes);

impl Reader {
    fn message(mut self, kind: u8) -> Result<Message> {
        let message = match kind {
            b'Q' => Message::Query(self.string()?),
            b'P' => {
                let statement = self.string()?;
                let query = self.string()?;
                let count = self.count()?;
                let parameter_types = (0..count).map(|_| Ok(Oid(self.i32()? as u32))).collect::<Result<_>>()?;
                Message::Parse { statement, query, parameter_types }
            }
            b'B' => Message::Bind(self.bind()?),
            b'D' => Message::Describe { is_portal: self.target("DESCRIBE")?, name: self.string()? },
            b'E' => Message::Execute { portal: self.string()?, limit: self.i32()? },
            b'C' => Message::Close { is_portal: self.target("CLOSE")?, name: self.string()? },
            b'S' => Message::Sync,
            b'H' => Message::Flush,
            b'd' => return Ok(Message::CopyData(self.0)),
            b'c' => Message::CopyDone,
            b'f' => Message::CopyFail(self.string()?),
            b'X' => return Ok(Message::Terminate),
            b'F' => return Ok(Message::FunctionCall),
            other => return Err(violation(format!("unexpected message type {other}"))),
        };
        if self.0.has_remaining() {
            return Err(violation("invalid message format"));
        }
        Ok(message)
    }

    fn bind(&mut self) -> Result<Bind> {
        let portal = self.string()?;
        let statement = self.string()?;
        let formats = self.count()?;
        let parameter_formats = (0..formats).map(|_| self.i16()).collect::<Result<Vec<_>>>()?;
        let count = self.count()?;
        if formats > 1 && formats != count {
            return Err(violation(format!("bind message has {formats} parameter formats but {count} parameters")));
        }
        let parameters = (0..count)
            .map(|_| match self.i32()? {
                -1 => Ok(None),
                length => Ok(Some(self.take(usize::try_from(length).map_err(|_| insufficient())?)?)),
            })
            .collect::<Result<_>>()?;
        let results = self.count()?;
        let result_formats = (0..results).map(|_| self.i16()).collect::<Result<Vec<_>>>()?;
        if let Some(format) = parameter_formats.iter().chain(&result_formats).find(|format| !matches!(format, 0 | 1)) {
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unsupported format code: {format}")));
        }
        Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
    }

    fn take(&mut self, length: usize) -> Result<Bytes> {
        if length > self.0.len() {
            return Err(insufficient());
        }
        Ok(self.0.split_to(length))
    }

    fn i16(&mut self) -> Result<i16> {
        self.0.try_get_i16().map_err(|_| insufficient())
    }

    /// A count of items: 16 bits without a sign, as clients with 65,535 parameters rely on.
    fn count(&mut self) -> Result<usize> {
        Ok(usize::from(self.i16()? as u16))
    }

    fn i32(&mut self) -> Result<i32> {
        self.0.try_get_i32().map_err(|_| insufficient())
    }

    /// A text ended by a zero byte.
    fn string(&mut self) -> Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| violation("invalid string in message"))?;
        let bytes = self.take(end)?;
        self.0.advance(1);
        text(&bytes).map(str::to_owned)
    }

    /// Whether DESCRIBE or CLOSE means a portal.
    fn target(&mut self, message: &str) -> Result<bool> {
        match self.0.try_get_u8().map_err(|_| insufficient())? {
            b'P' => Ok(true),
            b'S' => Ok(false),
            other => Err(violation(format!("invalid {message} message subtype {other}"))),
        }
    }
}

fn insufficient() -> Error {
    violation("insufficient data left in message")
}

/// Bytes as UTF-8.
///
/// Errors: 22021, naming the offending bytes.
pub(crate) fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let start = error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - start).max(1);
        let shown: Vec<String> = bytes[start..].iter().take(length).map(|byte| format!("0x{byte:02x}")).collect();
        Error::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, body: &[u8]) -> BytesMut {
        let mut buffer = BytesMut::from(&[kind][..]);
        buffer.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
        buffer.extend_from_slice(body);
        buffer
    }

    #[test]
    fn incomplete_messages_wait() {
        let whole = frame(b'Q', b"select 1\0");
        for length in 0..whole.len() {
            assert!(decode(&mut BytesMut::from(&whole[..length])).unwrap().is_none());
        }
        let (_, message) = decode(&mut whole.clone()).unwrap().unwrap();
        assert!(matches!(message.unwrap(), Message::Query(text) if text == "select 1"));
    }

    #[test]
    fn lengths_and_kinds_are_checked() {
        let mut negative = BytesMut::from(&b"Q\xff\xff\xff\xff"[..]);
        assert_eq!(decode(&mut negative).unwrap_err().message(), "invalid message length");
        let mut unknown = frame(b'?', b"");
        assert_eq!(decode(&mut unknown).unwrap_err().message(), "invalid frontend message type 63");
        let (_, message) = decode(&mut frame(b'Q', b"no end")).unwrap().unwrap();
        assert_eq!(message.unwrap_err().sqlstate(), SqlState::PROTOCOL_VIOLATION);
        let (_, message) = decode(&mut frame(b'Q', b"\xff\0")).unwrap().unwrap();
        assert_eq!(message.unwrap_err().sqlstate(), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
    }
}
