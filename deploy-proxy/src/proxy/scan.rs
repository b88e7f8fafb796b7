//! Strict framing of HTTP/1 requests, ahead of hyper.
//!
//! hyper takes a request with both Content-Length and Transfer-Encoding and drops the former, so nothing behind it can
//! tell; it takes bare line feeds too. Two parsers that understand one stream differently are how requests are
//! smuggled. So every byte passes here first: heads line by line, bodies by their length. What is ambiguous is
//! *poisoned*: instead of the line break that would complete it, hyper gets what it can only refuse, and the end. It then
//! answers 400 (or aborts the body) and closes. Everything that passes is framed in one way only.

use memchr::memchr;

/// The longest line of a head that is kept while its end is awaited; hyper gives up on the whole head before this.
const MAX_LINE: usize = 512 * 1024;

/// What the scanner expects next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// A request line, or the empty lines that may precede it.
    RequestLine,
    /// A header, or the empty line after the last.
    Header,
    /// This many bytes of a body.
    Body(u64),
    /// The size line of a chunk.
    ChunkSize,
    /// This many bytes of a chunk, its line break included.
    Chunk(u64),
    /// A trailer, or the empty line after the last.
    Trailer,
    /// Nothing: what came was ambiguous.
    Poisoned,
}

/// Follows one client's bytes.
#[derive(Debug)]
pub(crate) struct Scanner {
    expect: Expect,
    /// A line whose end hasn't come yet.
    partial: Vec<u8>,
    /// The framing headers of the head that is being read.
    length: Option<u64>,
    chunked: bool,
}

/// Whether a stretch of bytes may be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// All of it.
    Clean,
    /// What comes before this index.
    Poison(usize),
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { expect: Expect::RequestLine, partial: Vec::new(), length: None, chunked: false }
    }

    /// Whether the stream was found ambiguous.
    pub(crate) fn poisoned(&self) -> bool {
        self.expect == Expect::Poisoned
    }

    /// Whether a request's head has begun and not ended.
    pub(crate) fn in_head(&self) -> bool {
        self.expect == Expect::Header || (self.expect == Expect::RequestLine && !self.partial.is_empty())
    }

    /// Whether the client owes nothing: its last request has come completely.
    pub(crate) fn between_requests(&self) -> bool {
        self.expect == Expect::RequestLine && self.partial.is_empty()
    }

    /// Looks at the bytes that follow those seen before.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Scanned {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match self.expect {
                Expect::Poisoned => return Scanned::Poison(at),
                Expect::Body(left) => {
                    let taken = left.min(rest.len() as u64);
                    at += usize::try_from(taken).unwrap_or(rest.len());
                    self.expect = if taken == left { Expect::RequestLine } else { Expect::Body(left - taken) };
                }
                Expect::Chunk(left) => {
                    let taken = left.min(rest.len() as u64);
                    let end = usize::try_from(taken).unwrap_or(rest.len());
                    if let Some(bad) = bad_chunk_end(&rest[..end], left) {
                        return self.poison(at + bad);
                    }
                    at += end;
                    self.expect = if taken == left { Expect::ChunkSize } else { Expect::Chunk(left - taken) };
                }
                Expect::RequestLine | Expect::Header | Expect::ChunkSize | Expect::Trailer => {
                    let Some(end) = memchr(b'\n', rest) else {
                        self.partial.extend_from_slice(rest);
                        if self.partial.len() > MAX_LINE {
                            return self.poison(bytes.len() - 1);
                        }
                        return Scanned::Clean;
                    };
                    let next = if self.partial.is_empty() {
                        self.line(&rest[..end])
                    } else {
                        let mut line = std::mem::take(&mut self.partial);
                        line.extend_from_slice(&rest[..end]);
                        let next = self.line(&line);
                        line.clear();
                        self.partial = line;
                        next
                    };
                    match next {
                        Some(next) => self.expect = next,
                        None => return self.poison(at + end),
                    }
                    at += end + 1;
                }
            }
        }
        Scanned::Clean
    }

    fn poison(&mut self, at: usize) -> Scanned {
        self.expect = Expect::Poisoned;
        Scanned::Poison(at)
    }

    /// What follows a line, which comes without its line feed; `None` where it is ambiguous.
    fn line(&mut self, line: &[u8]) -> Option<Expect> {
        let line = line.strip_suffix(b"\r")?;
        match self.expect {
            Expect::RequestLine if line.is_empty() => Some(Expect::RequestLine),
            Expect::RequestLine => {
                (self.length, self.chunked) = (None, false);
                Some(Expect::Header)
            }
            Expect::Header if line.is_empty() => Some(match (self.chunked, self.length) {
                (true, _) => Expect::ChunkSize,
                (false, None | Some(0)) => Expect::RequestLine,
                (false, Some(length)) => Expect::Body(length),
            }),
            Expect::Header => self.header(line).then_some(Expect::Header),
            Expect::ChunkSize => Some(match chunk_size(line)? {
                0 => Expect::Trailer,
                size => Expect::Chunk(size.checked_add(2)?),
            }),
            Expect::Trailer if line.is_empty() => Some(Expect::RequestLine),
            // Framing isn't a trailer's business, and a folded line isn't anybody's.
            Expect::Trailer => {
                (!is_folded(line) && value_of(line, b"content-length").is_none()).then_some(Expect::Trailer)
            }
            Expect::Body(_) | Expect::Chunk(_) | Expect::Poisoned => None,
        }
    }

    /// Notes a framing header; false where it contradicts another or can be understood in two ways.
    fn header(&mut self, line: &[u8]) -> bool {
        match line[0] | 0x20 {
            b'c' => match value_of(line, b"content-length") {
                None => true,
                Some(value) => {
                    let first = self.length.is_none() && !self.chunked;
                    self.length = decimal(value);
                    first && self.length.is_some()
                }
            },
            b't' => match value_of(line, b"transfer-encoding") {
                None => true,
                Some(value) => {
                    let first = self.length.is_none() && !self.chunked;
                    self.chunked = true;
                    first && value.eq_ignore_ascii_case(b"chunked")
                }
            },
            _ => !is_folded(line),
        }
    }
}

fn is_folded(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// The trimmed value of a header line, where it is the header of that (lower-case) name. White space before the colon
/// counts as part of another name, which hyper refuses.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        digit.is_ascii_digit().then_some(())?;
        sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// The size in a chunk's first line. Extensions are allowed and looked past.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = match memchr(b';', line) {
        Some(end) => &line[..end],
        None => line,
    };
    if digits.is_empty() || digits.len() > 15 || memchr(b'\r', line).is_some() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(sum << 4 | u64::from(value))
    })
}

/// Where, in the next bytes of a chunk with `left` to go, its line break is something else.
fn bad_chunk_end(bytes: &[u8], left: u64) -> Option<usize> {
    let from = usize::try_from(left.saturating_sub(2)).ok()?;
    (from..bytes.len()).find(|&at| {
        let expected = if left - at as u64 == 2 { b'\r' } else { b'\n' };
        bytes[at] != expected
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLEAN: [&str; 9] = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:  5 \r\n\r\nab\ncdGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\na\n\rbc\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Lengthy: 5\r\nTransfer-Encodings: gzip\r\nCookie: content-length: 5\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nC: content-length\r\nT: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\nabc",
    ];

    /// Each with the part that must still pass, up to but not including the poisoned byte.
    const POISON: [(&str, &str); 22] = [
        ("GET / HTTP/1.1", "\nHost: a\r\n\r\n"),
        ("GET / HTTP/1.1\r\nHost: a", "\n\r\n"),
        ("GET / HTTP/1.1\r\nHost: a\r\n", "\n"),
        ("\n", ""),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: 5, 5\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: +5\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length:\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r", "\n\r\n"),
        ("GET / HTTP/1.1\r\nA: b\r\n folded\r", "\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5 \r", "\nabcde\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5", "\nabcde\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r", "\nabcde\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde", "f\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r", "f\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r", "\n\r\n"),
    ];

    /// What comes in one read: a part of a stream as above, for random bytes hardly ever make a line, or any bytes.
    fn read() -> impl Strategy<Value = Vec<u8>> {
        const PARTS: [&str; 17] = [
            "\r\n",
            "\r",
            "\n",
            "5\r\n",
            "5\r\nabcde",
            "5\r\nabcde\r",
            "0\r\n",
            ";x=y",
            "ffffffffffffffff\r\n",
            "POST / HTTP/1.1\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: ",
            "5",
            "18446744073709551615\r\n",
            ":",
            " \t",
            "abcde",
        ];
        let part = proptest::sample::select(&PARTS[..]).prop_map(|part| part.as_bytes().to_vec());
        prop_oneof![8 => part, 1 => proptest::collection::vec(any::<u8>(), 0..9)]
    }

    /// How many bytes pass when the text comes in the given pieces, and whether it is clean.
    fn passed(text: &str, pieces: &[usize]) -> (usize, bool) {
        let mut scanner = Scanner::new();
        let (mut done, mut sizes) = (0, pieces.iter().cycle());
        while done < text.len() {
            let size = (*sizes.next().unwrap_or(&text.len())).clamp(1, text.len() - done);
            match scanner.scan(&text.as_bytes()[done..done + size]) {
                Scanned::Clean => done += size,
                Scanned::Poison(at) => return (done + at, false),
            }
        }
        (done, true)
    }

    #[test]
    fn clean_streams_pass_and_end_between_requests() {
        for text in &CLEAN[..8] {
            let mut scanner = Scanner::new();
            assert_eq!(scanner.scan(text.as_bytes()), Scanned::Clean, "{text:?}");
            assert!(scanner.between_requests(), "{text:?}");
        }
    }

    #[test]
    fn ambiguous_streams_end_before_the_line_break_that_would_complete_them() {
        for (clean, rest) in POISON {
            let at = if clean == "\n" { 0 } else { clean.len() };
            assert_eq!(passed(&format!("{clean}{rest}"), &[]), (at, false), "{clean:?}");
        }
    }

    proptest! {
        #[test]
        fn how_the_bytes_arrive_changes_nothing(pieces in proptest::collection::vec(1..9_usize, 1..20)) {
            for text in CLEAN {
                prop_assert_eq!(passed(text, &pieces), (text.len(), true));
            }
            for (clean, rest) in POISON {
                let text = format!("{clean}{rest}");
                prop_assert_eq!(passed(&text, &pieces), passed(&text, &[]));
            }
        }

        #[test]
        fn no_bytes_make_it_panic_or_end_beyond_what_came(reads in proptest::collection::vec(read(), 0..20)) {
            let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
            for first in [&head[..], b""] {
                let mut scanner = Scanner::new();
                prop_assert_eq!(scanner.scan(first), Scanned::Clean);
                for read in &reads {
                    match scanner.scan(read) {
                        Scanned::Clean => prop_assert!(read.is_empty() || !scanner.poisoned()),
                        Scanned::Poison(at) => prop_assert!(scanner.poisoned() && at < read.len()),
                    }
                }
            }
        }
    }
}
